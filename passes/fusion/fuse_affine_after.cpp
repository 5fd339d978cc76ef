#include "lathe/passes/fusion/fuse_affine_after.h"

#include "lathe/passes/canonical/hand_on.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/fusion/affine_chain.h"
#include "lathe/passes/fusion/linear_layer.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Folds Mul, Add, Sub and Div with a constant that follow a Conv, ConvTranspose, Gemm or MatMul into its weight and
bias:

    %a = Conv(%x, %w, %b)          %y = Conv(%x, %w', %b')
    %m = Mul(%a, %s)
    %y = Add(%m, %t)

    w'[c] = w[c] * s[c]      b'[c] = b[c] * s[c] + t[c]

per output channel c. A chain of them is folded at once, in double, and rounded once. A missing bias is 0 and
becomes the initializer `<layer>.bias`.

Conditions, for each operator of the chain:
- nothing else reads the value that it changes;
- its other operand is a constant of f32 or f16 with one value, or one for each output channel;
- Div divides by the constant, and what is added finds a bias: MatMul has none.
For the layer:
- weight, and bias if there is one, are constants of f32 or f16, the bias one value a channel (Gemm's `beta` goes
  into it); it is not in a local function;
- the new weight and bias are finite.
A weight or bias that others use as well is copied first; the others keep theirs.
)";

// The operator that alone reads the value, and through which operand; null when it is no candidate.
ir::Node* NextAffine(const ir::Value& value, size_t* operand) {
  if (!value.has_one_use()) return nullptr;
  const ir::Use& use = *value.first_use();
  ir::Node& user = *use.user();
  if (user.is_return() || !IsAffineOperator(user) || user.num_inputs() != 2) return nullptr;
  const ir::Value* other = user.input(1 - use.index());
  if (other == nullptr || !other->ConstantTensor()) return nullptr;
  *operand = use.index();
  return &user;
}

// Returns whether anything changed.
StatusOr<bool> FoldFollowing(PassContext& context, ir::Node& node) {
  size_t operand = 0;
  ir::Node* first = NextAffine(*node.output(), &operand);
  if (first == nullptr) return false;
  LinearLayer layer;
  if (const auto refusal = InspectLinearLayer(node, &layer)) {
    ChainMissed(context, node, *first, *refusal);
    return false;
  }
  const ChannelAxis axis = {static_cast<size_t>(layer.outputs.channels()), layer.axes_behind,
                            layer.output_rank};
  ChannelAffine all = ChannelAffine::Identity(axis.channels);
  std::vector<ir::Node*> chain;
  for (ir::Node* next = first; next != nullptr; next = NextAffine(*next->output(), &operand)) {
    ChannelAffine step;
    LATHE_ASSIGN_OR_RETURN(std::optional<std::string> refusal,
                           ReadAffine(*next, operand, axis, &step));
    if (!refusal && step.shifts() && !layer.takes_bias) refusal = "MatMul has no bias";
    if (refusal) {
      ChainMissed(context, node, *next, *refusal);
      break;
    }
    all.Then(step);
    chain.push_back(next);
  }
  if (chain.empty()) return false;
  LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> refusal,
                         FoldAfter(context.rewriter(), layer, all));
  if (refusal) {
    ChainMissed(context, node, *first, *refusal);
    return false;
  }
  ChainFolded(context, node, chain);
  // The layer takes the place of the last; its result is read by the chain alone, so it can take
  // any name.
  ir::Value& last = *chain.back()->output();
  HandOn(context.rewriter(), last, *node.output());
  EraseIfUnused(context.rewriter(), last);
  return true;
}

StatusOr<bool> Run(PassContext& context) {
  return EditNodes(context.model(), [&](ir::Node& node) -> StatusOr<bool> {
    if (!IsLinearLayer(node)) return false;
    return FoldFollowing(context, node);
  });
}

}  // namespace

const PassDescriptor& FuseAffineAfterPass() {
  static const PassDescriptor kPass = {
      .name = "fuse-affine-after",
      .summary = "Fold Mul, Add, Sub and Div after a layer into its weights",
      .description = kDescription,
      .options = {},
      .statistics = {{"folded", "operators folded into the layer before them"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a BatchNormalization may stand next to its convolution now.
      .preserves = {facts::kShapesInferred, facts::kWeightsFolded, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
