// What the folding of operators before a layer and of those after it share: a chain of Mul, Add,
// Sub and Div becomes part of a layer's weights.
#pragma once

#include <string_view>
#include <vector>

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// A remark at `where`, an operator of the chain: why it was not folded into the layer.
void ChainMissed(const PassContext& context, const ir::Node& layer, const ir::Node& where,
                 std::string_view reason);

// The weights of the layer do what the chain did: remarks, the statistic "folded", and the origins
// of the chain for the layer. The chain's nodes stay where they are.
void ChainFolded(PassContext& context, ir::Node& layer, const std::vector<ir::Node*>& chain);

}  // namespace lathe::passes
