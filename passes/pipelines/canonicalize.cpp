#include "lathe/passes/pipelines/canonicalize.h"

namespace lathe::passes {

const PipelineDescriptor& CanonicalizePipelineDescriptor() {
  static const PipelineDescriptor kPipeline = {
      .name = "canonicalize",
      .summary = "Clean a graph up without changing what it computes",
      .description = R"(
Brings a graph into the plainest form that computes the same:

- eliminate-dead-nodes comes first: what nothing needs is not worth a look.
- Then, until nothing changes: infer-shapes comes before everything that decides by shape, and again, since a
  rewrite may show more (the types are not listed in the file); eliminate-no-ops and eliminate-zero-additions
  come before what looks at operators in a row, since they stand between; merge-* make one operator of several
  before the fusions look for it; fuse-pad, fuse-conv-bn, convert-batch-norm, fuse-affine-after and
  fuse-affine-before bring into weights what can go there, in this order, since each takes what the one before
  leaves; convert-matmul-add comes after them; eliminate-common-subexpressions after all that makes different
  nodes equal; eliminate-dead-nodes takes what the others left without a use.

Names and types of inputs and outputs stay. A second run changes nothing.
)",
      .text = kCanonicalizePipeline,
  };
  return kPipeline;
}

}  // namespace lathe::passes
