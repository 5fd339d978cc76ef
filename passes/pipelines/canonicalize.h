// The pipeline `canonicalize`: which clean-ups there are, in which order, and why.
#pragma once

#include <string_view>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

//   freeze-inputs          first, and of old models only: their constants are inputs, and no pass
//                          could make a constant
//   inline-functions       early: no other pass looks into a call
//   eliminate-dead-nodes   what nothing needs is not worth a look
//   the round, until nothing changes:
//     infer-shapes         before everything that decides by shape, and again, since a rewrite may
//                          show more; types are not listed, a file stays as small as it was
//     fold-constants       before what asks whether an operand is constant
//     fold-shapes          after it: what types say and constants do not
//     inline-if, inline-loop
//                          after both, which may make the condition constant
//     eliminate-no-ops, eliminate-zero-additions
//                          before what looks at operators in a row, since they stand between
//     merge-*              operators in a row, before the fusions, which look for one
//     fuse-pad             before the other fusions: a layer's weights do not show in it
//     fuse-conv-bn         before convert-batch-norm, which takes what it leaves
//     convert-batch-norm   before the affine fusions, which take its Mul and Add
//     fuse-affine-after, fuse-affine-before
//                          after first: it is exact for every layer
//     convert-matmul-add   after them, since Gemm has no batch
//     eliminate-common-subexpressions
//                          after all that makes different nodes equal
//     eliminate-dead-nodes last: what the others left without a use
inline constexpr std::string_view kCanonicalizePipeline =
    "freeze-inputs{old-only=true},inline-functions,eliminate-dead-nodes,"
    "fixpoint(infer-shapes{list=false,skip-known=true},fold-constants,fold-shapes,inline-if,"
    "inline-loop,eliminate-no-ops,eliminate-zero-additions,merge-casts,merge-transposes,"
    "merge-squeezes,merge-reshapes,merge-slices,merge-pads,merge-concats,merge-reduces,fuse-pad,"
    "fuse-conv-bn{transposed=true},convert-batch-norm,fuse-affine-after,fuse-affine-before,"
    "convert-matmul-add,eliminate-common-subexpressions,eliminate-dead-nodes)";
const PipelineDescriptor& CanonicalizePipelineDescriptor();

}  // namespace lathe::passes
