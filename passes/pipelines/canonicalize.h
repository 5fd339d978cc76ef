// The pipeline `canonicalize`: which clean-ups there are, in which order, and why.
#pragma once

#include <string_view>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

//   eliminate-dead-nodes   first: what nothing needs is not worth a look
//   the round, until nothing changes:
//     infer-shapes         before everything that decides by shape, and again, since a rewrite may
//                          show more; types are not listed, a file stays as small as it was
//     eliminate-no-ops, eliminate-zero-additions
//                          before what looks at operators in a row, since they stand between
//     eliminate-common-subexpressions
//                          after them, since nodes that differ by a no-op are equal then
//     eliminate-dead-nodes last: what the others left without a use
inline constexpr std::string_view kCanonicalizePipeline =
    "eliminate-dead-nodes,"
    "fixpoint(infer-shapes{list=false,skip-known=true},eliminate-no-ops,eliminate-zero-additions,"
    "eliminate-common-subexpressions,eliminate-dead-nodes)";
const PipelineDescriptor& CanonicalizePipelineDescriptor();

}  // namespace lathe::passes
