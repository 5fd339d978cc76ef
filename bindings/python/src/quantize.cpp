#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/batches.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/ptq.h"
#include "lathe/flows/quantize_model.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/quoted.h"

namespace lathe::python {
namespace {

struct QuantizeArguments {
  nb::handle config;
  nb::handle cfg;
  std::vector<std::string> skip_layers;
  std::string effort;
  nb::handle evaluation;
  nb::handle labels;
};

flows::QuantizeSummary Quantize(nb::handle model, nb::handle data, nb::handle output,
                                const QuantizeArguments& wishes, const Control::Options& options) {
  Call call;
  const ModelArgument argument(model);
  const DataArgument batches(call, data);
  std::optional<DataArgument> evaluation;
  flows::QuantizeRequest request;
  request.config = ConfigArgument(wishes.config, wishes.cfg);
  request.config.options.skip_layers = wishes.skip_layers;
  if (wishes.effort != "default" && wishes.effort != "high") {
    Check(InvalidInput("effort is {}: give 'default' or 'high'", Quoted(wishes.effort)));
  }
  if (wishes.effort == "high") request.effort = flows::Effort::kHigh;
  if (!wishes.labels.is_none()) request.labels = flows::Labels{ToTensor(wishes.labels), "labels"};
  if (!wishes.evaluation.is_none()) {
    if (!request.labels) Check(InvalidInput("eval_data is given without labels"));
    evaluation.emplace(call, wishes.evaluation);
  }
  request.model_path = argument.path;
  request.output_prefix = PathOf(output);
  const Control control(call, options);
  request.control = control.get();
  flows::QuantizeSummary summary = call.Run([&]() -> StatusOr<flows::QuantizeSummary> {
    LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, argument.LoadFloat());
    LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*loaded.model, control.get()));
    request.data = source.get();
    std::unique_ptr<frontends::BatchSource> measured;
    if (evaluation) {
      LATHE_ASSIGN_OR_RETURN(measured, evaluation->Open(*loaded.model, control.get()));
      request.evaluation = measured.get();
    }
    const auto engine = runtime::MakeOpenVinoEngine();
    return flows::QuantizeModel(std::move(loaded), request, *engine);
  });
  LogOutcome(summary.notes, summary.left_float);
  return summary;
}

void AddSummary(nb::module_& module) {
  nb::class_<flows::OutputPaths>(module, "OutputPaths", "Where results stand.")
      .def_ro("deploy", &flows::OutputPaths::deploy)
      .def_ro("fake_quant", &flows::OutputPaths::fake_quant)
      .def_ro("record", &flows::OutputPaths::record)
      .def_ro("config", &flows::OutputPaths::config);
  nb::class_<flows::Accuracy>(module, "Accuracy", "Shares of samples classified as labelled.")
      .def_ro("float_model", &flows::Accuracy::float_model)
      .def_ro("fake_quant", &flows::Accuracy::fake_quant)
      .def_ro("samples", &flows::Accuracy::samples);
  nb::class_<flows::QuantizeSummary>(module, "QuantizeSummary", "What lathe.quantize did.")
      .def_ro("paths", &flows::QuantizeSummary::paths)
      .def_ro("quantized", &flows::QuantizeSummary::quantized)
      .def_ro("left_float", &flows::QuantizeSummary::left_float)
      .def_ro("notes", &flows::QuantizeSummary::notes)
      .def_ro("bytes_before", &flows::QuantizeSummary::bytes_before,
              "Of the model's file; 0 where there is none.")
      .def_ro("bytes_deploy", &flows::QuantizeSummary::bytes_deploy)
      .def_ro("bytes_fake_quant", &flows::QuantizeSummary::bytes_fake_quant)
      .def_ro("sqnr_db", &flows::QuantizeSummary::sqnr_db,
              "Of the fake-quant model's worst output on the last batch.")
      .def_ro("accuracy", &flows::QuantizeSummary::accuracy);
}

}  // namespace

void AddQuantize(nb::module_& module) {
  AddSummary(module);
  module.def(
      "quantize",
      [](nb::handle model, nb::handle data, nb::handle output, nb::handle config, nb::handle cfg,
         std::vector<std::string> skip_layers, std::string effort, nb::handle eval_data,
         nb::handle labels, int threads, nb::object shapes, uint64_t max_memory,
         nb::object progress) {
        return Quantize(model, data, output,
                        {config, cfg, std::move(skip_layers), std::move(effort), eval_data, labels},
                        {threads, std::move(shapes), std::move(progress), max_memory});
      },
      nb::arg("model"), nb::arg("data"), nb::arg("output"), nb::kw_only(),
      nb::arg("config") = nb::none(), nb::arg("cfg") = nb::none(),
      nb::arg("skip_layers") = std::vector<std::string>(), nb::arg("effort") = "default",
      nb::arg("eval_data") = nb::none(), nb::arg("labels") = nb::none(), nb::arg("threads") = 0,
      nb::arg("shapes") = nb::none(), nb::arg("max_memory") = 0, nb::arg("progress") = nb::none(),
      nb::sig("def quantize(model: lathe._types.ModelLike, data: lathe._types.Data, output: "
              "lathe._types.PathLike, *, config: lathe._types.ConfigLike | None = None, cfg: "
              "lathe._types.PathLike | None = None, skip_layers: collections.abc.Sequence[str] = "
              "(), effort: str = 'default', eval_data: lathe._types.Data | None = None, labels: "
              "numpy.typing.ArrayLike | None = None, threads: int = 0, shapes: "
              "lathe._types.Shapes | None = None, max_memory: int = 0, progress: "
              "lathe._types.Progress = None) -> QuantizeSummary"),
      "The main job: writes output_deploy_model.onnx, output_fake_quant_model.onnx, "
      "output_record.txt and output_config.json, all or none. effort: \"default\" or \"high\". "
      "With "
      "labels, one class number a sample of eval_data (or of data), accuracy is measured. "
      "max_memory: in bytes; more passes over the data if need be.");
}

}  // namespace lathe::python
