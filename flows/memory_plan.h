// How a calibration job keeps to a memory limit, worked out before it starts.
#pragma once

#include <cstddef>

#include "lathe/flows/calibration.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/ir/model.h"
#include "lathe/quant/config/quant_settings.h"

namespace lathe::flows {

// How many activations may be observed in one pass over the data so that the job stays within
// control.max_memory: at least one, and SIZE_MAX without a limit. `model` is the float model as
// loaded, `settings` are its layers'. Counts with the largest of the batches: `settings.batch_num`
// of `data`, and all of `measured`, on which the outputs of the float and the quantised model are
// compared (null: they are not). Reads shapes only; O(nodes). Errors: the least that the job takes
// is more than the limit (says what it consists of); a shape is not known before the run;
// joint_quant or tensor_quantize with a limit.
StatusOr<size_t> PlanObserversPerPass(const ir::Model& model, const quant::QuantSettings& settings,
                                      const frontends::BatchSource& data, const RunControl& control,
                                      const frontends::BatchSource* measured);

}  // namespace lathe::flows
