#include "lathe/bindings/python/src/run.h"

#include <memory>
#include <mutex>
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
#include "lathe/flows/compare_models.h"
#include "lathe/ir/input_spec.h"
#include "lathe/runtime/engine.h"

namespace lathe::python {
namespace {

// A model that was compiled to be run.
class Session {
 public:
  Session(nb::handle given, int threads, nb::object shapes) {
    const ModelArgument argument(given);
    Call call;
    const Control control(call, {threads, std::move(shapes), nb::bool_(false)});
    call.Run([&]() -> StatusOr<bool> {
      LATHE_ASSIGN_OR_RETURN(model_, argument.Load());
      LATHE_ASSIGN_OR_RETURN(inputs_, ir::InputSpecs(model_->graph(), control.get().input_shapes));
      engine_ = runtime::MakeEngine(
          {.isa = {}, .note = [this](const std::string& note) { notes_.push_back(note); }});
      eval::CompileOptions options;
      options.threads = control.get().threads;
      options.input_shapes = control.get().input_shapes;
      auto compiled = engine_->Compile(*model_, options);
      if (!compiled.ok()) return InFile(compiled.status(), argument.path);
      compiled_ = *std::move(compiled);
      return true;
    });
    path_ = argument.path;
    for (const ir::Use& output : model_->graph().outputs()) {
      outputs_.emplace_back(output.value()->name_text());
    }
    Log(std::exchange(notes_, {}));
  }

  // The names.
  std::vector<std::string> inputs() const {
    std::vector<std::string> names;
    for (const ir::InputSpec& spec : inputs_) names.push_back(spec.name);
    return names;
  }
  const std::vector<std::string>& outputs() const { return outputs_; }

  nb::dict Run(nb::handle inputs) {
    const std::vector<ir::Tensor> tensors = ToBatch(inputs, inputs_);
    std::vector<std::string> notes;
    const std::vector<ir::Tensor> results = Call().Run([&]() -> StatusOr<std::vector<ir::Tensor>> {
      const std::lock_guard lock(mutex_);
      auto ran = compiled_->Run(tensors);
      notes = std::exchange(notes_, {});
      if (!ran.ok()) return InFile(ran.status(), path_);
      return ran;
    });
    Log(notes);
    nb::dict named;
    for (size_t i = 0; i < results.size(); ++i) {
      named[nb::cast(outputs_[i])] = ToArray(results[i]);
    }
    return named;
  }

 private:
  static Status InFile(const Status& status, const std::string& path) {
    return path.empty() ? status : WithContext(status, ErrorContext::kFile, path);
  }

  static void Log(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) LogInfo(note);
  }

  std::string path_;
  std::unique_ptr<ir::Model> model_;
  std::vector<ir::InputSpec> inputs_;
  std::vector<std::string> outputs_;
  std::unique_ptr<eval::Engine> engine_;
  std::unique_ptr<eval::CompiledGraph> compiled_;
  // One run after the other. Only taken without the GIL: a run may want that.
  std::mutex mutex_;
  // From the engine.
  std::vector<std::string> notes_;
};

std::vector<flows::LayerDifference> Compare(nb::handle a, nb::handle b, nb::handle data,
                                            int threads, nb::object shapes, nb::object progress) {
  Call call;
  const ModelArgument first(a);
  const ModelArgument second(b);
  const DataArgument batches(call, data);
  const Control control(call, {threads, std::move(shapes), std::move(progress)});
  return call.Run([&]() -> StatusOr<std::vector<flows::LayerDifference>> {
    LATHE_ASSIGN_OR_RETURN(const auto model_a, first.Load());
    LATHE_ASSIGN_OR_RETURN(const auto model_b, second.Load());
    LATHE_ASSIGN_OR_RETURN(const auto source, batches.Open(*model_a, control.get()));
    const auto engine = runtime::MakeEngine();
    return flows::CompareModels({*model_a, first.path}, {*model_b, second.path}, *source, *engine,
                                control.get());
  });
}

}  // namespace

void AddRun(nb::module_& module) {
  nb::class_<Session>(
      module, "Session",
      "A model compiled for this CPU: float, fake-quant and deploy models, the last "
      "to the bit.")
      .def(
          nb::init<nb::handle, int, nb::object>(), nb::arg("model"), nb::kw_only(),
          nb::arg("threads") = 0, nb::arg("shapes") = nb::none(),
          nb::sig("def __init__(self, model: lathe._types.ModelLike, *, threads: int = 0, shapes: "
                  "lathe._types.Shapes | None = None) -> None"),
          "threads 0: as many as the machine has. shapes: of inputs with free dimensions, by name.")
      .def_prop_ro("inputs", &Session::inputs, "The names of the inputs, in order.")
      .def_prop_ro("outputs", &Session::outputs, "The names of the outputs, in order.")
      .def(
          "run", &Session::Run, nb::arg("inputs"),
          nb::sig("def run(self, inputs: lathe._types.Batch) -> dict[str, numpy.ndarray]"),
          "Runs the model once. Arrays are read where they are, and must not change meanwhile; the "
          "results are read-only arrays that nobody else writes.");
  nb::class_<flows::LayerDifference>(module, "LayerDifference",
                                     "How much a layer's result differs between two models.")
      .def_ro("layer", &flows::LayerDifference::layer)
      .def_ro("op", &flows::LayerDifference::op)
      .def_ro("sqnr_db", &flows::LayerDifference::sqnr_db)
      .def_ro("cosine", &flows::LayerDifference::cosine)
      .def_ro("largest", &flows::LayerDifference::largest)
      .def_ro("saturated_a", &flows::LayerDifference::saturated_a)
      .def_ro("saturated_b", &flows::LayerDifference::saturated_b)
      .def("__repr__", [](const flows::LayerDifference& self) {
        return nb::str("<{} {}: {:.1f} dB>").format(self.op, self.layer, self.sqnr_db);
      });
  module.def("compare", &Compare, nb::arg("a"), nb::arg("b"), nb::arg("data"), nb::kw_only(),
             nb::arg("threads") = 0, nb::arg("shapes") = nb::none(),
             nb::arg("progress") = nb::none(),
             nb::sig("def compare(a: lathe._types.ModelLike, b: lathe._types.ModelLike, data: "
                     "lathe._types.Data, *, threads: int = 0, shapes: lathe._types.Shapes | None = "
                     "None, progress: lathe._types.Progress = None) -> list[LayerDifference]"),
             "Compares two models of one network layer by layer; `a` counts as right.");
}

}  // namespace lathe::python
