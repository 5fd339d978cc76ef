#include "lathe/backends/config/retrain_json.h"

#include <set>
#include <string_view>
#include <utility>

#include "lathe/backends/config/internal/json_text.h"
#include "lathe/support/quoted.h"

namespace lathe::backends {
namespace {

void WriteType(int64_t bits, JsonText& out) {
  out.Key("dst_type");
  out.String(fmt::format("INT{}", bits));
}

void WriteData(const quant::RetrainDataConfig& data, JsonText& out) {
  out.Begin('{');
  out.Key("algo");
  out.String("ulq_quantize");
  if (data.clips.has_value()) {
    out.Key("clip_max");
    out.Number(data.clips->max);
    out.Key("clip_min");
    out.Number(data.clips->min);
  }
  if (data.fixed_min.has_value()) {
    out.Key("fixed_min");
    out.Bool(*data.fixed_min);
  }
  WriteType(data.num_bits, out);
  out.End('}');
}

// The two algorithms have their keys in different orders.
void WriteWeight(const quant::RetrainWeightConfig& weight, JsonText& out) {
  out.Begin('{');
  out.Key("algo");
  out.String(weight.ulq ? "ulq_retrain" : "arq_retrain");
  if (weight.ulq) WriteType(weight.num_bits, out);
  if (weight.channel_wise.has_value()) {
    out.Key("channel_wise");
    out.Bool(*weight.channel_wise);
  }
  if (!weight.ulq) WriteType(weight.num_bits, out);
  out.End('}');
}

void WriteLayer(const quant::RetrainLayerConfig& layer, JsonText& out) {
  out.Begin('{');
  out.Key("retrain_enable");
  out.Bool(layer.retrain_enable);
  out.Key("retrain_data_config");
  WriteData(layer.data, out);
  out.Key("retrain_weight_config");
  WriteWeight(layer.weight, out);
  out.End('}');
}

}  // namespace

StatusOr<std::string> WriteRetrainJson(const quant::RetrainConfig& config) {
  std::set<std::string_view> names;
  for (const quant::RetrainLayerConfig& layer : config.layers) {
    if (quant::IsRetrainGlobalKey(layer.name)) {
      return InvalidInput("layer {} has the name of a global key of the configuration: rename it",
                          Quoted(layer.name));
    }
    if (!names.insert(layer.name).second) {
      return InvalidInput("the configuration has two layers named {}", Quoted(layer.name));
    }
  }
  JsonText out;
  out.Begin('{');
  out.Key("version");
  out.Integer(config.version);
  if (config.force_fp16_quant) {
    out.Key("fakequant_precision_mode");
    out.String("FORCE_FP16_QUANT");
  }
  out.Key("batch_num");
  out.Integer(config.batch_num);
  for (const quant::RetrainLayerConfig& layer : config.layers) {
    out.Key(layer.name);
    WriteLayer(layer, out);
  }
  out.End('}');
  return std::move(out).Finish();
}

}  // namespace lathe::backends
