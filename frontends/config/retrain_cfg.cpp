#include "lathe/frontends/config/retrain_cfg.h"

#include <array>

#include "lathe/frontends/config/internal/retrain_fields.h"
#include "lathe/frontends/config/internal/text_proto.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;

constexpr std::string_view kNoPruning =
    "this configuration is for quantisation alone, pruning has its own: remove the field";

constexpr std::array<RefusedField, 5> kRefused = {{
    {"AMCTRetrainConfig.prune_config", kNoPruning},
    {"AMCTRetrainConfig.regular_prune_skip_layers", kNoPruning},
    {"AMCTRetrainConfig.regular_prune_skip_types", kNoPruning},
    {"RetrainOverrideLayer.prune_config", kNoPruning},
    {"RetrainOverrideLayerType.prune_config", kNoPruning},
}};

}  // namespace

StatusOr<quant::AmctRetrainConfig> ParseRetrainCfg(std::string_view text) {
  proto::AMCTRetrainConfig message;
  google::protobuf::TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RefuseFields(message, places, kRefused));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  return ReadRetrainFields(message);
}

}  // namespace lathe::frontends
