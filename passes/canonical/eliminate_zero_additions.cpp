#include "lathe/passes/canonical/eliminate_zero_additions.h"

#include <algorithm>
#include <array>
#include <vector>

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/hand_on.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes additions of +0.0, and subtractions of -0.0, where nothing can tell:

    %b = Add(%a, 0.0)                      %y = Tanh(%a)
    %y = Tanh(%b)

The only thing these do is to make +0.0 of -0.0 (eliminate-nop-arithmetic removes what does not even do that). The
two zeros are equal, so most operators give equal results for them: the sum, the product or the maximum of equal
numbers is equal. But 1/-0.0 is not 1/+0.0. One walk back from the end finds the values whose sign of zero some
operator could turn into another number; the additions that lead to none of them go. In a graph output, -0.0 may
stand where +0.0 stood.

Conditions:
- the node is in the main graph, its operand is constant, and all its elements are that zero;
- broadcasting leaves the other operand's shape as it is: the constant is a scalar, or the types prove it;
- every operator that the result reaches is known to give equal numbers for equal numbers (Add, Mul, Conv, Reshape,
  Relu, ...), up to those whose result shows no sign of zero (Exp, Sigmoid, Abs, comparisons, ...) or to the graph's
  outputs. Not among them: Div by the result, Reciprocal, Pow, bodies, functions, other domains.
)";

// Operators that give equal numbers for equal numbers, 0.0 and -0.0 being equal.
constexpr std::array kEqualForEqual = {"Abs",
                                       "Add",
                                       "ArgMax",
                                       "ArgMin",
                                       "Asin",
                                       "Asinh",
                                       "Atan",
                                       "Atanh",
                                       "AveragePool",
                                       "BatchNormalization",
                                       "Cast",
                                       "Ceil",
                                       "Celu",
                                       "Clip",
                                       "Concat",
                                       "Conv",
                                       "ConvTranspose",
                                       "Cos",
                                       "Cosh",
                                       "DepthToSpace",
                                       "Dropout",
                                       "Einsum",
                                       "Elu",
                                       "Equal",
                                       "Erf",
                                       "Exp",
                                       "Expand",
                                       "Flatten",
                                       "Floor",
                                       "Gather",
                                       "Gelu",
                                       "Gemm",
                                       "GlobalAveragePool",
                                       "GlobalMaxPool",
                                       "Greater",
                                       "GreaterOrEqual",
                                       "GroupNormalization",
                                       "HardSigmoid",
                                       "HardSwish",
                                       "Identity",
                                       "InstanceNormalization",
                                       "LayerNormalization",
                                       "LeakyRelu",
                                       "Less",
                                       "LessOrEqual",
                                       "LogSoftmax",
                                       "MatMul",
                                       "Max",
                                       "MaxPool",
                                       "Mean",
                                       "Min",
                                       "Mish",
                                       "Mul",
                                       "Neg",
                                       "PRelu",
                                       "Pad",
                                       "ReduceL1",
                                       "ReduceL2",
                                       "ReduceMax",
                                       "ReduceMean",
                                       "ReduceMin",
                                       "ReduceProd",
                                       "ReduceSum",
                                       "ReduceSumSquare",
                                       "Relu",
                                       "Reshape",
                                       "Round",
                                       "Selu",
                                       "Shape",
                                       "Sigmoid",
                                       "Sign",
                                       "Sin",
                                       "Sinh",
                                       "Size",
                                       "Slice",
                                       "Softmax",
                                       "Softplus",
                                       "Softsign",
                                       "SpaceToDepth",
                                       "Split",
                                       "Sqrt",
                                       "Squeeze",
                                       "Sub",
                                       "Sum",
                                       "Tan",
                                       "Tanh",
                                       "Tile",
                                       "Transpose",
                                       "Unsqueeze",
                                       "Where"};

// Of these, operators whose result is the same for both zeros.
constexpr std::array kHidesSign = {"Abs", "Cos", "Cosh", "Exp", "Sigmoid", "Softmax"};

// Sorted names of the model, to be asked for many nodes.
class OperatorSet {
 public:
  OperatorSet(const ir::Model& model, std::span<const char* const> operators) {
    for (const char* op : operators) names_.push_back(model.Intern(op));
    std::ranges::sort(names_);
  }
  bool Has(const ir::Node& node) const {
    return (node.domain().empty() || node.domain_text() == "ai.onnx") &&
           std::ranges::binary_search(names_, node.op());
  }

 private:
  std::vector<ir::Name> names_;
};

// Says of which values the sign of a zero can turn into another number.
class SignOfZero {
 public:
  explicit SignOfZero(const ir::Graph& graph)
      : equal_for_equal_(graph.model(), kEqualForEqual),
        hides_sign_(graph.model(), kHidesSign),
        matters_(graph.model().value_id_end(), false) {
    for (const ir::Node* node = graph.last_node(); node != nullptr; node = node->previous()) {
      for (const ir::Value* output : node->outputs()) matters_[output->id()] = FindOut(*output);
    }
  }

  // Of a node's result in the graph.
  bool Matters(const ir::Value& value) const { return matters_[value.id()]; }

 private:
  bool FindOut(const ir::Value& value) const {
    return std::ranges::any_of(value.uses(), [&](const ir::Use& use) { return IsTold(use); });
  }

  bool IsTold(const ir::Use& use) const {
    const ir::Node& user = *use.user();
    if (user.is_return()) return false;
    if (user.Is("Div") && use.index() == 0) return AnyMatters(user);
    if (!equal_for_equal_.Has(user)) return true;
    if (hides_sign_.Has(user)) return false;
    return AnyMatters(user);
  }

  bool AnyMatters(const ir::Node& node) const {
    return std::ranges::any_of(node.outputs(), [&](const ir::Value* output) {
      const ir::ElementType element = output->type().element;
      // Integers have one zero; a text shows the sign.
      if (ir::IsInteger(element) || element == ir::ElementType::kBool) return false;
      return matters_[output->id()] || element == ir::ElementType::kString;
    });
  }

  OperatorSet equal_for_equal_;
  OperatorSet hides_sign_;
  std::vector<bool> matters_;
};

bool IsZero(const ir::Value* operand, Element zero, const ir::Value* other) {
  if (operand == nullptr || other == nullptr) return false;
  const ir::Tensor constant = operand->ConstantTensor();
  return constant && BroadcastKeepsShape(other->type(), constant.dims()) &&
         AllElementsAre(constant, zero);
}

// The operand to which a zero is added; null when the node does something else.
ir::Value* BesideZero(const ir::Node& node) {
  if (node.num_inputs() != 2 || node.num_outputs() != 1 ||
      node.FindAttribute("broadcast") != nullptr)
    return nullptr;
  if (node.Is("Add")) {
    if (IsZero(node.input(1), Element::kZero, node.input(0))) return node.input(0);
    if (IsZero(node.input(0), Element::kZero, node.input(1))) return node.input(1);
  }
  if (node.Is("Sub") && IsZero(node.input(1), Element::kNegativeZero, node.input(0))) {
    return node.input(0);
  }
  return nullptr;
}

StatusOr<bool> Run(PassContext& context) {
  ir::Graph& graph = context.model().graph();
  std::vector<ir::Node*> additions;
  for (ir::Node& node : graph.nodes()) {
    if (BesideZero(node) != nullptr) additions.push_back(&node);
  }
  if (additions.empty()) return false;
  const SignOfZero sign(graph);
  bool changed = false;
  for (ir::Node* node : additions) {
    ir::Value& other = *BesideZero(*node);
    if (!CanHandOn(*node->output(), other)) continue;
    if (sign.Matters(*node->output())) {
      context.Missed(*node, "the sign of a zero could be told from what the result leads to");
      continue;
    }
    HandOn(context.rewriter(), *node->output(), other);
    context.rewriter().Erase(*node);
    context.Count("removed");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& EliminateZeroAdditionsPass() {
  static const PassDescriptor kPass = {
      .name = "eliminate-zero-additions",
      .summary = "Remove additions of zero where nothing can tell",
      .description = kDescription,
      .options = {},
      .statistics = {{"removed", "nodes removed"}},
      .requires_facts = {},
      .establishes = {},
      // As for eliminate-no-ops.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
