#include "lathe/passes/canonical/eliminate_no_ops.h"

#include <algorithm>
#include <iterator>

#include "lathe/passes/canonical/eliminate_identity.h"
#include "lathe/passes/canonical/eliminate_nop_arithmetic.h"
#include "lathe/passes/canonical/eliminate_nop_cast.h"
#include "lathe/passes/canonical/eliminate_nop_clip.h"
#include "lathe/passes/canonical/eliminate_nop_concat.h"
#include "lathe/passes/canonical/eliminate_nop_expand.h"
#include "lathe/passes/canonical/eliminate_nop_gather.h"
#include "lathe/passes/canonical/eliminate_nop_logic.h"
#include "lathe/passes/canonical/eliminate_nop_pad.h"
#include "lathe/passes/canonical/eliminate_nop_pool.h"
#include "lathe/passes/canonical/eliminate_nop_reduce.h"
#include "lathe/passes/canonical/eliminate_nop_repetition.h"
#include "lathe/passes/canonical/eliminate_nop_reshape.h"
#include "lathe/passes/canonical/eliminate_nop_resize.h"
#include "lathe/passes/canonical/eliminate_nop_sequence.h"
#include "lathe/passes/canonical/eliminate_nop_slice.h"
#include "lathe/passes/canonical/eliminate_nop_transpose.h"
#include "lathe/passes/canonical/eliminate_nop_variadic.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes every operator that hands an operand on unchanged, all families in one walk:

    %a = Relu(%x)                          %a = Relu(%x)
    %b = Identity(%a)                      %y = Conv(%a, %w)
    %c = Mul(%b, 1.0)
    %d = Transpose(%c) {perm = [0, 1, 2, 3]}
    %y = Conv(%d, %w)

The families are the passes eliminate-identity and eliminate-nop-*, which can be run alone and say what their
conditions are. Each of them only needs to know the operands of a node, and these were simplified before the walk
comes to it, so one walk does what running them in turn until nothing changes would do.
)";

std::vector<RewriteRule> AllRules() {
  std::vector<RewriteRule> all;
  for (const auto rules :
       {IdentityRules, NopCastRules, NopReshapeRules, NopExpandRules, NopTransposeRules,
        NopPadRules, NopSliceRules, NopGatherRules, NopSequenceRules, NopConcatRules,
        NopResizeRules, NopPoolRules, NopReduceRules, NopArithmeticRules, NopLogicRules,
        NopClipRules, NopVariadicRules, NopRepetitionRules}) {
    std::ranges::move(rules(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

const PassDescriptor& EliminateNoOpsPass() {
  static const PassDescriptor kPass = NoOpPass<AllRules>(
      "eliminate-no-ops", "Remove every operator that changes nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
