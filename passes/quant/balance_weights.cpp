#include "lathe/passes/quant/balance_weights.h"

#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/balance.h"
#include "lathe/quant/config/record.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Multiplies the weight of each layer that has balance factors in the record by them, input channel by input
channel (the reference's 4.1, step 2):

    %y = Conv(%x, %w)        %y = Conv(%x, %w'),  w'[o, c, ...] = w[o, c, ...] * factor[c]

The network computes something else until insert-balance divides the activations; a modified model is in this
state. Running it twice multiplies twice.
)";

Status Balance(ir::Rewriter& rewriter, const QuantLayer& layer, std::span<const float> factors) {
  const ir::Tensor tensor = layer.weight->value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, tensor.ValuesAsFloat());
  LATHE_RETURN_IF_ERROR(quant::MultiplyChannels(values, layer.InputLayout(), factors));
  SetConstantInput(rewriter, *layer.node, layer.weight->index(),
                   FloatTensor(tensor.element_type(), tensor.dims(), values));
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : ScanLayers(context.model()).layers) {
    const quant::LayerRecord* entry = record->Find(layer.name);
    if (layer.weight == nullptr || entry == nullptr) continue;
    if (entry->tensor_balance_factor.empty()) continue;
    Status status = Balance(context.rewriter(), layer, entry->tensor_balance_factor);
    if (!status.ok()) return WithContext(std::move(status), ErrorContext::kNode, layer.name);
    context.Count("balanced");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& BalanceWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "balance-weights",
      .summary = "Multiply weights by the balance factors of the record",
      .description = kDescription,
      .options = {},
      .statistics = {{"balanced", "weights multiplied"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
