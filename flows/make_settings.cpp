#include "lathe/flows/make_settings.h"

#include "lathe/frontends/config/ptq_cfg.h"
#include "lathe/frontends/config/ptq_json.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/text_file.h"

namespace lathe::flows {
namespace {

StatusOr<quant::CreatedPtqConfig> CreateConfig(const quant::NetworkDescription& network,
                                               const ConfigRequest& request) {
  if (!request.json_path.empty()) {
    LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(request.json_path));
    auto config = frontends::ParsePtqJson(text);
    if (!config.ok()) return WithContext(config.status(), ErrorContext::kFile, request.json_path);
    return quant::CreatedPtqConfig{*std::move(config), {}};
  }
  if (!request.cfg_path.empty()) {
    LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(request.cfg_path));
    const auto simplified = frontends::ParsePtqCfg(text);
    if (!simplified.ok())
      return WithContext(simplified.status(), ErrorContext::kFile, request.cfg_path);
    auto created = quant::CreatePtqConfig(network, *simplified);
    if (!created.ok()) return WithContext(created.status(), ErrorContext::kFile, request.cfg_path);
    return created;
  }
  return quant::CreatePtqConfig(network, request.options);
}

}  // namespace

StatusOr<ChosenConfig> ChooseConfig(const ir::Model& model, const ConfigRequest& request) {
  if (!request.json_path.empty() && !request.cfg_path.empty()) {
    return InvalidInput(
        "both a configuration and a simplified configuration were given; one is enough");
  }
  const passes::LayerScan scan = passes::ScanLayers(model);
  const quant::NetworkDescription network = passes::DescribeNetwork(scan);
  LATHE_ASSIGN_OR_RETURN(quant::CreatedPtqConfig created, CreateConfig(network, request));
  auto settings = quant::ResolveQuantSettings(created.config, network);
  if (!settings.ok()) {
    return request.json_path.empty()
               ? settings.status()
               : WithContext(settings.status(), ErrorContext::kFile, request.json_path);
  }
  ChosenConfig chosen;
  chosen.config = std::move(created.config);
  chosen.settings = *std::move(settings);
  chosen.notes = std::move(created.notes);
  chosen.notes.insert(chosen.notes.end(), chosen.settings.notes.begin(),
                      chosen.settings.notes.end());
  for (const passes::QuantLayer& layer : scan.layers) {
    bool enabled = false;
    for (const quant::LayerSettings& each : chosen.settings.layers)
      enabled |= each.name == layer.name;
    if (enabled) continue;
    chosen.report.left_float.push_back(
        {layer.name, layer.on_request.empty()
                         ? "the configuration leaves it out"
                         : layer.on_request + "; a configuration that names it quantises it"});
  }
  for (const quant::OtherNode& other : scan.others) {
    if (quant::ParseLayerType(other.type))
      chosen.report.left_float.push_back({other.name, other.reason});
  }
  return chosen;
}

}  // namespace lathe::flows
