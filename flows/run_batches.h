// Running a model over data.
#pragma once

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
  // Called after each batch with the number of batches done and of all, passes over the data
  // included.
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
  // Asked before each batch; true stops the run with a Cancelled status.
  std::function<bool()> interrupted;
};

// A Cancelled status when the run is to stop.
Status StopIfAsked(const RunControl& control);

// Runs the first `count` batches through `model`, of which only what the taps are after is
// computed. `stage` says what for, in progress.
Status RunBatches(const ir::Model& model, std::vector<eval::Tap> taps, eval::Engine& engine,
                  const frontends::BatchSource& data, size_t count, std::string_view stage,
                  const RunControl& control);

}  // namespace lathe::flows
