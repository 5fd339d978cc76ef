#include "lathe/bindings/python/src/ptq.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/bindings/python/src/batches.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/record.h"
#include "lathe/flows/balance_model.h"
#include "lathe/flows/calibrate_model.h"
#include "lathe/flows/memory_plan.h"
#include "lathe/flows/output_paths.h"
#include "lathe/flows/save_model.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/quoted.h"

namespace lathe::python {
namespace {

using passes::LeftFloat;

// A configuration for a network.
struct Config {
  std::string json;
  std::vector<std::string> layers;
  std::vector<std::string> enabled;
  std::vector<std::string> notes;
  std::vector<LeftFloat> left_float;
};

// What calibration found.
struct Calibration {
  Record record;
  Model modified;
  std::vector<std::string> notes;
  std::vector<LeftFloat> left_float;
};

Config CreateConfig(nb::handle model, nb::handle cfg, int64_t batch_num,
                    std::vector<std::string> skip_layers, bool activation_offset) {
  const ModelArgument argument(model);
  flows::ConfigRequest request = ConfigArgument(nb::none(), cfg);
  request.options = {.skip_layers = std::move(skip_layers),
                     .batch_num = batch_num,
                     .activation_offset = activation_offset};
  Config config = Call().Run([&]() -> StatusOr<Config> {
    LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, argument.LoadFloat());
    LATHE_ASSIGN_OR_RETURN(flows::ChosenConfig chosen, flows::ChooseConfig(*loaded.model, request));
    Config result;
    LATHE_ASSIGN_OR_RETURN(result.json, backends::WritePtqJson(chosen.config));
    for (const quant::PtqLayerConfig& layer : chosen.config.layers) {
      result.layers.push_back(layer.name);
    }
    for (const quant::LayerSettings& layer : chosen.settings.layers) {
      result.enabled.push_back(layer.name);
    }
    result.notes = std::move(chosen.notes);
    result.left_float = std::move(chosen.report.left_float);
    return result;
  });
  LogOutcome(config.notes, config.left_float);
  return config;
}

Record Balance(nb::handle model, nb::handle data, nb::handle config, int threads, nb::object shapes,
               nb::object progress) {
  Call call;
  const ModelArgument argument(model);
  const DataArgument batches(call, data);
  const flows::ConfigRequest request = ConfigArgument(config, nb::none());
  const Control control(call, {threads, std::move(shapes), std::move(progress)});
  return call.Run([&]() -> StatusOr<Record> {
    LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, argument.LoadFloat());
    LATHE_ASSIGN_OR_RETURN(const flows::ChosenConfig chosen,
                           flows::ChooseConfig(*loaded.model, request));
    LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*loaded.model, control.get()));
    const auto engine = runtime::MakeOpenVinoEngine();
    auto record = flows::BalanceModel(std::move(loaded.model), chosen.settings, *engine, *source,
                                      control.get());
    if (!record.ok() && !request.json_path.empty()) {
      return WithContext(record.status(), ErrorContext::kFile, request.json_path);
    }
    LATHE_RETURN_IF_ERROR(record.status());
    return Record{*std::move(record), ""};
  });
}

Calibration Calibrate(nb::handle model, nb::handle data, nb::handle config, nb::handle balance,
                      int threads, nb::object shapes, uint64_t max_memory, nb::object progress) {
  Call call;
  const ModelArgument argument(model);
  const DataArgument batches(call, data);
  const flows::ConfigRequest request = ConfigArgument(config, nb::none());
  const std::optional<flows::BalanceRecord> factors = BalanceArgument(balance);
  const Control control(call, {threads, std::move(shapes), std::move(progress), max_memory});
  Calibration result = call.Run([&]() -> StatusOr<Calibration> {
    LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, argument.LoadFloat());
    LATHE_ASSIGN_OR_RETURN(flows::ChosenConfig chosen, flows::ChooseConfig(*loaded.model, request));
    LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*loaded.model, control.get()));
    flows::RunControl limited = control.get();
    LATHE_ASSIGN_OR_RETURN(
        limited.observers_per_pass,
        flows::PlanObserversPerPass(*loaded.model, chosen.settings, *source, limited, nullptr));
    const auto engine = runtime::MakeOpenVinoEngine();
    LATHE_ASSIGN_OR_RETURN(flows::CalibratedModel calibrated,
                           flows::CalibrateModel(std::move(loaded.model), chosen.settings, *engine,
                                                 *source, limited, factors ? &*factors : nullptr));
    Calibration done;
    LATHE_ASSIGN_OR_RETURN(done.modified.model,
                           flows::MakeModifiedModel(calibrated, chosen.settings));
    done.record.record = std::move(calibrated.record);
    done.notes = std::move(loaded.notes);
    done.notes.insert(done.notes.end(), chosen.notes.begin(), chosen.notes.end());
    done.notes.insert(done.notes.end(), calibrated.notes.begin(), calibrated.notes.end());
    done.left_float = std::move(chosen.report.left_float);
    done.left_float.insert(done.left_float.end(), calibrated.report.left_float.begin(),
                           calibrated.report.left_float.end());
    return done;
  });
  LogOutcome(result.notes, result.left_float);
  return result;
}

std::vector<std::string> Save(nb::handle modified, nb::handle record, nb::handle output,
                              const std::string& emit) {
  const ModelArgument argument(modified);
  const Record factors = RecordArgument(record);
  const std::string prefix = PathOf(output);
  if (emit != "both" && emit != "deploy" && emit != "fake-quant" && emit != "qdq") {
    Check(InvalidInput("emit is {}: give 'both', 'deploy', 'fake-quant' or 'qdq'", Quoted(emit)));
  }
  const auto in_record = [&](const Status& status) {
    return factors.path.empty() ? status : WithContext(status, ErrorContext::kFile, factors.path);
  };
  return Call().Run([&]() -> StatusOr<std::vector<std::string>> {
    LATHE_ASSIGN_OR_RETURN(auto model, argument.LoadModified());
    AtomicFileSet files;
    std::vector<std::string> written;
    const auto stage = [&](const ir::Model& made, const std::string& path) {
      written.push_back(path);
      return backends::StageOnnx(made, path, &files);
    };
    if (emit == "qdq") {
      const auto qdq = flows::LowerToQdq(std::move(model), factors.record);
      if (!qdq.ok()) return in_record(qdq.status());
      LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(prefix));
      LATHE_RETURN_IF_ERROR(stage(**qdq, paths.qdq));
    } else {
      const auto saved = flows::LowerModel(std::move(model), factors.record);
      if (!saved.ok()) return in_record(saved.status());
      LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(prefix));
      if (emit != "fake-quant") LATHE_RETURN_IF_ERROR(stage(*saved->deploy, paths.deploy));
      if (emit != "deploy") LATHE_RETURN_IF_ERROR(stage(*saved->fake_quant, paths.fake_quant));
    }
    LATHE_RETURN_IF_ERROR(files.Commit());
    return written;
  });
}

void AddResults(nb::module_& module) {
  nb::class_<LeftFloat>(module, "LeftFloat", "A layer that stays float, and why.")
      .def_ro("layer", &LeftFloat::layer)
      .def_ro("reason", &LeftFloat::reason)
      .def("__repr__", [](const LeftFloat& self) {
        return nb::str("<{}: {}>").format(self.layer, self.reason);
      });
  nb::class_<Config>(module, "Config", "The configuration of a quantisation.")
      .def_ro("json", &Config::json, "What its file holds.")
      .def_ro("layers", &Config::layers, "Every layer that it names.")
      .def_ro("enabled", &Config::enabled, "The layers that will be quantised, in graph order.")
      .def_ro("notes", &Config::notes)
      .def_ro("left_float", &Config::left_float)
      .def(
          "save",
          [](const Config& self, nb::handle path) {
            Check(WriteFileAtomically(PathOf(path), self.json));
          },
          nb::arg("path"), nb::sig("def save(self, path: str | os.PathLike[str]) -> None"));
  nb::class_<Calibration>(module, "Calibration", "What calibration found.")
      .def_ro("record", &Calibration::record)
      .def_ro("modified", &Calibration::modified,
              "The fused model with rounded weights: what lathe.save takes.")
      .def_ro("notes", &Calibration::notes)
      .def_ro("left_float", &Calibration::left_float);
}

}  // namespace

void LogOutcome(const std::vector<std::string>& notes, const std::vector<LeftFloat>& left_float) {
  for (const LeftFloat& layer : left_float) {
    LogInfo(fmt::format("float: {}: {}", layer.layer, layer.reason));
  }
  for (const std::string& note : notes) LogWarning(note);
}

flows::ConfigRequest ConfigArgument(nb::handle config, nb::handle cfg) {
  flows::ConfigRequest request;
  if (!cfg.is_none()) request.cfg_path = PathOf(cfg);
  if (config.is_none()) return request;
  if (nb::isinstance<Config>(config)) {
    request.json_text = nb::cast<const Config&>(config).json;
  } else if (nb::isinstance<nb::dict>(config)) {
    request.json_text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(config));
  } else {
    request.json_path = PathOf(config);
  }
  return request;
}

void AddPtq(nb::module_& module) {
  AddResults(module);
  module.def(
      "create_config", &CreateConfig, nb::arg("model"), nb::kw_only(), nb::arg("cfg") = nb::none(),
      nb::arg("batch_num") = 1, nb::arg("skip_layers") = std::vector<std::string>(),
      nb::arg("activation_offset") = true,
      nb::sig("def create_config(model: lathe._types.ModelLike, *, cfg: "
              "lathe._types.PathLike | None = None, batch_num: int = 1, skip_layers: "
              "collections.abc.Sequence[str] = (), activation_offset: bool = True) -> "
              "Config"),
      "The configuration of a float model: from a simplified one (cfg), or from the options.");
  module.def(
      "balance", &Balance, nb::arg("model"), nb::arg("data"), nb::arg("config"), nb::kw_only(),
      nb::arg("threads") = 0, nb::arg("shapes") = nb::none(), nb::arg("progress") = nb::none(),
      nb::sig("def balance(model: lathe._types.ModelLike, data: lathe._types.Data, config: "
              "lathe._types.ConfigLike, *, threads: int = 0, shapes: lathe._types.Shapes | "
              "None = None, progress: lathe._types.Progress = None) -> Record"),
      "Balance factors of the layers that ask for them (dmq_balancer_param), measured on the "
      "first batch.");
  module.def(
      "calibrate", &Calibrate, nb::arg("model"), nb::arg("data"), nb::arg("config"), nb::kw_only(),
      nb::arg("balance") = nb::none(), nb::arg("threads") = 0, nb::arg("shapes") = nb::none(),
      nb::arg("max_memory") = 0, nb::arg("progress") = nb::none(),
      nb::sig("def calibrate(model: lathe._types.ModelLike, data: lathe._types.Data, config: "
              "lathe._types.ConfigLike, *, balance: lathe._types.RecordLike | None = None, "
              "threads: int = 0, shapes: lathe._types.Shapes | None = None, max_memory: int "
              "= 0, progress: lathe._types.Progress = None) -> Calibration"),
      "Finds the factors of each layer on the first batch_num batches. max_memory: in bytes; more "
      "passes over the data if need be.");
  module.def("save", &Save, nb::arg("modified"), nb::arg("record"), nb::arg("output"),
             nb::kw_only(), nb::arg("emit") = "both",
             nb::sig("def save(modified: lathe._types.ModelLike, record: lathe._types.RecordLike, "
                     "output: lathe._types.PathLike, *, emit: str = 'both') -> list[str]"),
             "Writes the deploy and the fake-quant model of a calibrated one, all or none; emit: "
             "\"both\", \"deploy\", \"fake-quant\" or \"qdq\". Returns what was written.");
}

}  // namespace lathe::python
