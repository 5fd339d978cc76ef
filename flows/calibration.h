// Calibration: runs a network on data and finds the scale and offset of every observed activation.
#pragma once

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
  // Called after each batch with the number of batches done and of all, passes over the data
  // included.
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
  // Asked before each batch; true stops the run with a Cancelled status.
  std::function<bool()> interrupted;
};

// `model` holds lathe.Observe nodes (pass insert-calibration), which are taken out. Runs
// `batch_num` batches, a second time for the few layers whose search needs it, and writes scale_d
// and offset_d of each observed layer into the record; an input of Add or MaxPool gets an entry of
// its own. A layer (or input) whose values are constant,
// vanishing, infinite or NaN loses its entry and is reported. Memory does not grow with the number
// of batches.
Status Calibrate(ir::Model& model, const quant::QuantSettings& settings, eval::Engine& engine,
                 const frontends::BatchSource& data, const RunControl& control,
                 quant::Record& record, passes::QuantReport& report);

}  // namespace lathe::flows
