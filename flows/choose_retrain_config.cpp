#include "lathe/flows/choose_retrain_config.h"

#include <utility>

#include "lathe/frontends/config/retrain_cfg.h"
#include "lathe/frontends/config/retrain_json.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/create_retrain_config.h"
#include "lathe/support/text_file.h"

namespace lathe::flows {
namespace {

StatusOr<quant::CreatedRetrainConfig> CreateConfig(const quant::NetworkDescription& network,
                                                   const RetrainConfigRequest& request) {
  if (!request.json_path.empty()) {
    LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(request.json_path));
    LATHE_ASSIGN_OR_RETURN(quant::RetrainConfig config, frontends::ParseRetrainJson(text));
    return quant::CreatedRetrainConfig{std::move(config), {}};
  }
  if (!request.cfg_path.empty()) {
    LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(request.cfg_path));
    LATHE_ASSIGN_OR_RETURN(const auto simplified, frontends::ParseRetrainCfg(text));
    return quant::CreateRetrainConfig(network, simplified);
  }
  return quant::CreateRetrainConfig(network, request.options);
}

}  // namespace

StatusOr<ChosenRetrainConfig> ChooseRetrainConfig(const ir::Model& model,
                                                  const RetrainConfigRequest& request) {
  if (!request.json_path.empty() && !request.cfg_path.empty()) {
    return InvalidInput(
        "both a configuration and a simplified configuration were given; one is enough");
  }
  const std::string& path = request.json_path.empty() ? request.cfg_path : request.json_path;
  const auto in_file = [&](const Status& status) {
    return path.empty() ? status : WithContext(status, ErrorContext::kFile, path);
  };
  const quant::NetworkDescription network = passes::DescribeNetwork(passes::ScanLayers(model));
  auto created = CreateConfig(network, request);
  if (!created.ok()) return in_file(created.status());
  auto settings = quant::ResolveRetrainSettings(created->config, network);
  if (!settings.ok()) return in_file(settings.status());
  ChosenRetrainConfig chosen{std::move(created->config), *std::move(settings),
                             std::move(created->notes)};
  chosen.notes.insert(chosen.notes.end(), chosen.settings.notes.begin(),
                      chosen.settings.notes.end());
  return chosen;
}

}  // namespace lathe::flows
