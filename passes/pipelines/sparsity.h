// The order of sparsity, and why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

// A prepared float network to one that is sparse as a record says.
//   prune-channels   first: masks have the shape of what is left, and quantisation points are marks
//                    on operands that a cut would lose; it keeps no such mark
//   mask-weights     before anything is quantised: zeros must be chosen among floats
inline constexpr std::string_view kSparsityPipeline = "prune-channels,mask-weights";

// Proves a pattern of layers that were masked; behind fusion, which scales channels and keeps
// zeros.
std::string CheckNmPipeline(const std::vector<std::string>& layers, int64_t m, int64_t n);

// The first by the name "sparsity".
const PipelineDescriptor& SparsityPipelineDescriptor();

}  // namespace lathe::passes
