// Calibration: runs a network on data and finds the scale and offset of every observed activation.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/passes/quant/quant_report.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"

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

// `model` holds lathe.Observe nodes (pass insert-calibration), which are taken out. Runs
// `batch_num` batches, a second time for the few layers whose search needs it, and all of it again
// for every further control.observers_per_pass activations: the values and so the results are the
// same for any number of passes. Writes scale_d and offset_d of each observed layer into the
// record. A layer whose values are constant, vanishing, infinite or NaN loses its entry and is
// reported. Memory does not grow with the number of batches.
Status Calibrate(ir::Model& model, const quant::QuantSettings& settings, eval::Engine& engine,
                 const frontends::BatchSource& data, const RunControl& control,
                 quant::Record& record, passes::QuantReport& report);

}  // namespace lathe::flows
