#include "lathe/passes/pipelines/canonicalize.h"

namespace lathe::passes {

const PipelineDescriptor& CanonicalizePipelineDescriptor() {
  static const PipelineDescriptor kPipeline = {
      .name = "canonicalize",
      .summary = "Clean a graph up without changing what it computes",
      .description = R"(
Brings a graph into the plainest form that computes the same:

- freeze-inputs comes first, for models of IR version 3 and older: their constants are inputs, and no pass could make
  a constant. Newer models keep their inputs and defaults.
- inline-functions comes early, since no other pass looks into a call; then eliminate-dead-nodes: what nothing
  needs is not worth a look.
- The rest runs until nothing changes.
- infer-shapes comes before everything that decides by shape, and in each round, since a rewrite may show more. The
  types are not listed in the file.
- fold-constants comes before what asks whether an operand is constant, and fold-shapes after it, for what types say
  and constants do not; inline-if and inline-loop after both, which may make a condition constant.
- eliminate-no-ops and eliminate-zero-additions come before what looks at operators in a row, since they stand
  between.
- merge-* make one operator of several in a row, before the fusions, which look for one.
- fuse-pad, fuse-conv-bn, convert-batch-norm, fuse-affine-after and fuse-affine-before bring into weights what can go
  there, each taking what the one before leaves; convert-matmul-add comes after them, since Gemm has no batch.
- eliminate-common-subexpressions comes after all that makes different nodes equal.
- eliminate-dead-nodes comes last, for what the others left without a use.

Names and types of outputs stay, and of inputs, but for the constants among them in models of IR version 3. A second run changes nothing.
)",
      .text = kCanonicalizePipeline,
  };
  return kPipeline;
}

}  // namespace lathe::passes
