#include "lathe/passes/lowering/quantize_weights.h"

#include <cstring>

#include "lathe/ir/float_values.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/quant/arq.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Replaces the weight of each marked layer by its integers:

    w  ->  clamp(round(w / scale_w[c]))        int8, also for 4, 6 and 7 bits

with the scales of the record, per channel or per tensor (the reference's 5.3); W and R of LSTM and GRU each
with their own, per channel or per gate. A weight that others use as well is copied first; the others keep the
real values.
)";

Status Quantize(ir::Rewriter& rewriter, const QuantLayer& layer, const ir::Use& weight,
                const std::vector<float>& scales, int bits) {
  const ir::Tensor tensor = weight.value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(const ir::FloatValues values, ir::FloatValues::Of(tensor));
  const quant::WeightLayout layout = layer.Layout(weight, scales.size());
  std::vector<std::byte> bytes(values.span().size());
  const std::span<int8_t> quantized(reinterpret_cast<int8_t*>(bytes.data()), bytes.size());
  LATHE_RETURN_IF_ERROR(quant::QuantizeWeights(values.span(), layout, scales, bits, quantized));
  LATHE_ASSIGN_OR_RETURN(
      ir::Tensor integers,
      ir::Tensor::FromVector(ir::ElementType::kInt8, {tensor.dims().begin(), tensor.dims().end()},
                             std::move(bytes)));
  SetConstantInput(rewriter, *weight.user(), weight.index(), std::move(integers));
  return OkStatus();
}

Status QuantizeLayer(ir::Rewriter& rewriter, const QuantLayer& layer, const LayerFactors& factors) {
  const int bits = factors.bits.weight;
  LATHE_RETURN_IF_ERROR(Quantize(rewriter, layer, *layer.weight, factors.record->scale_w, bits));
  if (!layer.is_recurrent()) return OkStatus();
  return Quantize(rewriter, layer, *layer.recurrence, factors.record->scale_r, bits);
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (layer.weight == nullptr) continue;
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    const Status status = QuantizeLayer(context.rewriter(), layer, factors);
    if (!status.ok()) return WithContext(status, ErrorContext::kNode, layer.name);
    context.Count("quantized");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& QuantizeWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "quantize-weights",
      .summary = "Make the weights of marked layers integers",
      .description = kDescription,
      .options = {},
      .statistics = {{"quantized", "weights quantised"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
