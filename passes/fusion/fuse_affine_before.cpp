#include "lathe/passes/fusion/fuse_affine_before.h"

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/fusion/affine_chain.h"
#include "lathe/passes/fusion/linear_layer.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Folds Mul, Add, Sub and Div with a constant that feed a Conv, ConvTranspose, Gemm or MatMul into its weight and
bias:

    %m = Sub(%x, %t)               %y = Conv(%x, %w', %b')
    %a = Div(%m, %s)
    %y = Conv(%a, %w, %b)

    w'[o, i] = w[o, i] / s[i]      b'[o] = b[o] - sum of w[o, i] * t[i] / s[i] over inputs and kernel

A chain of them is folded at once, in double, and rounded once. A missing bias is 0 and becomes the initializer
`<layer>.bias`.

Conditions, for each operator of the chain:
- nothing else reads its result;
- its other operand is a constant of f32 or f16 with one value, or one for each input channel, and the value that
  it changes is known to have as many axes and channels, so that nothing is broadcast;
- Div divides by the constant;
- what is added is the same for every result: only for a Conv that pads nothing, and for Gemm. A scale can be
  folded in any case, since the padding is zero.
For the layer:
- weight is a constant of f32 or f16, and if something is added, the bias too, one value a channel (Gemm's `beta`
  goes into it); Gemm does not transpose its first operand; it is not in a local function;
- the new weight and bias are finite.
A weight or bias that others use as well is copied first; the others keep theirs.
)";

// The operator whose result alone the layer reads, and through which operand it goes; null when it
// is no candidate.
ir::Node* PreviousAffine(const ir::Value* value, size_t* operand) {
  ir::Node* producer = value == nullptr ? nullptr : value->producer();
  if (producer == nullptr || !IsAffineOperator(*producer) || producer->num_inputs() != 2 ||
      !IsOnlyUse(*producer)) {
    return nullptr;
  }
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const ir::Value* constant = producer->input(1 - i);
    if (producer->input(i) != nullptr && constant != nullptr && constant->ConstantTensor()) {
      *operand = i;
      return producer;
    }
  }
  return nullptr;
}

// The operator broadcasts neither axes nor channels: its result has the shape of its operand.
bool KeepsShape(const ir::Value& operand, const ir::Tensor& constant, const ChannelAxis& axis) {
  if (constant.rank() == 0) return true;
  const int rank = operand.type().rank();
  if (rank < constant.rank()) return false;
  if (constant.num_elements() == 1) return true;
  const ir::Dim& channels =
      (*operand.type().shape)[static_cast<size_t>(rank) - 1 - axis.axes_behind];
  return channels.is_known() && channels.extent() == static_cast<int64_t>(axis.channels);
}

// Returns whether anything changed.
StatusOr<bool> FoldPreceding(PassContext& context, ir::Node& node) {
  size_t operand = 0;
  ir::Node* first = PreviousAffine(node.input(0), &operand);
  if (first == nullptr) return false;
  LinearLayer layer;
  std::optional<std::string> unfit = InspectLinearLayer(node, &layer);
  if (!unfit && node.IntAttribute("transA", 0) != 0) unfit = "it transposes its first operand";
  if (unfit) {
    ChainMissed(context, node, *first, *unfit);
    return false;
  }
  const ChannelAxis axis = {static_cast<size_t>(layer.inputs.channels()), layer.axes_behind,
                            layer.input_rank};
  ChannelAffine all = ChannelAffine::Identity(axis.channels);
  std::vector<ir::Node*> chain;
  ir::Value* source = nullptr;
  for (ir::Node* next = first; next != nullptr; next = PreviousAffine(source, &operand)) {
    ChannelAffine step;
    LATHE_ASSIGN_OR_RETURN(std::optional<std::string> refusal,
                           ReadAffine(*next, operand, axis, &step));
    if (!refusal && step.shifts() && !layer.takes_input_shift) {
      refusal = node.Is("Conv") ? "the convolution pads"
                                : fmt::format("{} takes no shift", node.op_text());
    }
    if (!refusal &&
        !KeepsShape(*next->input(operand), next->input(1 - operand)->ConstantTensor(), axis)) {
      refusal = "the shape of its operand is not known to be that of its result";
    }
    if (refusal) {
      ChainMissed(context, node, *next, *refusal);
      break;
    }
    step.Then(all);
    all = std::move(step);
    chain.push_back(next);
    source = next->input(operand);
  }
  if (chain.empty()) return false;
  LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> refusal,
                         FoldBefore(context.rewriter(), layer, all));
  if (refusal) {
    ChainMissed(context, node, *first, *refusal);
    return false;
  }
  ChainFolded(context, node, chain);
  context.rewriter().SetInput(node, 0, source);
  EraseIfUnused(context.rewriter(), *first->output());
  return true;
}

StatusOr<bool> Run(PassContext& context) {
  return EditNodes(context.model(), [&](ir::Node& node) -> StatusOr<bool> {
    if (!IsLinearLayer(node)) return false;
    return FoldPreceding(context, node);
  });
}

}  // namespace

const PassDescriptor& FuseAffineBeforePass() {
  static const PassDescriptor kPass = {
      .name = "fuse-affine-before",
      .summary = "Fold Mul, Add, Sub and Div before a layer into its weights",
      .description = kDescription,
      .options = {},
      .statistics = {{"folded", "operators folded into the layer after them"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
