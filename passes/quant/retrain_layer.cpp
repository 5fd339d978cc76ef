#include "lathe/passes/quant/retrain_layer.h"

#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

ir::Node* BatchNormBehind(const QuantLayer& layer) {
  if (!layer.node->Is("Conv") || !layer.node->output()->has_one_use()) return nullptr;
  const ir::Use& use = *layer.node->output()->first_use();
  ir::Node* node = use.user();
  if (node->is_return() || !node->Is("BatchNormalization") || use.index() != 0 ||
      node->num_inputs() != 5 || node->IntAttribute("training_mode", 0) != 0) {
    return nullptr;
  }
  for (size_t i = 1; i < 5; ++i) {
    if (node->input(i) == nullptr || !node->input(i)->ConstantTensor()) return nullptr;
  }
  return node;
}

bool ComesFromRelu(const ir::Value& value) {
  const ir::Node* producer = value.producer();
  return producer != nullptr && producer->Is("Relu");
}

bool SameConfiguration(quant::RetrainLayerSettings a, const quant::RetrainLayerSettings& b) {
  a.name = b.name;
  a.type = b.type;
  return a == b;
}

// Why an LSTM or GRU cannot be trained, as a clause; empty: it can. (The reference refuses the
// same: in its configuration, or when the network runs.)
std::string WhyNotTrained(const QuantLayer& layer) {
  if (!layer.on_request.empty()) return layer.on_request;
  const ir::Type& input = layer.activation->value()->type();
  if (input.rank() < 1 || !(*input.shape)[0].is_known() || (*input.shape)[0].extent() == 1)
    return "";
  return fmt::format("it runs over {} time steps, 1 can be trained", (*input.shape)[0].extent());
}

}  // namespace

StatusOr<std::vector<RetrainLayer>> FindRetrainLayers(const ir::Model& model,
                                                      const quant::RetrainSettings& settings) {
  const LayerScan scan = ScanLayers(model);
  absl::flat_hash_map<std::string_view, const QuantLayer*> by_name;
  for (const QuantLayer& layer : scan.layers) by_name.emplace(layer.name, &layer);
  std::vector<RetrainLayer> result;
  absl::flat_hash_map<const ir::Value*, std::vector<size_t>> by_input;
  for (const quant::RetrainLayerSettings& wanted : settings.layers) {
    const auto found = by_name.find(wanted.name);
    if (found == by_name.end()) {
      return InvalidInput("the model has no layer {} to train", Quoted(wanted.name));
    }
    RetrainLayer layer{*found->second, wanted, BatchNormBehind(*found->second)};
    // Captures of one value by two bodies stay apart: neither sees what the other computes of it.
    const ir::Value* input = layer.layer.activation->value();
    layer.fixed_min = wanted.fixed_min.value_or(ComesFromRelu(*input->Resolve()));
    layer.clips_of = result.size();
    if (layer.layer.is_recurrent()) {
      if (const std::string reason = WhyNotTrained(layer.layer); !reason.empty()) {
        return WithContext(Unsupported("layer {}: {} cannot be trained: {}", Quoted(wanted.name),
                                       ToString(layer.layer.type), reason),
                           ErrorContext::kHint, "set its retrain_enable to false");
      }
      layer.hidden_fixed_min =
          wanted.fixed_min.value_or(ComesFromRelu(*layer.layer.hidden->value()->Resolve()));
      result.push_back(std::move(layer));
      continue;
    }
    std::vector<size_t>& same_input = by_input[input];
    for (const size_t other : same_input) {
      if (SameConfiguration(result[other].settings, wanted)) {
        layer.clips_of = result[other].clips_of;
        break;
      }
    }
    same_input.push_back(result.size());
    result.push_back(std::move(layer));
  }
  return result;
}

}  // namespace lathe::passes
