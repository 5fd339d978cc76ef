#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/set.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/backends/config/retrain_json.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/retrain.h"
#include "lathe/flows/choose_retrain_config.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/support/quoted.h"

namespace lathe::python {
namespace {

struct PlannedLayer {
  std::string name;
  int activation_bits = 8;
  // The upper and the lower end, where the configuration gives them.
  std::optional<std::pair<double, double>> clips;
  bool fixed_min = false;
  std::string clips_of;
  std::optional<std::string> batch_norm;
  int weight_bits = 8;
  bool ulq = false;
  // The weight as [groups, outer, local, inner]; a scale for each group and local.
  std::array<int64_t, 4> split = {};
};

// What is trained of a network, and how.
struct Plan {
  std::string config;
  int64_t batch_num = 1;
  std::vector<PlannedLayer> layers;
};

std::string CreateRetrainConfig(nb::handle model, const std::optional<std::string>& cfg,
                                const std::set<std::string>& modules) {
  const ModelArgument argument(model);
  std::vector<std::string> notes;
  std::string json = Call().Run([&]() -> StatusOr<std::string> {
    LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, argument.LoadFloat());
    flows::RetrainConfigRequest request;
    request.cfg_path = cfg.value_or("");
    LATHE_ASSIGN_OR_RETURN(flows::ChosenRetrainConfig chosen,
                           flows::ChooseRetrainConfig(*loaded.model, request));
    notes = std::move(chosen.notes);
    std::erase_if(chosen.config.layers, [&](const quant::RetrainLayerConfig& layer) {
      if (modules.contains(layer.name)) return false;
      notes.push_back(fmt::format("layer {} is not trained: it is no module that can be replaced",
                                  Quoted(layer.name)));
      return true;
    });
    const auto enabled = [](const quant::RetrainLayerConfig& layer) {
      return layer.retrain_enable;
    };
    if (std::ranges::none_of(chosen.config.layers, enabled)) {
      return InvalidInput("the model has no layer that can be trained");
    }
    return backends::WriteRetrainJson(chosen.config);
  });
  for (const std::string& note : notes) LogWarning(note);
  return json;
}

PlannedLayer Planned(const passes::RetrainLayer& trained,
                     const std::vector<passes::RetrainLayer>& all) {
  const passes::QuantLayer& layer = trained.layer;
  PlannedLayer planned;
  planned.name = layer.name;
  planned.activation_bits = trained.settings.activation_bits;
  if (const auto& clips = trained.settings.clips) planned.clips.emplace(clips->max, clips->min);
  planned.fixed_min = trained.fixed_min;
  planned.clips_of = all[trained.clips_of].layer.name;
  if (trained.batch_norm != nullptr) planned.batch_norm = trained.batch_norm->display_name();
  planned.weight_bits = trained.settings.weight_bits;
  planned.ulq = trained.settings.ulq;
  const quant::WeightLayout layout = layer.Layout(
      *layer.weight, trained.settings.channel_wise ? static_cast<size_t>(layer.channels) : 1);
  planned.split = {layout.groups, layout.outer, layout.local, layout.inner};
  return planned;
}

Plan MakePlan(nb::handle model, const std::string& config) {
  const ModelArgument argument(model);
  std::vector<std::string> notes;
  Plan plan = Call().Run([&]() -> StatusOr<Plan> {
    LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, argument.LoadFloat());
    flows::RetrainConfigRequest request;
    request.json_path = config;
    LATHE_ASSIGN_OR_RETURN(flows::ChosenRetrainConfig chosen,
                           flows::ChooseRetrainConfig(*loaded.model, request));
    LATHE_ASSIGN_OR_RETURN(const std::vector<passes::RetrainLayer> layers,
                           passes::FindRetrainLayers(*loaded.model, chosen.settings));
    Plan made;
    LATHE_ASSIGN_OR_RETURN(made.config, backends::WriteRetrainJson(chosen.config));
    made.batch_num = chosen.settings.batch_num;
    for (const passes::RetrainLayer& layer : layers) {
      if (layer.layer.is_recurrent()) {
        Status status = Unsupported("layer {}: {} cannot be trained", Quoted(layer.layer.name),
                                    ToString(layer.layer.type));
        status = WithContext(std::move(status), ErrorContext::kFile, config);
        return WithContext(std::move(status), ErrorContext::kHint,
                           "set its retrain_enable to false");
      }
      made.layers.push_back(Planned(layer, layers));
    }
    notes = std::move(chosen.notes);
    return made;
  });
  for (const std::string& note : notes) LogWarning(note);
  return plan;
}

}  // namespace

void AddRetrainPlan(nb::module_& module) {
  module.def("_create_retrain_config", &CreateRetrainConfig, nb::arg("model"),
             nb::arg("cfg").none(), nb::arg("modules"),
             nb::sig("def _create_retrain_config(model: lathe._types.ModelLike, cfg: str | None, "
                     "modules: collections.abc.Set[str]) -> str"),
             "The configuration of training, as its file holds it; layers that are none of the "
             "modules are left out.");
  nb::class_<PlannedLayer>(module, "_PlannedLayer", "What training does with a layer.")
      .def_ro("name", &PlannedLayer::name)
      .def_ro("activation_bits", &PlannedLayer::activation_bits)
      .def_ro("clips", &PlannedLayer::clips, "(clip_max, clip_min), where they are configured.")
      .def_ro("fixed_min", &PlannedLayer::fixed_min)
      .def_ro("clips_of", &PlannedLayer::clips_of, "The layer whose clips it uses.")
      .def_ro("batch_norm", &PlannedLayer::batch_norm, "The node that will be folded into it.")
      .def_ro("weight_bits", &PlannedLayer::weight_bits)
      .def_ro("ulq", &PlannedLayer::ulq)
      .def_ro("split", &PlannedLayer::split,
              "The weight as [groups, outer, local, inner]: a scale for each group and local.");
  nb::class_<Plan>(module, "_RetrainPlan",
                   "For lathe.amct_pytorch: a configuration of training applied to a network.")
      .def_ro("config", &Plan::config, "The configuration, as a file would hold it.")
      .def_ro("batch_num", &Plan::batch_num)
      .def_ro("layers", &Plan::layers);
  module.def("_retrain_plan", &MakePlan, nb::arg("model"), nb::arg("config"),
             nb::sig("def _retrain_plan(model: lathe._types.ModelLike, config: str) -> "
                     "_RetrainPlan"));
}

}  // namespace lathe::python
