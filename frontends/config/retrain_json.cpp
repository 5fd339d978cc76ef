#include "lathe/frontends/config/retrain_json.h"

#include <array>
#include <utility>

#include "lathe/frontends/config/internal/json_fields.h"
#include "lathe/quant/config/retrain_rules.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

using quant::RetrainConfig;
using quant::RetrainDataConfig;
using quant::RetrainLayerConfig;
using quant::RetrainWeightConfig;

constexpr std::array<std::string_view, 3> kLayerKeys = {"retrain_enable", "retrain_data_config",
                                                        "retrain_weight_config"};
constexpr std::array<std::string_view, 5> kDataKeys = {"algo", "clip_max", "clip_min", "fixed_min",
                                                       "dst_type"};
constexpr std::array<std::string_view, 3> kWeightKeys = {"algo", "channel_wise", "dst_type"};

// dst_type: INT4, INT8 or INT16; which of them fit is said with the other rules.
Status TakeBits(const JsonFields& fields, int64_t& bits) {
  std::string type = "INT8";
  LATHE_RETURN_IF_ERROR(fields.Take("dst_type", type));
  for (const int64_t known : {4, 8, 16}) {
    if (type == fmt::format("INT{}", known)) {
      bits = known;
      return OkStatus();
    }
  }
  return InvalidInput("{}: dst_type is {}, allowed are INT4, INT8, INT16", fields.where(),
                      Quoted(type));
}

StatusOr<RetrainDataConfig> ReadData(const JsonFields& fields) {
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kDataKeys));
  std::string algo = "ulq_quantize";
  LATHE_RETURN_IF_ERROR(fields.Take("algo", algo));
  if (algo != "ulq_quantize") {
    return InvalidInput("{}: algo is {}, allowed is ulq_quantize", fields.where(), Quoted(algo));
  }
  RetrainDataConfig data;
  if (fields.Has("clip_max") != fields.Has("clip_min")) {
    return InvalidInput("{}: {} is there without {}, give both or none", fields.where(),
                        fields.Has("clip_max") ? "clip_max" : "clip_min",
                        fields.Has("clip_max") ? "clip_min" : "clip_max");
  }
  if (fields.Has("clip_max")) {
    quant::ClipRange& clips = data.clips.emplace();
    LATHE_RETURN_IF_ERROR(fields.Take("clip_max", clips.max));
    LATHE_RETURN_IF_ERROR(fields.Take("clip_min", clips.min));
  }
  LATHE_RETURN_IF_ERROR(fields.Take("fixed_min", data.fixed_min));
  LATHE_RETURN_IF_ERROR(TakeBits(fields, data.num_bits));
  LATHE_RETURN_IF_ERROR(quant::CheckRetrainData(fields.where(), data));
  return data;
}

StatusOr<RetrainWeightConfig> ReadWeight(const JsonFields& fields) {
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kWeightKeys));
  RetrainWeightConfig weight;
  LATHE_ASSIGN_OR_RETURN(weight.ulq, TakeSecond(fields, "algo", "arq_retrain", "ulq_retrain"));
  LATHE_RETURN_IF_ERROR(fields.Take("channel_wise", weight.channel_wise));
  LATHE_RETURN_IF_ERROR(TakeBits(fields, weight.num_bits));
  LATHE_RETURN_IF_ERROR(quant::CheckRetrainWeight(fields.where(), weight));
  return weight;
}

StatusOr<RetrainLayerConfig> ReadLayer(const std::string& name, const JsonObject& object) {
  const JsonFields fields(object, fmt::format("layer {}", Quoted(name)));
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kLayerKeys));
  RetrainLayerConfig layer;
  layer.name = name;
  LATHE_RETURN_IF_ERROR(fields.Take("retrain_enable", layer.retrain_enable));
  LATHE_ASSIGN_OR_RETURN(const auto data, fields.TakeObject("retrain_data_config"));
  if (data.has_value()) {
    LATHE_ASSIGN_OR_RETURN(layer.data, ReadData(*data));
  }
  LATHE_ASSIGN_OR_RETURN(const auto weight, fields.TakeObject("retrain_weight_config"));
  if (weight.has_value()) {
    LATHE_ASSIGN_OR_RETURN(layer.weight, ReadWeight(*weight));
  }
  LATHE_RETURN_IF_ERROR(
      quant::CheckRetrainPair(fields.where(), layer.data.num_bits, layer.weight.num_bits));
  return layer;
}

Status ReadGlobals(const JsonFields& fields, RetrainConfig& config) {
  for (const std::string_view key : {"version", "batch_num"}) {
    if (!fields.Has(key)) return InvalidInput("{} is missing", key);
  }
  LATHE_RETURN_IF_ERROR(TakeVersion(fields, config.version));
  LATHE_ASSIGN_OR_RETURN(config.force_fp16_quant, TakeSecond(fields, "fakequant_precision_mode",
                                                             "DEFAULT", "FORCE_FP16_QUANT"));
  LATHE_RETURN_IF_ERROR(fields.Take("batch_num", config.batch_num));
  return quant::CheckBatchNum(config.batch_num);
}

}  // namespace

StatusOr<RetrainConfig> ParseRetrainJson(std::string_view text) {
  LATHE_ASSIGN_OR_RETURN(const JsonObject document, ParseConfigDocument(text));
  RetrainConfig config;
  LATHE_RETURN_IF_ERROR(ReadGlobals(JsonFields(document, ""), config));
  for (const auto& [name, value] : document) {
    if (quant::IsRetrainGlobalKey(name)) continue;
    LATHE_ASSIGN_OR_RETURN(const JsonObject* object,
                           LayerObject(name, value, quant::RetrainGlobalKeys()));
    LATHE_ASSIGN_OR_RETURN(RetrainLayerConfig layer, ReadLayer(name, *object));
    config.layers.push_back(std::move(layer));
  }
  return config;
}

}  // namespace lathe::frontends
