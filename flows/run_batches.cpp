#include "lathe/flows/run_batches.h"

#include <new>

namespace lathe::flows {
namespace {

Status RunBatch(eval::CompiledGraph& compiled, const frontends::BatchSource& data, size_t batch) {
  try {
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    return compiled.Run(inputs).status();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace

Status StopIfAsked(const RunControl& control, std::string_view stage, size_t done, size_t total) {
  if (!control.interrupted || !control.interrupted()) return OkStatus();
  return absl::CancelledError(
      fmt::format("interrupted while {}, {} of {} done; nothing was written", stage, done, total));
}

Status WhereItStopped(const Status& status, std::string_view stage, size_t done, size_t total) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::ResourceExhaustedError(
      fmt::format("{}: stopped while {}, {} of {} done; nothing was written", FormatError(status),
                  stage, done, total));
}

Status RunBatches(eval::CompiledGraph& compiled, const frontends::BatchSource& data, size_t count,
                  std::string_view stage, const RunControl& control) {
  for (size_t batch = 0; batch < count; ++batch) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control, stage, batch, count));
    const Status status = RunBatch(compiled, data, batch);
    if (!status.ok()) return WhereItStopped(status, stage, batch, count);
    if (control.progress) control.progress(stage, batch + 1, count);
  }
  return OkStatus();
}

Status RunBatches(const ir::Model& model, std::vector<eval::Tap> taps, eval::Engine& engine,
                  const frontends::BatchSource& data, size_t count, std::string_view stage,
                  const RunControl& control) {
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  options.outputs = false;
  options.taps = std::move(taps);
  const auto compiled = engine.Compile(model, options);
  if (!compiled.ok()) return WhereItStopped(compiled.status(), stage, 0, count);
  return RunBatches(**compiled, data, count, stage, control);
}

}  // namespace lathe::flows
