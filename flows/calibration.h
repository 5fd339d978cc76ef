// Calibration: runs a network on data and finds the scale and offset of every observed activation.
#pragma once

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/passes/quant/quant_report.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"

namespace lathe::flows {

// `model` holds lathe.Observe nodes (pass insert-calibration), which are taken out. Runs
// `batch_num` batches, a second time for the few layers whose search needs it, and all of it again
// for every further control.observers_per_pass activations: the values and so the results are the
// same for any number of passes. Writes scale_d and offset_d of each observed layer into the
// record; an input of Add or MaxPool gets an entry of its own. A layer (or input) whose values are
// constant, vanishing, infinite or NaN loses its entry and is reported. Memory does not grow with
// the number of batches.
Status Calibrate(ir::Model& model, const quant::QuantSettings& settings, eval::Engine& engine,
                 const frontends::BatchSource& data, const RunControl& control,
                 quant::Record& record, passes::QuantReport& report);

}  // namespace lathe::flows
