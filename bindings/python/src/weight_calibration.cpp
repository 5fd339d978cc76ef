#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/batches.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/ptq.h"
#include "lathe/bindings/python/src/record.h"
#include "lathe/flows/calibrate_model.h"
#include "lathe/flows/output_paths.h"
#include "lathe/runtime/openvino/engine.h"

namespace lathe::python {
namespace {

// A calibration that has done the weights and waits for its data.
class WeightCalibration {
 public:
  WeightCalibration(nb::handle model, nb::handle data, nb::handle config, nb::handle balance) {
    Call call;
    const ModelArgument argument(model);
    const DataArgument batches(call, data);
    const flows::ConfigRequest request = ConfigArgument(config, nb::none());
    const std::optional<flows::BalanceRecord> factors = BalanceArgument(balance);
    const Control control(call, {0, nb::none(), nb::bool_(false)});
    weights_ = call.Run([&]() -> StatusOr<flows::CalibratedWeights> {
      LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, argument.LoadFloat());
      LATHE_ASSIGN_OR_RETURN(const flows::ChosenConfig chosen,
                             flows::ChooseConfig(*loaded.model, request));
      balanced_ = flows::FindBalancedLayer(chosen.settings) != nullptr;
      if (balanced_ && !factors) {
        return WithContext(InvalidInput("layers have dmq_balancer_param, but there is no record "
                                        "with their factors"),
                           ErrorContext::kHint, "run quantize_preprocess first");
      }
      LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*loaded.model, control.get()));
      settings_ = chosen.settings;
      const auto engine = runtime::MakeOpenVinoEngine();
      return flows::CalibrateWeights(std::move(loaded.model), settings_, *engine, *source,
                                     control.get(), balanced_ ? &*factors : nullptr);
    });
  }

  int64_t batch_num() const { return settings_.batch_num; }

  Record record() const { return {weights_->record, ""}; }

  // Layers whose weights cannot be quantised.
  const std::vector<passes::LeftFloat>& left_float() const { return weights_->report.left_float; }

  // The modified model, as far as it is known.
  Model Modified() const {
    return Call().Run([&]() -> StatusOr<Model> {
      LATHE_ASSIGN_OR_RETURN(const flows::CalibratedModel known, flows::ApplyWeights(*weights_));
      LATHE_ASSIGN_OR_RETURN(auto modified, flows::MakeModifiedModel(known, settings_));
      return Model{std::move(modified), ""};
    });
  }

  // The record with the activations, once.
  Record Finish(nb::handle data, int threads, nb::object progress) {
    if (!weights_) Check(InvalidInput("the calibration is finished already"));
    Call call;
    const DataArgument batches(call, data);
    const Control control(call, {threads, nb::none(), std::move(progress)});
    flows::CalibratedModel done = call.Run([&]() -> StatusOr<flows::CalibratedModel> {
      LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*weights_->fused, control.get()));
      const auto engine = runtime::MakeOpenVinoEngine();
      return flows::CalibrateActivations(*std::exchange(weights_, std::nullopt), *engine, *source,
                                         control.get());
    });
    for (const passes::LeftFloat& layer : done.report.left_float) {
      LogWarning(fmt::format("float: {}: {}", layer.layer, layer.reason));
    }
    return {std::move(done.record), ""};
  }

 private:
  quant::QuantSettings settings_;
  bool balanced_ = false;
  std::optional<flows::CalibratedWeights> weights_;
};

// The first layer that asks for balancing.
std::optional<std::string> BalancedLayer(nb::handle model, nb::handle config) {
  const ModelArgument argument(model);
  const flows::ConfigRequest request = ConfigArgument(config, nb::none());
  return Call().Run([&]() -> StatusOr<std::optional<std::string>> {
    LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, argument.LoadFloat());
    LATHE_ASSIGN_OR_RETURN(const flows::ChosenConfig chosen,
                           flows::ChooseConfig(*loaded.model, request));
    const quant::LayerSettings* layer = flows::FindBalancedLayer(chosen.settings);
    if (layer == nullptr) return std::optional<std::string>();
    return std::optional<std::string>(layer->name);
  });
}

}  // namespace

void AddWeightCalibration(nb::module_& module) {
  nb::class_<WeightCalibration>(
      module, "_WeightCalibration",
      "For lathe.amct_pytorch: a calibration that has done the weights and waits for its data.")
      .def(nb::init<nb::handle, nb::handle, nb::handle, nb::handle>(), nb::arg("model"),
           nb::arg("data"), nb::arg("config"), nb::arg("balance").none(),
           nb::sig("def __init__(self, model: lathe._types.ModelLike, data: lathe._types.Data, "
                   "config: lathe._types.ConfigLike, balance: lathe._types.RecordLike | None) -> "
                   "None"))
      .def_prop_ro("batch_num", &WeightCalibration::batch_num)
      .def_prop_ro("record", &WeightCalibration::record)
      .def_prop_ro("left_float", &WeightCalibration::left_float)
      .def("modified", &WeightCalibration::Modified)
      .def("finish", &WeightCalibration::Finish, nb::arg("data"), nb::kw_only(),
           nb::arg("threads") = 0, nb::arg("progress") = nb::none(),
           nb::sig("def finish(self, data: lathe._types.Data, *, threads: int = 0, progress: "
                   "lathe._types.Progress = None) -> Record"));
  module.def("_balanced_layer", &BalancedLayer, nb::arg("model"), nb::arg("config"),
             nb::sig("def _balanced_layer(model: lathe._types.ModelLike, config: "
                     "lathe._types.ConfigLike) -> str | None"),
             "The first layer of a configuration that has dmq_balancer_param.");
  module.def(
      "_check_output_name", [](const std::string& path) { Check(flows::CheckOutputName(path)); },
      nb::arg("path"),
      "Raises lathe.Error when the reference would not write a file of this name.");
  module.def(
      "_output_paths",
      [](const std::string& prefix) { return ValueOf(flows::MakeOutputPaths(prefix)); },
      nb::arg("prefix"), "Where the results with this prefix stand; makes the folder.");
}

}  // namespace lathe::python
