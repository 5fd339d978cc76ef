#include "lathe/passes/lowering/lower_recurrent.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/pack_int4.h"
#include "lathe/passes/lowering/recurrent_factors.h"
#include "lathe/passes/lowering/split_directions.h"
#include "lathe/quant/affine.h"
#include "lathe/quant/dequant_word.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Replaces each marked LSTM and GRU, whose weights are integers by now, by the accelerator's operator, which
quantises its input and hidden state itself (the reference's 5.8):

    LSTM(%x, %w, %r, %b, %lens, %h, %c)
        ->  BasicLSTMInplaceFillWindowCache(%x, %w, %r, %h, %c, %b, %lens, -, %param)
    GRU(%x, %w, %r, %b, %lens, %h)
        ->  BasicGRUInplaceFillWindowCache(%x, %w, %r, %h, %b, %lens, -, %param)

under the same name, with the same outputs; those that the layer lacks are added, and so are zeros in place of
an initial state that it lacks. The operator runs forward only, so a reverse layer runs forward on its steps
turned around (Slice with step -1; with sequence_lens ReverseSequence) as `<layer>.reverse`, and its results are
turned back; a bidirectional layer becomes two, `<layer>.forward` and `<layer>.reverse`, whose results are joined. `<layer>.dequant.param` holds the words of scale_w[c] * scale_d,
then those of scale_r[c] * scale_h; attributes that the float operator leaves out are written with their
defaults, and quant_scale_x, quant_offset_x, quant_scale_h, quant_offset_h and quant_dtype (2 int8, 6 int16)
say how x and h are quantised. 4-bit weights are packed as lower-to-deploy packs those of other layers.
)";

ir::Tensor DequantParam(const RecurrentFactors& factors) {
  const bool truncate = factors.layer.record->fakequant_precision_mode == "FORCE_FP16_QUANT";
  std::vector<uint64_t> words;
  for (const std::vector<float>& scales : {factors.InputScales(), factors.HiddenScales()}) {
    for (const float scale : scales) {
      words.push_back(quant::EncodeDequantWord(
          {.deq_scale = truncate ? quant::TruncateDequantScale(scale) : scale}));
    }
  }
  ir::TensorNotes notes;
  notes.typed_field = true;  // uint64_data, where the reference writes it
  return ir::Tensor::Of({static_cast<int64_t>(words.size())}, words).WithNotes(std::move(notes));
}

// The share of one direction in weight factors.
template <typename T>
std::vector<T> Share(const std::vector<T>& values, size_t direction, size_t directions) {
  const auto count = static_cast<std::ptrdiff_t>(values.size() / directions);
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(direction) * count;
  return {begin, begin + count};
}

// [1, batch, hidden] of zeros.
ir::Value* ZeroState(ir::Rewriter& rewriter, const QuantLayer& layer, const std::string& name) {
  ir::Node& node = *layer.node;
  ir::Graph& graph = *node.graph();
  const auto element = node.StringAttribute("op_data_type", "") == "float16"
                           ? ir::ElementType::kFloat16
                           : ir::ElementType::kFloat32;
  const int64_t hidden = layer.channels / (node.Is("LSTM") ? 4 : 3);
  const auto& shape = layer.activation->value()->type().shape;
  if (shape && shape->size() == 3 && (*shape)[1].is_known()) {
    const std::array<int64_t, 3> dims = {1, (*shape)[1].extent(), hidden};
    const std::vector<float> zeros(static_cast<size_t>(dims[1] * hidden), 0.0f);
    return &rewriter.CreateInitializer(graph, name, FloatTensor(element, dims, zeros));
  }
  const auto constant = [&](const std::string& suffix, int64_t value) {
    return &rewriter.CreateInitializer(graph, name + suffix,
                                       ir::Tensor::Of({1}, std::vector<int64_t>{value}));
  };
  const auto insert = [&](std::string op, const std::string& suffix, std::vector<ir::Value*> inputs,
                          std::vector<std::pair<std::string, ir::PlainAttribute>> attributes) {
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.name = name + suffix;
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    return rewriter.CreateNode(graph, &node, std::move(spec)).output();
  };
  ir::Value* sizes = insert("Shape", ".sizes", {layer.activation->value()}, {});
  ir::Value* batch =
      insert("Gather", ".batch", {sizes, constant(".axis", 1)}, {{"axis", int64_t{0}}});
  ir::Value* dims =
      insert("Concat", ".dims", {constant(".one", 1), batch, constant(".hidden", hidden)},
             {{"axis", int64_t{0}}});
  const std::array<float, 1> zero = {0.0f};
  return insert("ConstantOfShape", "", {dims},
                {{"value", FloatTensor(element, std::array{int64_t{1}}, zero)}});
}

// What the float operator leaves out.
void SetDefaults(ir::Rewriter& rewriter, ir::Node& node, bool lstm) {
  const auto set = [&](std::string_view name, ir::AttributeValue value) {
    if (node.FindAttribute(name) == nullptr) rewriter.SetAttribute(node, name, std::move(value));
  };
  set("activation_alpha", std::vector<float>());
  set("activation_beta", std::vector<float>());
  // Where they are written out they are the usual ones.
  rewriter.SetAttribute(node, "activations", std::vector<std::string>());
  set("clip", -1.0f);
  set("direction", std::string("forward"));
  if (lstm) {
    set("input_forget", int64_t{0});
  } else {
    // ONNX's default; the accelerator's is 1.
    set("linear_before_reset", int64_t{0});
  }
}

void Lower(ir::Rewriter& rewriter, const QuantLayer& layer, const RecurrentFactors& factors) {
  ir::Node& node = *layer.node;
  const bool lstm = node.Is("LSTM");
  const ir::Rewriter::OriginScope origin(rewriter, node);
  ir::Value& param = rewriter.CreateInitializer(*node.graph(), layer.name + ".dequant.param",
                                                DequantParam(factors));
  const auto state = [&](size_t operand, const std::string& name) {
    ir::Value* value = node.input(operand);
    return value != nullptr ? value : ZeroState(rewriter, layer, layer.name + name);
  };
  std::vector<ir::Value*> inputs = {node.input(0), node.input(1), node.input(2),
                                    state(5, ".initial_h")};
  if (lstm) inputs.push_back(state(6, ".initial_c"));
  inputs.insert(inputs.end(), {node.input(3), node.input(4), nullptr, &param});
  // Marks belong to the operands of the float operator.
  for (ir::Use& use : node.inputs()) rewriter.SetAnnotation(use, {});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i < node.num_inputs()) {
      rewriter.SetInput(node, i, inputs[i]);
    } else {
      rewriter.AddInput(node, inputs[i]);
    }
  }
  while (node.num_outputs() < (lstm ? 3u : 2u)) {
    const std::string name = fmt::format("{}.output{}", layer.name, node.num_outputs());
    rewriter.AddOutput(node, rewriter.model().UniqueValueName(name),
                       rewriter.model().unknown_type());
  }
  rewriter.SetOperator(
      node, lstm ? "BasicLSTMInplaceFillWindowCache" : "BasicGRUInplaceFillWindowCache", "");
  if (node.FindAttribute("hidden_size") == nullptr) {
    rewriter.SetAttribute(node, "hidden_size", layer.channels / (lstm ? 4 : 3));
  }
  // Batch-first data was refused: the operator knows no other layout than 0.
  rewriter.RemoveAttribute(node, "layout");
  SetDefaults(rewriter, node, lstm);
  rewriter.SetAttribute(node, "quant_sqrt_mode_x", int64_t{0});
  rewriter.SetAttribute(node, "quant_sqrt_mode_h", int64_t{0});
  rewriter.SetAttribute(node, "quant_scale_x", quant::Reciprocal(factors.layer.scale_d));
  rewriter.SetAttribute(node, "quant_offset_x", static_cast<float>(factors.layer.offset_d));
  rewriter.SetAttribute(node, "quant_scale_h", quant::Reciprocal(factors.scale_h));
  rewriter.SetAttribute(node, "quant_offset_h", static_cast<float>(factors.offset_h));
  rewriter.SetAttribute(node, "quant_dtype", int64_t{factors.layer.bits.activation == 16 ? 6 : 2});
}

// 4-bit weights in pairs along the input features of W and the hidden ones of R.
Status PackWeights(ir::Rewriter& rewriter, const QuantLayer& layer) {
  for (const ir::Use* weight : {layer.weight, layer.recurrence}) {
    LATHE_ASSIGN_OR_RETURN(ir::Tensor packed, PackInt4(weight->value()->ConstantTensor(), 2));
    SetConstantInput(rewriter, *layer.node, weight->index(), std::move(packed));
  }
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (!layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(const RecurrentFactors factors, RecurrentFactorsOf(*record, layer.name));
    if (factors.layer.bits.activation == 4) {
      return WithContext(
          InvalidInput("the accelerator has no {} with 4-bit activations", layer.node->op_text()),
          ErrorContext::kNode, layer.name);
    }
    if (factors.layer.bits.weight == 4) {
      const Status status = PackWeights(context.rewriter(), layer);
      if (!status.ok()) return WithContext(status, ErrorContext::kNode, layer.name);
    }
    LATHE_ASSIGN_OR_RETURN(const std::vector<QuantLayer> parts,
                           SplitDirections(context.rewriter(), layer));
    for (size_t d = 0; d < parts.size(); ++d) {
      quant::LayerRecord share = *factors.layer.record;
      share.scale_w = Share(share.scale_w, d, parts.size());
      share.scale_r = Share(share.scale_r, d, parts.size());
      RecurrentFactors own = factors;
      own.layer.record = &share;
      Lower(context.rewriter(), parts[d], own);
    }
    context.Count("lowered");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& LowerRecurrentPass() {
  static const PassDescriptor kPass = {
      .name = "lower-recurrent",
      .summary = "Replace marked LSTM and GRU layers by the accelerator's operators",
      .description = kDescription,
      .options = {},
      .statistics = {{"lowered", "LSTM and GRU nodes replaced"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
