#include "lathe/passes/sparsity/mask_weights.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/sparsity/sparse_weight.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Makes the weights zero that the selective_prune entries of a record name (the reference's 8.6):

    %w = [0.1, -0.9, 0.5, 0.05]      mask = [0, 1, 1, 0]      %w' = [0, -0.9, 0.5, 0]

Shapes stay. Accelerators that know the pattern skip the zeros; others compute the same. A mask has the layout
that PyTorch has for the weight; of MatMul, and of Gemm without transB, it is transposed.

Conditions:
- channels are out already (prune-channels): masks have the shape of what is left;
- every entry names a Conv or ConvTranspose of two spatial axes, a Gemm or a MatMul, and has its weight's shape;
- a weight that others use as well is copied first; the others keep theirs.
)";

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const quant::Record* record, context.Need<quant::Record>("a record"));
  LATHE_ASSIGN_OR_RETURN(const std::vector<SparseLayer> layers,
                         FindSparseLayers(context.model(), *record));
  bool changed = false;
  for (const SparseLayer& layer : layers) {
    LATHE_ASSIGN_OR_RETURN(const bool masked, MaskWeight(context.rewriter(), layer));
    if (masked) context.Count("masked");
    changed |= masked;
  }
  return changed;
}

}  // namespace

const PassDescriptor& MaskWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "mask-weights",
      .summary = "Make the weights zero that a record's masks name",
      .description = kDescription,
      .options = {},
      .statistics = {{"masked", "weights in which values became zero"}},
      .requires_facts = {facts::kChannelsPruned},
      .establishes = {facts::kSparsityApplied},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kChannelsPruned},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
