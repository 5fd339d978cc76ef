// Applies the channel half of a record to a network.
#pragma once

#include "lathe/ir/rewriter.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct ChannelCut {
  // Nodes that lost something.
  int64_t nodes = 0;
  // Output channels of layers that went.
  int64_t channels = 0;
  // The network had lost all of it before.
  bool was_applied = false;
};

// Takes from every producer and consumer of the record its prune_index, which counts in the network
// before pruning. Shapes are those of the network before, and are inferred anew after. A network
// whose producers already have what the record leaves is left as it is. O(nodes + weights that are
// cut). Errors, with the number of the prune_record and the node: a node that the network lacks,
// has with another operator or another number of channels; indices that do not fit it; groups that
// would lose different numbers; a network that has lost some of it; shapes that contradict each
// other afterwards.
StatusOr<ChannelCut> CutChannels(ir::Rewriter& rewriter, const quant::Record& record);

}  // namespace lathe::passes
