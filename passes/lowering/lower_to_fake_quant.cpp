#include "lathe/passes/lowering/lower_to_fake_quant.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "lathe/ir/float_values.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/affine.h"
#include "lathe/quant/dequant_word.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Rewrites a lowered graph in standard ONNX operators, in float32 on integer values, so that any runtime shows
what the accelerator will compute (the reference's section 6):

    AscendQuant(%x) {scale, offset}     Sub(Clip(Add(Round(Mul(%x, scale)), offset), min, max), offset)
    int8 weight, int32 bias             the same integers as float32
    AscendDequant(%acc, %param)         Mul(%acc, dqscale)
    the same, where some N is not 0     Mul(Clip(Floor(Mul(%acc, 2^-N)), -32768, 32767), dqscale * 2^N)
    AscendAntiQuant(%q) {scale}         Mul(%q, scale)

A float16 layer is computed in float32 between two Casts. Constants are Constant nodes at the front of the
graph. Needs opset 11 (Round, Clip with tensor bounds).
)";

// Most integers are weights in bytes, of which there may be many.
StatusOr<std::vector<float>> FloatsOf(const ir::Tensor& tensor) {
  if (tensor.element_type() == ir::ElementType::kInt8) {
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
    std::vector<float> floats(bytes.size());
    std::ranges::transform(bytes.bytes(), floats.begin(), [](std::byte byte) {
      return static_cast<float>(std::to_integer<int8_t>(byte));
    });
    return floats;
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> integers, tensor.ValuesAsInt64());
  return std::vector<float>(integers.begin(), integers.end());
}

class Lowering {
 public:
  explicit Lowering(PassContext& context) : context_(context), rewriter_(context.rewriter()) {}

  StatusOr<bool> Run() {
    const std::vector<QuantLayer> layers = MarkedLayers(context_.model());
    for (const QuantLayer& layer : layers) {
      if (layer.is_recurrent()) continue;
      LATHE_RETURN_IF_ERROR(ToFloat(layer.weight));
      LATHE_RETURN_IF_ERROR(BiasToFloat(layer));
    }
    bool changed = !layers.empty();
    Status status;
    VisitNodesInnerFirst(context_.model().graph(), [&](ir::Node& node) {
      if (node.Is("AscendQuant")) {
        ReplaceQuant(node);
      } else if (node.Is("AscendDequant")) {
        if (status.ok()) status = ReplaceDequant(node);
      } else if (node.Is("AscendAntiQuant")) {
        ReplaceAntiQuant(node);
      } else {
        return;
      }
      changed = true;
    });
    LATHE_RETURN_IF_ERROR(status);
    VisitNodes(context_.model().graph(),
               [&](ir::Node& node) { rewriter_.RemoveAttribute(node, "op_data_type"); });
    return changed;
  }

 private:
  Status ToFloat(ir::Use* use) {
    if (use == nullptr) return OkStatus();
    const ir::Tensor tensor = use->value()->ConstantTensor();
    if (!ir::IsInteger(tensor.element_type())) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(std::vector<float> values, FloatsOf(tensor));
    SetConstantInput(
        rewriter_, *use->user(), use->index(),
        ir::TakeFloats({tensor.dims().begin(), tensor.dims().end()}, std::move(values)));
    return OkStatus();
  }

  // The Cast that quantize-bias puts before 4-bit layers goes.
  Status BiasToFloat(const QuantLayer& layer) {
    if (layer.bias == nullptr) return OkStatus();
    if (ir::Node* cast = layer.bias->value()->producer(); cast != nullptr && cast->Is("Cast")) {
      rewriter_.ReplaceNode(*cast, *cast->input(0));
    }
    return ToFloat(layer.bias);
  }

  // A Constant node at the front of the graph of `user`, called `name`, its output `name`.output0.
  ir::Value* Constant(const ir::Node& user, const std::string& name, ir::Tensor tensor) {
    ir::Graph& graph = *user.graph();
    ir::NodeSpec spec;
    spec.op = "Constant";
    spec.name = name;
    const std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
    const ir::Type* type = context_.model().Intern(ir::Type::Tensor(tensor.element_type(), dims));
    spec.attributes = {{"value", std::move(tensor)}};
    ir::Node& node = rewriter_.CreateNode(graph, graph.first_node(), std::move(spec));
    rewriter_.SetType(*node.output(), type);
    return node.output();
  }

  ir::Value* Insert(ir::Node& before, std::string op, std::string name,
                    std::vector<ir::Value*> inputs, const ir::Type* type) {
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.name = std::move(name);
    spec.inputs = std::move(inputs);
    ir::Node& node = rewriter_.CreateNode(*before.graph(), &before, std::move(spec));
    rewriter_.SetType(*node.output(), type);
    return node.output();
  }

  // `like` has the shape.
  ir::Value* Cast(ir::Node& before, std::string name, ir::Value* x, const ir::Type& like,
                  ir::ElementType to) {
    x = Insert(before, "Cast", std::move(name), {x}, As(like, to));
    rewriter_.SetAttribute(*x->producer(), "to", static_cast<int64_t>(to));
    return x;
  }

  // The type with another element type; unknown stays unknown.
  const ir::Type* As(const ir::Type& type, ir::ElementType element) {
    if (!type.is_tensor()) return context_.model().unknown_type();
    return context_.model().Intern(ir::Type::Tensor(element, type.shape));
  }

  void ReplaceQuant(ir::Node& node) {
    const std::string prefix = std::string(node.name_text()) + ".fakequant";
    const float scale = node.FloatAttribute("scale", 1.0f);
    const float offset_value = node.FloatAttribute("offset", 0.0f);
    const std::string type_name = node.StringAttribute("dst_type", "INT8");
    const int bits = type_name == "INT16" ? 16 : type_name == "INT4" ? 4 : 8;
    ir::Value* x = node.input(0);
    const ir::Type* type = As(x->type(), ir::ElementType::kFloat32);
    const bool half = x->type().is_tensor() && x->type().element == ir::ElementType::kFloat16;

    const ir::Rewriter::OriginScope origin(rewriter_, node);
    ir::Value* scale_constant = Constant(node, prefix + ".scale", ir::Tensor::Scalar(scale));
    ir::Value* offset = Constant(node, prefix + ".offset", ir::Tensor::Scalar(offset_value));
    ir::Value* min = Constant(node, prefix + ".min_val",
                              ir::Tensor::Scalar(static_cast<float>(quant::MinQuantized(bits))));
    ir::Value* max = Constant(node, prefix + ".max_val",
                              ir::Tensor::Scalar(static_cast<float>(quant::MaxQuantized(bits))));
    if (half || IsHalfLayer(node)) {
      x = Cast(node, prefix + ".cast", x, x->type(), ir::ElementType::kFloat32);
    }
    x = Insert(node, "Mul", prefix + ".mul", {x, scale_constant}, type);
    x = Insert(node, "Round", prefix + ".round", {x}, type);
    x = Insert(node, "Add", prefix + ".add", {x, offset}, type);
    x = Insert(node, "Clip", prefix + ".clip", {x, min, max}, type);
    x = Insert(node, "Sub", prefix + ".sub", {x, offset}, type);
    rewriter_.ReplaceNode(node, *x);
    context_.Count("quant");
  }

  // The offset went with the AscendQuant before it.
  void ReplaceAntiQuant(ir::Node& node) {
    const std::string prefix = std::string(node.name_text()) + ".fake_antiquant";
    const ir::Rewriter::OriginScope origin(rewriter_, node);
    ir::Value* scale =
        Constant(node, prefix + ".scale", ir::Tensor::Scalar(node.FloatAttribute("scale", 1.0f)));
    const ir::Type& type = node.output()->type();
    ir::Value* x = Insert(node, "Mul", prefix + ".mul", {node.input(0), scale},
                          As(type, ir::ElementType::kFloat32));
    if (IsHalfLayer(node)) {
      x = Cast(node, prefix + ".cast", x, type, ir::ElementType::kFloat16);
    }
    rewriter_.ReplaceNode(node, *x);
    context_.Count("antiquant");
  }

  // Some layer behind the node is marked as float16; it may stand behind the Pad of a pool, or
  // behind AscendAntiQuant.
  static bool IsHalfLayer(const ir::Node& quant) {
    for (const ir::Use& use : quant.output()->uses()) {
      const ir::Node& user = *use.user();
      if (user.StringAttribute("op_data_type", "") == "float16") return true;
      if ((user.Is("Pad") || user.Is("AscendAntiQuant")) && IsHalfLayer(user)) return true;
    }
    return false;
  }

  // Scales broadcast over the result: [1, n, 1, ...] behind convolutions, else [1, n]; [n] for a
  // vector, which would become a matrix.
  static std::vector<int64_t> ScaleDims(const ir::Node& producer, int64_t count) {
    const ir::Node& layer = LayerBehind(producer);
    if (layer.Is("MatMul") && layer.input(0)->type().rank() == 1 &&
        layer.input(1)->ConstantTensor().rank() == 2) {
      return {count};
    }
    std::vector<int64_t> dims = {1, count};
    if (producer.Is("Conv") || producer.Is("ConvTranspose")) {
      dims.resize(static_cast<size_t>(producer.input(1)->ConstantTensor().rank()), 1);
    }
    return dims;
  }

  // What the shift leaves of the sums; the operator clips all channels when one is shifted.
  ir::Value* Shift(ir::Node& node, const std::string& prefix, ir::Value* sums, ir::Tensor factors,
                   const ir::Type* type) {
    constexpr float kLowest = std::numeric_limits<int16_t>::min();
    constexpr float kHighest = std::numeric_limits<int16_t>::max();
    ir::Value* factor = Constant(node, prefix + ".shift_scale", std::move(factors));
    ir::Value* min = Constant(node, prefix + ".min_val", ir::Tensor::Scalar(kLowest));
    ir::Value* max = Constant(node, prefix + ".max_val", ir::Tensor::Scalar(kHighest));
    sums = Insert(node, "Mul", prefix + ".shift", {sums, factor}, type);
    sums = Insert(node, "Floor", prefix + ".floor", {sums}, type);
    return Insert(node, "Clip", prefix + ".clip", {sums, min, max}, type);
  }

  Status ReplaceDequant(ir::Node& node) {
    ir::Value* accumulator = node.input(0);
    const ir::Tensor param =
        node.input(1) == nullptr ? ir::Tensor() : node.input(1)->ConstantTensor();
    if (!param || accumulator->producer() == nullptr) {
      return WithContext(InvalidInput("AscendDequant without a constant parameter"),
                         ErrorContext::kNode, node.display_name());
    }
    LATHE_ASSIGN_OR_RETURN(const std::vector<uint64_t> words, param.Values<uint64_t>());
    std::vector<float> scales;
    std::vector<float> shifts;
    bool shifted = false;
    for (const uint64_t word : words) {
      const quant::DequantParam decoded = quant::DecodeDequantWord(word);
      scales.push_back(std::ldexp(decoded.deq_scale, decoded.shift));
      shifts.push_back(std::ldexp(1.0f, -decoded.shift));
      shifted |= decoded.shift != 0;
    }

    ir::Node& producer = *accumulator->producer();
    const ir::Node& layer = LayerBehind(producer);
    const bool half = layer.StringAttribute("op_data_type", "") == "float16";
    const ir::Rewriter::OriginScope origin(rewriter_, node);
    const std::string prefix = LayerName(layer) + ".fakedequant";
    const ir::Type* type = As(node.output()->type(), ir::ElementType::kFloat32);
    const std::vector<int64_t> dims = ScaleDims(producer, static_cast<int64_t>(scales.size()));
    ir::Value* sums = accumulator;
    if (shifted) sums = Shift(node, prefix, sums, ir::Tensor::Of(dims, shifts), type);
    ir::Value* scale = Constant(node, prefix + ".dqscale", ir::Tensor::Of(dims, scales));
    ir::Value* result = Insert(node, "Mul", prefix + ".mul", {sums, scale}, type);
    if (half) {
      result = Cast(node, prefix + ".cast", result, *type, ir::ElementType::kFloat16);
    }
    rewriter_.SetType(*accumulator, type);
    ir::Value& param_value = *node.input(1);
    rewriter_.ReplaceNode(node, *result);
    EraseIfUnused(rewriter_, param_value);
    context_.Count("dequant");
    return OkStatus();
  }

  // The layer whose result is dequantised: the producer, or the MatMul before its bias Add.
  static const ir::Node& LayerBehind(const ir::Node& producer) {
    if (producer.Is("Add") && producer.input(0) != nullptr) {
      const ir::Node* matmul = producer.input(0)->producer();
      if (matmul != nullptr && matmul->Is("MatMul")) return *matmul;
    }
    return producer;
  }

  PassContext& context_;
  ir::Rewriter& rewriter_;
};

StatusOr<bool> Run(PassContext& context) {
  const int64_t opset = context.model().OpsetVersion("");
  if (opset < 11)
    return InvalidInput("the simulation graph needs opset 11, the model has {}", opset);
  return Lowering(context).Run();
}

}  // namespace

const PassDescriptor& LowerToFakeQuantPass() {
  static const PassDescriptor kPass = {
      .name = "lower-to-fake-quant",
      .summary = "Rewrite a lowered graph in standard operators, for simulation",
      .description = kDescription,
      .options = {},
      .statistics = {{"quant", "AscendQuant nodes rewritten"},
                     {"dequant", "AscendDequant nodes rewritten"},
                     {"antiquant", "AscendAntiQuant nodes rewritten"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {facts::kFakeQuantLowered},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
