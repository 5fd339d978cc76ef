#include "lathe/passes/canonical/convert_matmul_add.h"

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
MatMul of two matrices and the Add of a bias are a Gemm:

    %m = MatMul(%a, %b)          %y = Gemm(%a, %b, %c)
    %y = Add(%m, %c)

The Gemm takes the MatMul's name. The bias may also be the first operand of Add, and may be computed. Sub becomes a
Gemm with `beta` -1, or with `alpha` -1 where it subtracts the product from the bias.

Conditions:
- nothing else reads the MatMul's result;
- %a and %b are known to be of rank 2 and of f32, f64 or f16;
- %c is known to broadcast to the MatMul's result without changing its shape: each of its extents is 1 or that
  of the result, or both have one symbol.
)";

const ir::Dim* MatrixDim(const ir::Value* value, size_t i) {
  if (value == nullptr || value->type().rank() != 2) return nullptr;
  return &(*value->type().shape)[i];
}

bool IsMatrixOfFloats(const ir::Value* value) {
  if (value == nullptr || value->type().rank() != 2) return false;
  const ir::ElementType type = value->type().element;
  return type == ir::ElementType::kFloat32 || type == ir::ElementType::kFloat64 ||
         type == ir::ElementType::kFloat16;
}

// `dim` of the bias fits the extent `of` of the result.
bool Fits(const ir::Dim& dim, const ir::Dim* of) {
  if (dim.is_known() && dim.extent() == 1) return true;
  if (of == nullptr) return false;
  if (dim.is_known()) return of->is_known() && of->extent() == dim.extent();
  return dim.is_symbol() && of->is_symbol() && of->symbol() == dim.symbol();
}

// Why the Add or Sub stays; nothing when it can become a Gemm with the result of `matmul`.
std::optional<std::string> Refusal(const ir::Node& matmul, const ir::Value& bias) {
  if (!IsOnlyUse(matmul)) return "the MatMul has other uses";
  if (!IsMatrixOfFloats(matmul.input(0)) || !IsMatrixOfFloats(matmul.input(1))) {
    return "the operands of MatMul are not known to be matrices of floating point";
  }
  if (!bias.type().has_rank() || bias.type().rank() > 2) return "the bias is no vector or matrix";
  const ir::Dim* const extents[] = {MatrixDim(matmul.input(0), 0), MatrixDim(matmul.input(1), 1)};
  const ir::Shape& shape = *bias.type().shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!Fits(shape[i], extents[i + 2 - shape.size()])) {
      return "the bias is not known to leave the shape as it is";
    }
  }
  return std::nullopt;
}

// Which operand of Add or Sub is a MatMul's result; 2: none.
size_t MatMulOperand(const ir::Node& add) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const ir::Node* producer = add.input(i) == nullptr ? nullptr : add.input(i)->producer();
    if (producer != nullptr && producer->Is("MatMul")) return i;
  }
  return 2;
}

void Convert(PassContext& context, ir::Node& add, size_t operand) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Node& matmul = *add.input(operand)->producer();
  ir::Value* bias = add.input(1 - operand);
  const ir::Name name = matmul.name();
  const std::vector<ir::Origin> origins = {matmul.origin(), add.origin()};
  if (add.Is("Sub")) rewriter.SetAttribute(add, operand == 0 ? "beta" : "alpha", -1.0f);
  rewriter.SetOperator(add, "Gemm", add.domain_text());
  rewriter.SetInput(add, 0, matmul.input(0));
  rewriter.SetInput(add, 1, matmul.input(1));
  rewriter.AddInput(add, bias);
  rewriter.Erase(matmul);
  if (!name.empty()) rewriter.Rename(add, name);
  rewriter.SetOrigin(add, context.model().MergeOrigins(origins));
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  VisitNodes(context.model(), [&](ir::Node& node) {
    if ((!node.Is("Add") && !node.Is("Sub")) || node.num_inputs() != 2 ||
        node.input(0) == nullptr || node.input(1) == nullptr || OpsetOf(node) < 7) {
      return;
    }
    const size_t operand = MatMulOperand(node);
    if (operand == 2) return;
    const ir::Node& matmul = *node.input(operand)->producer();
    if (const auto refusal = Refusal(matmul, *node.input(1 - operand))) {
      context.Missed(node, *refusal);
      return;
    }
    context.Applied(node, fmt::format("a Gemm with {}", Quoted(matmul.display_name())));
    context.Count("converted");
    Convert(context, node, operand);
    changed = true;
  });
  return changed;
}

}  // namespace

const PassDescriptor& ConvertMatMulAddPass() {
  static const PassDescriptor kPass = {
      .name = "convert-matmul-add",
      .summary = "Write MatMul and Add or Sub of matrices as Gemm",
      .description = kDescription,
      .options = {},
      .statistics = {{"converted", "pairs of MatMul and Add or Sub written as Gemm"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
