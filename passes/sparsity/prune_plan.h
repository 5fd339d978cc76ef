// From groups of channels to the record of what goes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/sparsity/channel_flow.h"
#include "lathe/quant/config/prune_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct PrunePlan {
  // One a group of channels, in the reference's order; a group that loses nothing is there, too.
  std::vector<quant::PruneRecord> records;
  // Layers that were to lose channels and lose none, with the reason, as a clause.
  std::vector<std::pair<std::string, std::string>> left;
  // Channels of producers, and how many of them go.
  int64_t channels = 0;
  int64_t pruned = 0;
};

// Follows the channels of the layers with FilterPruneConfig (channel_flow.h) and chooses, for each
// group, those that go (the reference's 8.4): the smallest ratio of its producers, aligned if any
// of them is, by the norms of the first producer's filters. The model has inferred shapes. Nothing
// is changed. O(nodes + weights of first producers). Errors: a weight file was shortened.
StatusOr<PrunePlan> PlanPruning(const ir::Model& model, const quant::PruneSettings& settings,
                                PruneReach reach);

}  // namespace lathe::passes
