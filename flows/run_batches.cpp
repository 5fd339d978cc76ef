#include "lathe/flows/run_batches.h"

namespace lathe::flows {

Status StopIfAsked(const RunControl& control) {
  if (!control.interrupted || !control.interrupted()) return OkStatus();
  return absl::CancelledError("interrupted; nothing was written");
}

Status RunBatches(const ir::Model& model, std::vector<eval::Tap> taps, eval::Engine& engine,
                  const frontends::BatchSource& data, size_t count, std::string_view stage,
                  const RunControl& control) {
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  options.outputs = false;
  options.taps = std::move(taps);
  LATHE_ASSIGN_OR_RETURN(const auto compiled, engine.Compile(model, options));
  for (size_t batch = 0; batch < count; ++batch) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    LATHE_RETURN_IF_ERROR(compiled->Run(inputs).status());
    if (control.progress) control.progress(stage, batch + 1, count);
  }
  return OkStatus();
}

}  // namespace lathe::flows
