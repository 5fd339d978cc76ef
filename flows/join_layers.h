// Joint quantisation: layers whose results are added get common scales and shifts.
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"

namespace lathe::flows {

// For each group of layers that can be added as integers (passes/quant/joint_groups.h): makes their
// scale_d * scale_w equal (quant/joint_scales.h), finds for each channel the shift N that suits the
// results of all of them best (quant/search_n.h, version 2), and writes scale_w and shift_bit into
// the record. `observed` is the network that calibration ran, with marks and without observers; it
// is run once more over `batch_num` batches when there is a group. Returns a sentence for each
// group, or one that says that there is none.
StatusOr<std::vector<std::string>> JoinLayers(const ir::Model& observed, int64_t batch_num,
                                              eval::Engine& engine,
                                              const frontends::BatchSource& data,
                                              const RunControl& control, quant::Record& record);

}  // namespace lathe::flows
