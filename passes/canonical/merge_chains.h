// Merging of operators in a row: y = B(A(x)) becomes y = C(x), where C is of the same family.
#pragma once

#include <optional>
#include <string>

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// Why two nodes cannot be merged; nothing when they were.
using MergeRefusal = std::optional<std::string>;

struct ChainFamily {
  // Whether the node can be part of a chain: by its operator only. Cheap, it is asked of every
  // node.
  bool (*belongs)(const ir::Node& node);
  // Makes `last`, whose input 0 is the first result of `first`, read the input of `first` and do
  // what both did; `first` and the name and type of the results stay as they are. `only_use`:
  // nothing else reads a result of `first`, which will go. Changes nothing when it refuses.
  MergeRefusal (*merge)(PassContext& context, ir::Node& first, ir::Node& last, bool only_use);
};

// Walks every graph once, forward, so that a chain of any length becomes one node. `last` takes
// over the origins of the nodes that go. Nodes whose attributes a function's caller gives are left
// alone. Counts "merged". Returns whether anything changed. O(nodes).
StatusOr<bool> MergeChains(const ChainFamily& family, PassContext& context);

}  // namespace lathe::passes
