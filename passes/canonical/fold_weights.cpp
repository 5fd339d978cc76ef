#include "lathe/passes/canonical/fold_weights.h"

#include <vector>

#include "lathe/passes/canonical/operand_folder.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Turns weights, biases and normalisation parameters that are computed from constants into constants, since only
a constant can be fused, quantised or packed:

    %t = Transpose(%w)                     %y = MatMul(%x, %t)      (%t is an initializer now)
    %y = MatMul(%x, %t)

Looked at are the weights and biases of Conv, ConvTranspose, Gemm, MatMul (with the bias that a following Add
adds as its second input), LSTM and GRU, and the four parameters of BatchNormalization, in the main graph and in
bodies. The computation may be anything the evaluator knows (eval/evaluate.h), also outside of the body that
uses it. The constant takes the name of the value that it replaces, in the graph where it was computed, and
all its uses; what only served the computation goes.

An operand that is an initializer already is left alone, and a constant that serves several layers stays one
constant: layers that share a weight are treated alike later. So Identity is looked through; it goes when
nothing else hangs on it, and the initializer becomes the operand.

Conditions:
- the value depends on initializers and Constant nodes only, not on defaults of inputs, and not on nodes with
  bodies;
- it is not computed inside of a local function, whose bodies have no initializers;
- every operator on the way can be evaluated;
- no result on the way is both larger than 1 MiB and more than 4 times as large as the constants it all
  comes from.
)";

// Operands of the node that are weights, biases or parameters. Those that are missing are null.
std::vector<ir::Use*> WeightOperands(ir::Node& node) {
  std::vector<size_t> indices;
  if (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm")) {
    indices = {1, 2};
  } else if (node.Is("MatMul")) {
    indices = {1};
  } else if (node.Is("GRU")) {
    indices = {1, 2, 3};
  } else if (node.Is("LSTM")) {
    indices = {1, 2, 3, 7};
  } else if (node.Is("BatchNormalization")) {
    indices = {1, 2, 3, 4};
  }
  std::vector<ir::Use*> operands;
  for (const size_t i : indices) {
    if (node.input(i) != nullptr) operands.push_back(&node.inputs()[i]);
  }
  if (node.Is("MatMul") && node.output() != nullptr && node.output()->has_one_use()) {
    const ir::Use& use = *node.output()->first_use();
    if (use.index() == 0 && use.user()->Is("Add") && use.user()->input(1) != nullptr) {
      operands.push_back(&use.user()->inputs()[1]);
    }
  }
  return operands;
}

StatusOr<bool> Run(PassContext& context) {
  OperandFolder folder(context);
  for (ir::Graph* graph : context.model().AllGraphs()) {
    // What a fold erases comes before the node whose operand it is, so the list may be walked.
    for (ir::Node& node : graph->nodes()) {
      for (ir::Use* operand : WeightOperands(node)) {
        LATHE_RETURN_IF_ERROR(folder.Visit(*operand));
      }
    }
  }
  return folder.changed();
}

}  // namespace

const PassDescriptor& FoldWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "fold-weights",
      .summary = "Turn weights that are computed from constants into constants",
      .description = kDescription,
      .options = {},
      .statistics = {{"folded", "computed values that became constants"},
                     {"shortened", "operands whose constant is no longer behind Identity"},
                     {"left", "constant computations that stay"}},
      .requires_facts = {},
      .establishes = {facts::kWeightsFolded},
      // Not conv-bn-fused: a BatchNormalization whose parameters were computed can be folded now.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
