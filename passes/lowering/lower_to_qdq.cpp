#include "lathe/passes/lowering/lower_to_qdq.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/recurrent_factors.h"
#include "lathe/passes/quant/tensor_point.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Writes the factors of marked layers in ONNX's own operators, for runtimes that know nothing of Ascend. Weights
and biases are integers already (quantize-weights, quantize-bias):

    %y = Conv(%x, %w: i8, %b: i32)        %q = QuantizeLinear(%x, scale_d, offset_d)
                                          %x' = DequantizeLinear(%q, scale_d, offset_d)
                                          %w' = DequantizeLinear(%w, scale_w) {axis = 0}
                                          %b' = DequantizeLinear(%b, scale_w * scale_d) {axis = 0}
                                          %y = Conv(%x', %w', %b')

Layers that read one value with equal factors share the first two nodes. Of LSTM and GRU the input, the initial
hidden state and both weights are quantised; the hidden state between steps has no place in the standard form.
A grouped ConvTranspose with a scale a channel and a bidirectional layer get the real values that their integers
stand for, since no axis of their weights counts the channels. Inputs of Add and MaxPool that are quantised on
their own get the first two nodes. Needs opset 13, for 16-bit activations 21. 4-bit activations are an error,
and so is shift_bit.
)";

class Lowering {
 public:
  Lowering(PassContext& context, const quant::Record& record)
      : context_(context), rewriter_(context.rewriter()), record_(record) {}

  Status Lower(const QuantLayer& layer) {
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(record_, layer.name));
    LATHE_RETURN_IF_ERROR(CheckBits(factors.bits.activation));
    if (std::ranges::any_of(factors.record->shift_bit, [](uint32_t bits) { return bits != 0; })) {
      return WithContext(Unsupported("shift_bit has no place in a QDQ model"), ErrorContext::kHint,
                         "calibrate without joint_quant");
    }
    const ir::Rewriter::OriginScope origin(rewriter_, *layer.node);
    half_ = layer.node->StringAttribute("op_data_type", "") == "float16";
    const int bits = factors.bits.activation;
    Activation(*layer.activation, layer.name,
               {factors.scale_d, factors.offset_d, bits, /*shared=*/true});
    if (layer.weight == nullptr) return OkStatus();
    LATHE_RETURN_IF_ERROR(
        Weight(layer, *layer.weight, layer.name + ".weight", factors.record->scale_w));
    if (layer.is_recurrent()) {
      LATHE_ASSIGN_OR_RETURN(const RecurrentFactors recurrent,
                             RecurrentFactorsOf(record_, layer.name));
      if (layer.hidden != nullptr) {
        Activation(*layer.hidden, layer.name + ".hidden",
                   {recurrent.scale_h, recurrent.offset_h, bits, /*shared=*/true});
      }
      LATHE_RETURN_IF_ERROR(
          Weight(layer, *layer.recurrence, layer.name + ".recurrence", factors.record->scale_r));
      return RecurrentBias(layer, recurrent);
    }
    if (layer.bias == nullptr) return OkStatus();
    std::vector<float> scales = factors.record->scale_w;
    for (float& scale : scales) scale *= factors.scale_d;
    const ir::Tensor bias = layer.bias->value()->ConstantTensor();
    // One scale or one a value; a bias of another rank has one.
    Dequantize(*layer.bias, layer.name + ".bias", scales, bias.rank() == 1 ? 0 : -1);
    return OkStatus();
  }

  // An input on its own. Its nodes are not shared: it may come before the layer that would.
  Status Lower(const TensorPoint& point) {
    LATHE_ASSIGN_OR_RETURN(const TensorFactors factors, TensorFactorsOf(record_, point.key));
    LATHE_RETURN_IF_ERROR(CheckBits(8));
    const ir::Rewriter::OriginScope origin(rewriter_, *point.use->user());
    half_ = false;
    Activation(*point.use, point.NodePrefix(), {factors.scale, factors.offset, 8, false});
    return OkStatus();
  }

 private:
  struct Rounding {
    float scale = 1.0f;
    int32_t offset = 0;
    int bits = 8;
    bool shared = true;
  };

  Status CheckBits(int activation_bits) const {
    if (activation_bits == 4) {
      return Unsupported("4-bit activations have no place in a QDQ model");
    }
    const int64_t needed = activation_bits == 16 ? 21 : 13;
    const int64_t opset = context_.model().OpsetVersion("");
    if (opset >= needed) return OkStatus();
    return InvalidInput("{}-bit activations in a QDQ model need opset {}, the model has {}",
                        activation_bits, needed, opset);
  }

  ir::Value* Constant(ir::Graph& graph, const std::string& name, ir::Tensor tensor) {
    return &rewriter_.CreateInitializer(graph, name, std::move(tensor));
  }

  ir::Value* Insert(ir::Node& before, std::string op, std::string name,
                    std::vector<ir::Value*> inputs, ir::ElementType element,
                    std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    const ir::Type& from = inputs[0]->type();
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.name = std::move(name);
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    const ir::Type* type = from.is_tensor()
                               ? context_.model().Intern(ir::Type::Tensor(element, from.shape))
                               : context_.model().unknown_type();
    ir::Node& node = rewriter_.CreateNode(*before.graph(), &before, std::move(spec));
    rewriter_.SetType(*node.output(), type);
    return node.output();
  }

  // Between the float32 that scales are in and the float16 that the layer computes in.
  ir::Value* Cast(ir::Node& before, const std::string& name, ir::Value* value,
                  ir::ElementType element) {
    return Insert(before, "Cast", name, {value}, element, {{"to", static_cast<int64_t>(element)}});
  }

  void Activation(ir::Use& use, const std::string& name, const Rounding& rounding) {
    const auto [scale, offset, bits, may_share] = rounding;
    ir::Value* x = use.value();
    ir::Node& user = *use.user();
    const Key key = {x->Resolve(), user.graph(), std::bit_cast<uint32_t>(scale), offset, bits};
    ir::Value* own = nullptr;
    ir::Value*& shared = may_share ? quantized_[key] : own;
    // The first in the list's order stands before all others.
    if (shared == nullptr) {
      const auto type = bits == 16 ? ir::ElementType::kInt16 : ir::ElementType::kInt8;
      ir::Graph& graph = *user.graph();
      ir::Value* step = Constant(graph, name + ".scale", ir::Tensor::Scalar(scale));
      ir::Value* zero = Constant(graph, name + ".zero_point",
                                 bits == 16 ? ir::Tensor::Scalar(static_cast<int16_t>(offset))
                                            : ir::Tensor::Scalar(static_cast<int8_t>(offset)));
      const auto element = ir::ElementType::kFloat32;
      if (half_) x = Cast(user, name + ".cast", x, element);
      x = Insert(user, "QuantizeLinear", name + ".quantize", {x, step, zero}, type);
      x = Insert(user, "DequantizeLinear", name + ".dequantize", {x, step, zero}, element);
      if (half_) x = Cast(user, name + ".half", x, ir::ElementType::kFloat16);
      shared = x;
      context_.Count("activations");
    }
    rewriter_.ReplaceUse(use, shared);
  }

  // A constant of integers becomes the reals they stand for; `axis` counts the scales, where there
  // are several.
  void Dequantize(ir::Use& use, const std::string& name, const std::vector<float>& scales,
                  int64_t axis) {
    ir::Node& user = *use.user();
    std::vector<int64_t> dims;
    if (scales.size() > 1) dims = {static_cast<int64_t>(scales.size())};
    ir::Value* step = Constant(*user.graph(), name + ".scale", ir::Tensor::Of(dims, scales));
    std::vector<std::pair<std::string, ir::PlainAttribute>> attributes;
    if (scales.size() > 1) attributes = {{"axis", axis}};
    ir::Value* x = Insert(user, "DequantizeLinear", name + ".dequantize", {use.value(), step},
                          ir::ElementType::kFloat32, std::move(attributes));
    if (half_) x = Cast(user, name + ".half", x, ir::ElementType::kFloat16);
    rewriter_.ReplaceUse(use, x);
    context_.Count("constants");
  }

  // The real values in place of integers.
  Status ToReals(const QuantLayer& layer, ir::Use& use, const std::vector<float>& scales) {
    const ir::Tensor tensor = use.value()->ConstantTensor();
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> integers, tensor.ValuesAsInt64());
    std::vector<float> values(integers.begin(), integers.end());
    quant::ForEachRun(layer.Layout(use, scales.size()),
                      [&](size_t channel, size_t begin, size_t length) {
                        for (float& value : std::span(values).subspan(begin, length)) {
                          value *= scales[channel];
                        }
                      });
    const auto element = half_ ? ir::ElementType::kFloat16 : ir::ElementType::kFloat32;
    SetConstantInput(rewriter_, *use.user(), use.index(),
                     FloatTensor(element, tensor.dims(), values));
    return OkStatus();
  }

  Status Weight(const QuantLayer& layer, ir::Use& use, const std::string& name,
                const std::vector<float>& scales) {
    const bool transposed = layer.node->Is("ConvTranspose");
    if (transposed && layer.group > 1 && scales.size() > 1) return ToReals(layer, use, scales);
    if (layer.directions > 1) return ToReals(layer, use, scales);
    const bool second = transposed || layer.is_recurrent();
    Dequantize(use, name, layer.is_recurrent() ? PerChannel(scales, layer.channels) : scales,
               second ? 1 : 0);
    return OkStatus();
  }

  // Both halves have scales of their own: the reals that their integers stand for.
  Status RecurrentBias(const QuantLayer& layer, const RecurrentFactors& factors) {
    if (layer.bias == nullptr) return OkStatus();
    const ir::Tensor tensor = layer.bias->value()->ConstantTensor();
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> integers, tensor.ValuesAsInt64());
    const std::vector<float> scales = PerBias(layer, factors.InputScales(), factors.HiddenScales());
    std::vector<float> values(integers.begin(), integers.end());
    for (size_t i = 0; i < values.size(); ++i) values[i] *= scales[i];
    const auto element = half_ ? ir::ElementType::kFloat16 : ir::ElementType::kFloat32;
    SetConstantInput(rewriter_, *layer.bias->user(), layer.bias->index(),
                     FloatTensor(element, tensor.dims(), values));
    return OkStatus();
  }

  using Key = std::tuple<const ir::Value*, const ir::Graph*, uint32_t, int32_t, int>;

  PassContext& context_;
  ir::Rewriter& rewriter_;
  const quant::Record& record_;
  // Only looked up, never walked.
  std::map<Key, ir::Value*> quantized_;
  bool half_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  Lowering lowering(context, *record);
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    Status status = lowering.Lower(layer);
    if (!status.ok()) return WithContext(std::move(status), ErrorContext::kNode, layer.name);
    changed = true;
  }
  for (const TensorPoint& point : MarkedTensors(context.model())) {
    LATHE_RETURN_IF_ERROR(lowering.Lower(point));
    changed = true;
  }
  for (ir::Graph* graph : context.model().AllGraphs()) {
    for (ir::Node& node : graph->nodes()) {
      if (node.FindAttribute("op_data_type") == nullptr) continue;
      context.rewriter().RemoveAttribute(node, "op_data_type");
      changed = true;
    }
  }
  return changed;
}

}  // namespace

const PassDescriptor& LowerToQdqPass() {
  static const PassDescriptor kPass = {
      .name = "lower-to-qdq",
      .summary = "Write the factors of marked layers with QuantizeLinear and DequantizeLinear",
      .description = kDescription,
      .options = {},
      .statistics = {{"activations", "activations quantised"},
                     {"constants", "weights and biases dequantised"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
