#include "lathe/frontends/config/compress_cfg.h"

#include <array>

#include "lathe/frontends/config/internal/retrain_fields.h"
#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/support/decimal_text.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;
using google::protobuf::TextFormat;

constexpr std::string_view kNoQuantisation =
    "this configuration is for pruning alone, both together is compression: remove the field";

constexpr std::array<RefusedField, 8> kRefused = {{
    {"AMCTRetrainConfig.retrain_data_quant_config", kNoQuantisation},
    {"AMCTRetrainConfig.retrain_weight_quant_config", kNoQuantisation},
    {"AMCTRetrainConfig.quant_skip_layers", kNoQuantisation},
    {"AMCTRetrainConfig.quant_skip_types", kNoQuantisation},
    {"RetrainOverrideLayer.retrain_data_quant_config", kNoQuantisation},
    {"RetrainOverrideLayer.retrain_weight_quant_config", kNoQuantisation},
    {"RetrainOverrideLayerType.retrain_data_quant_config", kNoQuantisation},
    {"RetrainOverrideLayerType.retrain_weight_quant_config", kNoQuantisation},
}};

constexpr int64_t kReferenceGroup = 4;
constexpr int64_t kReferencePruned = 2;

StatusOr<quant::PruneMethod> Read(std::string_view where, const proto::PruneConfig& message) {
  if (message.has_filter_pruner()) {
    if (!message.filter_pruner().has_balanced_l2_norm_filter_prune()) {
      return InvalidInput("{}: filter_pruner names no method: balanced_l2_norm_filter_prune",
                          where);
    }
    const auto& pruner = message.filter_pruner().balanced_l2_norm_filter_prune();
    return quant::FilterPruneConfig{ShortestDecimal(pruner.prune_ratio()),
                                    pruner.ascend_optimized()};
  }
  if (!message.has_n_out_of_m_pruner()) {
    return InvalidInput("{} is empty: it takes filter_pruner or n_out_of_m_pruner", where);
  }
  if (!message.n_out_of_m_pruner().has_l1_selective_prune()) {
    return InvalidInput("{}: n_out_of_m_pruner names no method: l1_selective_prune", where);
  }
  const auto& pruner = message.n_out_of_m_pruner().l1_selective_prune();
  quant::SelectivePruneConfig selective{kReferenceGroup, kReferencePruned,
                                        static_cast<int64_t>(pruner.update_freq())};
  if (pruner.has_m() != pruner.has_n()) {
    return InvalidInput("{}: m and n are one pattern, give both or none", where);
  }
  if (pruner.has_m()) {
    if (pruner.has_n_out_of_m_type()) {
      return InvalidInput("{}: both n_out_of_m_type and m, n are given; one is enough", where);
    }
    selective.group = pruner.m();
    selective.pruned = pruner.n();
  }
  return selective;
}

// The overrides that say something about pruning.
template <typename Overrides, typename Target>
StatusOr<std::vector<quant::PruneOverride>> ReadOverrides(std::string_view list,
                                                          const Overrides& overrides,
                                                          const Target& target) {
  std::vector<quant::PruneOverride> result;
  for (const auto& entry : overrides) {
    if (!entry.has_prune_config()) continue;
    const std::string where = fmt::format("{} '{}', prune_config", list, target(entry));
    LATHE_ASSIGN_OR_RETURN(quant::PruneMethod method, Read(where, entry.prune_config()));
    result.push_back({target(entry), method});
  }
  return result;
}

StatusOr<quant::AmctPruneConfig> ReadPruneFields(const proto::AMCTRetrainConfig& message) {
  quant::AmctPruneConfig config;
  if (message.has_prune_config()) {
    LATHE_ASSIGN_OR_RETURN(config.method, Read("prune_config", message.prune_config()));
  }
  config.skip_layers = ToStringVector(message.skip_layers());
  config.skip_layer_types = ToStringVector(message.skip_layer_types());
  config.regular_prune_skip_layers = ToStringVector(message.regular_prune_skip_layers());
  config.regular_prune_skip_types = ToStringVector(message.regular_prune_skip_types());
  LATHE_ASSIGN_OR_RETURN(config.override_layer_types,
                         ReadOverrides(
                             "override_layer_types", message.override_layer_types(),
                             [](const auto& entry) -> const auto& { return entry.layer_type(); }));
  LATHE_ASSIGN_OR_RETURN(config.override_layer_configs,
                         ReadOverrides(
                             "override_layer_configs", message.override_layer_configs(),
                             [](const auto& entry) -> const auto& { return entry.layer_name(); }));
  return config;
}

bool AsksToPrune(const quant::AmctPruneConfig& config) {
  return config.method.has_value() || !config.override_layer_types.empty() ||
         !config.override_layer_configs.empty();
}

bool HasQuantMessage(const auto& message) {
  return message.has_retrain_data_quant_config() || message.has_retrain_weight_quant_config();
}

bool AsksToQuantise(const proto::AMCTRetrainConfig& message) {
  const auto has = [](const auto& entries) {
    return std::any_of(entries.begin(), entries.end(),
                       [](const auto& entry) { return HasQuantMessage(entry); });
  };
  return HasQuantMessage(message) || has(message.override_layer_types()) ||
         has(message.override_layer_configs());
}

}  // namespace

StatusOr<quant::AmctPruneConfig> ParsePruneCfg(std::string_view text) {
  proto::AMCTRetrainConfig message;
  TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RefuseFields(message, places, kRefused));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  LATHE_ASSIGN_OR_RETURN(quant::AmctPruneConfig config, ReadPruneFields(message));
  if (!AsksToPrune(config))
    return InvalidInput("there is no prune_config: nothing is to be pruned");
  return config;
}

StatusOr<quant::AmctCompressConfig> ParseCompressCfg(std::string_view text) {
  proto::AMCTRetrainConfig message;
  TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  quant::AmctCompressConfig config;
  LATHE_ASSIGN_OR_RETURN(quant::AmctPruneConfig prune, ReadPruneFields(message));
  if (AsksToPrune(prune)) config.prune = std::move(prune);
  if (AsksToQuantise(message)) {
    config.quant = ReadRetrainFields(message);
    config.quant->only_overrides = !HasQuantMessage(message);
  }
  if (!config.prune.has_value() && !config.quant.has_value()) {
    return InvalidInput(
        "there is no prune_config, no retrain_data_quant_config and no "
        "retrain_weight_quant_config: nothing is to be compressed");
  }
  return config;
}

}  // namespace lathe::frontends
