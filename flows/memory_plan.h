// What a calibration job takes at its peak, worked out before it starts; this keeps the promise of
// a memory limit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/flows/calibration.h"

namespace lathe::flows {

struct MemoryPart {
  std::string what;
  uint64_t bytes = 0;
};

// What is alive at the same time.
struct MemoryStage {
  std::string name;
  std::vector<MemoryPart> parts;

  uint64_t Total() const;
};

struct MemoryPlan {
  // How many activations are observed in one pass over the data; more passes see the others.
  size_t observers_per_pass = 0;
  // What the job is expected to take at most, and in which stage.
  uint64_t peak = 0;
  std::vector<MemoryStage> stages;
};

// `model` is the float model as loaded, `settings` are its layers'. Plans for the largest of the
// batches: `settings.batch_num` of `data`, and all of `measured`, on which outputs are compared
// afterwards (null: nothing is). As many observers a pass as fit into control.max_memory, at least
// one; without a limit all, and nothing is worked out. Reads shapes only. Errors: the least that
// the job takes is more than the limit (says how much, and what drives it); a shape is not known
// before the run.
StatusOr<MemoryPlan> PlanMemory(const ir::Model& model, const quant::QuantSettings& settings,
                                const frontends::BatchSource& data, const RunControl& control,
                                const frontends::BatchSource* measured);

}  // namespace lathe::flows
