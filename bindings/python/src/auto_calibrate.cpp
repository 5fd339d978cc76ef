#include "lathe/flows/auto_calibrate.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/batches.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/ptq.h"
#include "lathe/runtime/engine.h"

namespace lathe::python {
namespace {

using flows::AutoSummary;
using flows::LayerSimilarity;
using flows::MeasuredCandidate;

struct AutoArguments {
  nb::handle evaluate;
  std::string identity;
  nb::handle labels;
  nb::handle evaluation;
  flows::AccuracyBudget budget;
};

// Asks Python code for the number of a candidate.
flows::ModelEvaluator CallEvaluator(Call& call, nb::handle evaluate, const std::string& identity) {
  flows::ModelEvaluator evaluator;
  evaluator.identity = "python " + identity;
  evaluator.measure = [&call, evaluate](const std::string& deploy,
                                        const std::string& fake_quant) -> StatusOr<double> {
    double value = 0;
    LATHE_RETURN_IF_ERROR(call.CallPython(
        [&] { value = nb::cast<double>(nb::float_(evaluate(deploy, fake_quant))); }));
    return value;
  };
  return evaluator;
}

AutoSummary AutoCalibrate(nb::handle model, nb::handle data, nb::handle output,
                          flows::ConfigRequest config, const AutoArguments& wishes,
                          const Control::Options& options) {
  Call call;
  const std::string path = PathOf(model);
  const DataArgument batches(call, data);
  std::optional<DataArgument> evaluation;
  flows::Labels labels;
  const bool labelled = !wishes.labels.is_none();
  if (labelled == !wishes.evaluate.is_none()) {
    Check(InvalidInput("give evaluate or labels, one of the two"));
  }
  if (labelled == wishes.evaluation.is_none()) {
    Check(
        InvalidInput("labels and eval_data go together: data that does not calibrate, and its "
                     "labels"));
  }
  if (labelled) {
    labels = {ToTensor(wishes.labels), "labels"};
    evaluation.emplace(call, wishes.evaluation);
  }
  flows::AutoRequest request;
  request.config = std::move(config);
  request.model_path = path;
  request.output_prefix = PathOf(output);
  request.budget = wishes.budget;
  const Control control(call, options);
  request.control = control.get();
  AutoSummary summary = call.Run([&]() -> StatusOr<AutoSummary> {
    LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(path));
    LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*loaded.model, control.get()));
    request.data = source.get();
    const auto engine = runtime::MakeEngine();
    std::unique_ptr<frontends::BatchSource> measured;
    if (labelled) {
      LATHE_ASSIGN_OR_RETURN(measured, evaluation->Open(*loaded.model, control.get()));
      LATHE_ASSIGN_OR_RETURN(request.evaluator,
                             flows::MakeLabelEvaluator(*loaded.model, labels, *measured, *source,
                                                       *engine, control.get()));
    } else {
      request.evaluator = CallEvaluator(call, wishes.evaluate, wishes.identity);
    }
    return flows::AutoCalibrate(std::move(loaded), request, *engine);
  });
  for (const std::string& note : summary.notes) LogWarning(note);
  return summary;
}

}  // namespace

void AddAutoCalibrate(nb::module_& module) {
  nb::class_<LayerSimilarity>(module, "LayerSimilarity",
                              "How much a layer alone changes its result.")
      .def_ro("layer", &LayerSimilarity::layer)
      .def_ro("similarity", &LayerSimilarity::similarity);
  nb::class_<MeasuredCandidate>(module, "Candidate", "A network that was tried.")
      .def_ro("rolled_back", &MeasuredCandidate::rolled_back,
              "How many of the most sensitive layers were float.")
      .def_ro("value", &MeasuredCandidate::value);
  nb::class_<AutoSummary>(module, "AutoSummary", "What lathe.auto_calibrate did.")
      .def_ro("paths", &AutoSummary::paths)
      .def_ro("float_value", &AutoSummary::float_value)
      .def_ro("meets_budget", &AutoSummary::meets_budget)
      .def_ro("candidates", &AutoSummary::candidates)
      .def_ro("chosen", &AutoSummary::chosen, "Index of the candidate that was saved.")
      .def_ro("resumed", &AutoSummary::resumed)
      .def_ro("ranking", &AutoSummary::ranking, "The most sensitive layer first.")
      .def_ro("quantized", &AutoSummary::quantized)
      .def_ro("left_float", &AutoSummary::left_float)
      .def_ro("notes", &AutoSummary::notes);
  module.def(
      "auto_calibrate",
      [](nb::handle model, nb::handle data, nb::handle output, double budget, nb::handle evaluate,
         std::string identity, nb::handle labels, nb::handle eval_data, bool lower_is_better,
         nb::handle config, nb::handle cfg, int threads, nb::object shapes, nb::object progress) {
        return AutoCalibrate(model, data, output, ConfigArgument(config, cfg),
                             {evaluate,
                              std::move(identity),
                              labels,
                              eval_data,
                              {.allowed = budget, .lower_is_better = lower_is_better}},
                             {threads, std::move(shapes), std::move(progress)});
      },
      nb::arg("model"), nb::arg("data"), nb::arg("output"), nb::kw_only(), nb::arg("budget"),
      nb::arg("evaluate") = nb::none(), nb::arg("identity") = "", nb::arg("labels") = nb::none(),
      nb::arg("eval_data") = nb::none(), nb::arg("lower_is_better") = false,
      nb::arg("config") = nb::none(), nb::arg("cfg") = nb::none(), nb::arg("threads") = 0,
      nb::arg("shapes") = nb::none(), nb::arg("progress") = nb::none(),
      nb::sig("def auto_calibrate(model: lathe._types.PathLike, data: lathe._types.Data, output: "
              "lathe._types.PathLike, *, budget: float, evaluate: "
              "collections.abc.Callable[[str, str], float] | None = None, identity: str = '', "
              "labels: numpy.typing.ArrayLike | None = None, eval_data: lathe._types.Data | None = "
              "None, lower_is_better: bool = False, config: lathe._types.ConfigLike | None = None, "
              "cfg: lathe._types.PathLike | None = None, threads: int = 0, shapes: "
              "lathe._types.Shapes | None = None, progress: lathe._types.Progress = None) -> "
              "AutoSummary"),
      "Quantises as much as an accuracy budget allows (docs/auto-calibration.md). evaluate(deploy, "
      "fake_quant) gives one number for the files of two models; `identity` names what it "
      "measures: "
      "a resumed job takes over numbers of the same name only.");
}

}  // namespace lathe::python
