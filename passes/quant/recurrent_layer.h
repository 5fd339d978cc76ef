// Which LSTM and GRU nodes can be quantised.
#pragma once

#include <variant>

#include "lathe/passes/quant/quant_layer.h"

namespace lathe::passes {

// The layer that an LSTM or GRU node is, but for its name and node, or why it is none:
// InspectLayer's part for these two. A layer that exceeds only what the reference allows (its 3.5)
// has on_request set. O(nodes upstream of its initial states).
std::variant<QuantLayer, NotALayer> InspectRecurrent(ir::Node& node);

}  // namespace lathe::passes
