#include "lathe/quant/config/kv_config.h"

#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {

Status CheckKvConfig(const KvConfig& config) {
  LATHE_RETURN_IF_ERROR(CheckBatchNum(config.batch_num));
  if (config.layers.empty()) return InvalidInput("no layer is named: nothing is left to do");
  std::vector<std::string> names;
  names.reserve(config.layers.size());
  for (const KvLayerConfig& layer : config.layers) names.push_back(layer.name);
  LATHE_RETURN_IF_ERROR(CheckUnique("quant_layers", names));
  for (const KvLayerConfig& layer : config.layers) {
    LATHE_RETURN_IF_ERROR(
        CheckActivationValues(fmt::format("layer {}", Quoted(layer.name)), layer.activation));
  }
  return OkStatus();
}

}  // namespace lathe::quant
