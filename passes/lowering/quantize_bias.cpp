#include "lathe/passes/lowering/quantize_bias.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/recurrent_factors.h"
#include "lathe/quant/bias.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Replaces the bias of each marked layer by its integers in the accumulator's scale:

    b[c]  ->  int32(round(b[c] / (scale_w[c] * scale_d)))

in float32 (the reference's 5.4). This is done once, before the deploy and the simulation graph part, so both
hold the same integers. A value outside int32 is an error that names the channel; nothing is clipped. With
4-bit activations the bias reaches the layer through a Cast to float called `<layer>.bias_quant`. Of LSTM and
GRU the first half (of each direction) is divided by scale_w[c] * scale_d, the second by scale_r[c] * scale_h.
)";

// The first half of an LSTM's or GRU's bias is added to what W computes, the second to what R does.
StatusOr<std::vector<int32_t>> QuantizeHalves(const QuantLayer& layer, const quant::Record& record,
                                              std::span<const float> bias) {
  LATHE_ASSIGN_OR_RETURN(const RecurrentFactors factors, RecurrentFactorsOf(record, layer.name));
  const quant::LayerRecord& entry = *factors.layer.record;
  const auto rows = static_cast<size_t>(layer.channels / layer.directions);
  const std::vector<float> scales = PerBias(layer, entry.scale_w, entry.scale_r);
  std::vector<int32_t> integers;
  for (size_t from = 0; from < bias.size(); from += rows) {
    const bool hidden = from / rows % 2 == 1;
    LATHE_ASSIGN_OR_RETURN(
        const std::vector<int32_t> half,
        quant::QuantizeBias(bias.subspan(from, rows), std::span(scales).subspan(from, rows),
                            hidden ? factors.scale_h : factors.layer.scale_d));
    integers.insert(integers.end(), half.begin(), half.end());
  }
  return integers;
}

StatusOr<ir::Tensor> Quantize(const QuantLayer& layer, const quant::Record& record,
                              const LayerFactors& factors) {
  const ir::Tensor tensor = layer.bias->value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> bias, tensor.ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<int32_t> integers,
                         layer.is_recurrent()
                             ? QuantizeHalves(layer, record, bias)
                             : quant::QuantizeBias(bias, factors.record->scale_w, factors.scale_d));
  ir::TensorNotes notes;
  notes.typed_field = true;  // int32_data, where the reference writes it
  return ir::Tensor::Of({tensor.dims().begin(), tensor.dims().end()}, integers)
      .WithNotes(std::move(notes));
}

void InsertCast(ir::Rewriter& rewriter, const QuantLayer& layer) {
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  ir::Node* user = layer.bias->user();
  ir::NodeSpec spec;
  spec.op = "Cast";
  spec.name = layer.name + ".bias_quant";
  spec.inputs = {layer.bias->value()};
  spec.attributes = {{"to", static_cast<int64_t>(ir::ElementType::kFloat32)}};
  ir::Node& cast = rewriter.CreateNode(*user->graph(), user, std::move(spec));
  rewriter.ReplaceUse(*layer.bias, cast.output());
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (layer.bias == nullptr) continue;
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    StatusOr<ir::Tensor> quantized = Quantize(layer, *record, factors);
    if (!quantized.ok()) return WithContext(quantized.status(), ErrorContext::kNode, layer.name);
    SetConstantInput(context.rewriter(), *layer.bias->user(), layer.bias->index(),
                     *std::move(quantized));
    if (factors.bits.activation == 4 && !layer.is_recurrent())
      InsertCast(context.rewriter(), layer);
    context.Count("quantized");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& QuantizeBiasPass() {
  static const PassDescriptor kPass = {
      .name = "quantize-bias",
      .summary = "Make the biases of marked layers int32",
      .description = kDescription,
      .options = {},
      .statistics = {{"quantized", "biases quantised"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
