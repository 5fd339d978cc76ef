// searchN in quantisation-aware training: which trained layers are searched together, and the
// search.
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/ir/model.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/passes/searchn/search_n_layers.h"
#include "lathe/quant/config/record.h"

namespace lathe::flows {

struct SearchNPlan {
  // Each trained layer that can be shifted, once, in graph order; layers in front of one Add, whose
  // results the accelerator adds as integers (passes/quant/joint_groups.h), in one group.
  std::vector<passes::SearchNGroup> groups;
  // Layers that cannot be shifted, and those that share.
  std::vector<std::string> notes;
};

// `model` is the float network, BatchNormalization folded or not. O(nodes).
StatusOr<SearchNPlan> PlanSearchN(const ir::Model& model,
                                  const std::vector<passes::RetrainLayer>& layers);

// Runs what was trained, quantised as `record` says, over `batch_num` batches, and writes shift_bit
// into the record. Layers that share get common products of their scales first. A convolution whose
// results are one value a channel (height and width 1) gets one N for all of them; in version 1 its
// scales become the largest, too (the ONNX flavour's reference, 2.2 and 2.3). `fused` has its
// BatchNormalization folded. Returns notes.
StatusOr<std::vector<std::string>> SearchRetrainShifts(
    const ir::Model& fused, const SearchNPlan& plan, quant::SearchNVersion version,
    int64_t batch_num, eval::Engine& engine, const frontends::BatchSource& data,
    const RunControl& control, quant::Record& record);

}  // namespace lathe::flows
