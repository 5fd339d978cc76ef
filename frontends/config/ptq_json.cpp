#include "lathe/frontends/config/ptq_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/frontends/config/internal/json_fields.h"
#include "lathe/frontends/config/json_document.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

using quant::ActivationConfig;
using quant::AdaParameters;
using quant::HfmgParameters;
using quant::IfmrParameters;
using quant::PtqConfig;
using quant::PtqLayerConfig;
using quant::TensorQuantizeConfig;
using quant::WeightConfig;

constexpr std::array<std::string_view, 4> kIfmrKeys = {"max_percentile", "min_percentile",
                                                       "search_range", "search_step"};
constexpr std::array<std::string_view, 1> kHfmgKeys = {"num_of_bins"};
constexpr std::array<std::string_view, 8> kActivationKeys = {
    "num_bits",    "max_percentile", "min_percentile", "search_range",
    "search_step", "act_algo",       "asymmetric",     "num_of_bins"};
constexpr std::array<std::string_view, 4> kAdaKeys = {"reg_param", "warm_start", "num_iteration",
                                                      "beta_range"};
constexpr std::array<std::string_view, 7> kWeightKeys = {
    "num_bits",   "reg_param",    "warm_start", "num_iteration",
    "beta_range", "channel_wise", "wts_algo"};
constexpr std::array<std::string_view, 3> kTensorKeys = {"layer_name", "input_index",
                                                         "activation_quant_params"};
constexpr std::array<std::string_view, 4> kLayerKeys = {
    "quant_enable", "dmq_balancer_param", "activation_quant_params", "weight_quant_params"};

std::string_view FirstOf(const Fields& fields, std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (fields.Has(key)) return key;
  }
  return "";
}

// Whether `name`, absent or one of two algorithms, is the second.
StatusOr<bool> IsSecond(const Fields& fields, std::string_view key, std::string_view first,
                        std::string_view second) {
  std::string name(first);
  LATHE_RETURN_IF_ERROR(fields.Take(key, name));
  if (name == first) return false;
  if (name == second) return true;
  return InvalidInput("{}: {} is {}, allowed are {}, {}", fields.where(), key, Quoted(name), first,
                      second);
}

StatusOr<ActivationConfig> ReadActivation(const Fields& fields) {
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kActivationKeys));
  ActivationConfig activation;
  LATHE_RETURN_IF_ERROR(fields.Take("num_bits", activation.num_bits));
  LATHE_RETURN_IF_ERROR(fields.Take("asymmetric", activation.asymmetric));
  const std::string_view ifmr_key = FirstOf(fields, kIfmrKeys);
  const std::string_view hfmg_key = FirstOf(fields, kHfmgKeys);
  if (!ifmr_key.empty() && !hfmg_key.empty()) {
    return InvalidInput("{}: {} belongs to ifmr and {} to hfmg, give only one of them",
                        fields.where(), ifmr_key, hfmg_key);
  }
  LATHE_ASSIGN_OR_RETURN(bool hfmg, IsSecond(fields, "act_algo", "ifmr", "hfmg"));
  if (!fields.Has("act_algo")) hfmg = !hfmg_key.empty();
  const std::string_view foreign = hfmg ? ifmr_key : hfmg_key;
  if (!foreign.empty()) {
    return InvalidInput("{}: {} does not belong to act_algo {}", fields.where(), foreign,
                        hfmg ? "hfmg" : "ifmr");
  }
  if (hfmg) {
    HfmgParameters parameters;
    LATHE_RETURN_IF_ERROR(fields.Take("num_of_bins", parameters.num_of_bins));
    activation.algorithm = parameters;
  } else {
    IfmrParameters parameters;
    LATHE_RETURN_IF_ERROR(fields.Take("max_percentile", parameters.max_percentile));
    LATHE_RETURN_IF_ERROR(fields.Take("min_percentile", parameters.min_percentile));
    LATHE_RETURN_IF_ERROR(fields.Take("search_range", parameters.search_range));
    LATHE_RETURN_IF_ERROR(fields.Take("search_step", parameters.search_step));
    activation.algorithm = parameters;
  }
  LATHE_RETURN_IF_ERROR(quant::CheckActivationValues(fields.where(), activation));
  return activation;
}

StatusOr<WeightConfig> ReadWeight(const Fields& fields) {
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kWeightKeys));
  WeightConfig weight;
  LATHE_RETURN_IF_ERROR(fields.Take("num_bits", weight.num_bits));
  LATHE_RETURN_IF_ERROR(fields.Take("channel_wise", weight.channel_wise));
  LATHE_ASSIGN_OR_RETURN(const bool ada,
                         IsSecond(fields, "wts_algo", "arq_quantize", "ada_quantize"));
  if (const std::string_view foreign = FirstOf(fields, kAdaKeys); !ada && !foreign.empty()) {
    return InvalidInput("{}: {} does not belong to wts_algo arq_quantize", fields.where(), foreign);
  }
  if (ada) {
    AdaParameters& parameters = weight.ada.emplace();
    LATHE_RETURN_IF_ERROR(fields.Take("reg_param", parameters.reg_param));
    LATHE_RETURN_IF_ERROR(fields.Take("warm_start", parameters.warm_start));
    LATHE_RETURN_IF_ERROR(fields.Take("num_iteration", parameters.num_iteration));
    LATHE_RETURN_IF_ERROR(fields.Take("beta_range", parameters.beta_range));
  }
  LATHE_RETURN_IF_ERROR(quant::CheckWeightValues(fields.where(), weight));
  return weight;
}

// The object under `key`, or nothing when it is not there.
StatusOr<std::optional<Fields>> FindObject(const Fields& fields, std::string_view key) {
  const JsonValue* value = fields.Find(key);
  if (value == nullptr) return std::optional<Fields>();
  const auto* object = std::get_if<JsonObject>(&value->value);
  if (object == nullptr) return fields.WrongType(key, *value, "an object");
  return std::optional<Fields>(Fields(*object, fmt::format("{}, {}", fields.where(), key)));
}

StatusOr<PtqLayerConfig> ReadLayer(const std::string& name, const JsonObject& object) {
  const Fields fields(object, fmt::format("layer {}", Quoted(name)));
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kLayerKeys));
  PtqLayerConfig layer;
  layer.name = name;
  LATHE_RETURN_IF_ERROR(fields.Take("quant_enable", layer.quant_enable));
  LATHE_RETURN_IF_ERROR(fields.Take("dmq_balancer_param", layer.dmq_balancer_param));
  if (layer.dmq_balancer_param.has_value()) {
    LATHE_RETURN_IF_ERROR(quant::CheckBalancing(fields.where(), *layer.dmq_balancer_param));
  }
  LATHE_ASSIGN_OR_RETURN(const auto activation, FindObject(fields, "activation_quant_params"));
  if (!activation.has_value()) {
    return InvalidInput("{}: activation_quant_params is missing (an empty object is enough)",
                        fields.where());
  }
  LATHE_ASSIGN_OR_RETURN(layer.activation, ReadActivation(*activation));
  LATHE_ASSIGN_OR_RETURN(const auto weight, FindObject(fields, "weight_quant_params"));
  if (weight.has_value()) {
    LATHE_ASSIGN_OR_RETURN(layer.weight, ReadWeight(*weight));
  }
  return layer;
}

StatusOr<TensorQuantizeConfig> ReadTensor(const JsonValue& value, const std::string& where) {
  const auto* object = std::get_if<JsonObject>(&value.value);
  if (object == nullptr)
    return InvalidInput("{} must be an object, it is {}", where, KindOf(value));
  const Fields fields(*object, where);
  LATHE_RETURN_IF_ERROR(fields.CheckKeys(kTensorKeys));
  for (const std::string_view key : kTensorKeys) {
    if (!fields.Has(key)) return InvalidInput("{}: {} is missing", where, key);
  }
  TensorQuantizeConfig tensor;
  LATHE_RETURN_IF_ERROR(fields.Take("layer_name", tensor.layer_name));
  LATHE_RETURN_IF_ERROR(fields.Take("input_index", tensor.input_index));
  LATHE_ASSIGN_OR_RETURN(const auto activation, FindObject(fields, "activation_quant_params"));
  LATHE_ASSIGN_OR_RETURN(tensor.activation, ReadActivation(*activation));
  return tensor;
}

Status ReadTensors(const Fields& fields, std::vector<TensorQuantizeConfig>& tensors) {
  const JsonValue* value = fields.Find("tensor_quantize");
  if (value == nullptr) return OkStatus();
  const auto* list = std::get_if<JsonArray>(&value->value);
  if (list == nullptr) return fields.WrongType("tensor_quantize", *value, "a list of objects");
  for (size_t i = 0; i < list->size(); ++i) {
    LATHE_ASSIGN_OR_RETURN(tensors.emplace_back(),
                           ReadTensor((*list)[i], fmt::format("tensor_quantize[{}]", i)));
  }
  return OkStatus();
}

Status ReadGlobals(const Fields& fields, PtqConfig& config) {
  LATHE_RETURN_IF_ERROR(fields.Take("version", config.version));
  if (config.version != 1) {
    return InvalidInput("version is {}, only version 1 is known", config.version);
  }
  LATHE_RETURN_IF_ERROR(fields.Take("batch_num", config.batch_num));
  LATHE_RETURN_IF_ERROR(quant::CheckBatchNum(config.batch_num));
  LATHE_RETURN_IF_ERROR(fields.Take("activation_offset", config.activation_offset));
  LATHE_RETURN_IF_ERROR(fields.Take("joint_quant", config.joint_quant));
  LATHE_RETURN_IF_ERROR(fields.Take("do_fusion", config.do_fusion));
  std::string mode = "DEFAULT";
  LATHE_RETURN_IF_ERROR(fields.Take("fakequant_precision_mode", mode));
  if (mode != "DEFAULT" && mode != "FORCE_FP16_QUANT") {
    return InvalidInput("fakequant_precision_mode is {}, allowed are DEFAULT, FORCE_FP16_QUANT",
                        Quoted(mode));
  }
  config.force_fp16_quant = mode == "FORCE_FP16_QUANT";
  LATHE_RETURN_IF_ERROR(fields.Take("skip_fusion_layers", config.skip_fusion_layers));
  return ReadTensors(fields, config.tensor_quantize);
}

// Whether `name` is the global key that only the ONNX flavour's files have and that asks for what
// is not done. It may be false.
StatusOr<bool> IsIdleKey(std::string_view name, const JsonValue& value) {
  const bool* wanted = name == "weight_offset" ? std::get_if<bool>(&value.value) : nullptr;
  if (wanted == nullptr) return false;
  if (*wanted) return InvalidInput("{} asks for what is not done: remove the key", name);
  return true;
}

}  // namespace

StatusOr<PtqConfig> ParsePtqJson(std::string_view text) {
  LATHE_ASSIGN_OR_RETURN(const JsonValue document, ParseJson(text));
  const auto* object = std::get_if<JsonObject>(&document.value);
  if (object == nullptr) {
    return InvalidInput("a configuration must be an object, this is {}", KindOf(document));
  }
  PtqConfig config;
  LATHE_RETURN_IF_ERROR(ReadGlobals(Fields(*object, ""), config));
  for (const auto& [name, value] : *object) {
    if (quant::IsPtqGlobalKey(name)) continue;
    LATHE_ASSIGN_OR_RETURN(const bool idle, IsIdleKey(name, value));
    if (idle) continue;
    const auto* layer_object = std::get_if<JsonObject>(&value.value);
    if (layer_object == nullptr) {
      Status status =
          InvalidInput("{} is neither a global key nor a layer: a layer is an object, this is {}",
                       Quoted(name), KindOf(value));
      const std::string hint = DidYouMean(name, quant::PtqGlobalKeys());
      return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
    }
    LATHE_ASSIGN_OR_RETURN(PtqLayerConfig layer, ReadLayer(name, *layer_object));
    config.layers.push_back(std::move(layer));
  }
  return config;
}

}  // namespace lathe::frontends
