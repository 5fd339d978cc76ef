// Running a model over data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// What every run over data takes.
struct RunControl {
  int threads = 0;
  // Fixed shapes of graph inputs, by name.
  std::vector<std::pair<std::string, std::vector<int64_t>>> input_shapes;
  // The most memory that a job may take, in bytes; 0: what it needs. Jobs that calibrate keep to it
  // (memory_plan.h) and choose observers_per_pass by it.
  uint64_t max_memory = 0;
  // So many activations are observed at once, the others in further passes over the data.
  size_t observers_per_pass = SIZE_MAX;
  // Called after each batch with the number of batches done and of all, passes over the data
  // included.
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
  // Asked before each batch; true stops the run with a Cancelled status.
  std::function<bool()> interrupted;
};

// A Cancelled status when the run is to stop; it says how far `stage` has come.
Status StopIfAsked(const RunControl& control, std::string_view stage, size_t done, size_t total);

// Adds where it was to a status that says that there is no memory (ResourceExhausted).
Status WhereItStopped(const Status& status, std::string_view stage, size_t done, size_t total);

// Runs the first `count` batches through what was compiled. `stage` says what for, in progress and
// where it stops.
Status RunBatches(eval::CompiledGraph& compiled, const frontends::BatchSource& data, size_t count,
                  std::string_view stage, const RunControl& control);

// The same through `model`, of which only what the taps are after is
// computed.
Status RunBatches(const ir::Model& model, std::vector<eval::Tap> taps, eval::Engine& engine,
                  const frontends::BatchSource& data, size_t count, std::string_view stage,
                  const RunControl& control);

}  // namespace lathe::flows
