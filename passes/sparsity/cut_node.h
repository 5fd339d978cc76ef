// One node without some channels.
#pragma once

#include <optional>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// Channels of one node that go, counted before any went.
struct NodeCut {
  // A layer's own output channels; ascending.
  std::vector<int64_t> out;
  // Channels of its input, or for Reshape of its result; ascending.
  std::vector<int64_t> in;
  // Of `in`, counted from the end; nothing: the operator says it.
  std::optional<int64_t> axis;
};

// How many channels the layer `node` makes, and sees; nothing when it is no layer with a constant
// weight.
struct LayerChannels {
  int64_t out = 0;
  int64_t in = 0;
};
std::optional<LayerChannels> CountChannels(ir::Node& node);

// Cuts weights, biases and other constants, group counts, sizes and bounds of the node. A constant
// that others use as well is copied. What the reference only names (Add, Concat) stays as it is.
// O(the node's constants). Errors, without the node's name: indices beyond its channels; groups
// that would lose different numbers; a node that has nothing of the kind to cut.
Status CutNode(ir::Rewriter& rewriter, ir::Node& node, const NodeCut& cut);

}  // namespace lathe::passes
