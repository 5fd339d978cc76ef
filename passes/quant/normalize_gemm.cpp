#include "lathe/passes/quant/normalize_gemm.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Brings a Gemm with a constant weight into the only form that can be quantised, x * w + c:

    Gemm(%x, %w, %c) {transA = 1, alpha = a, beta = b}        %t = Transpose(%x) {perm = [1, 0]}
                                                              Gemm(%t, a * %w, b * %c)

Scales and biases of a quantised layer know nothing of alpha and beta, and the accelerator's Gemm has neither,
nor transA. The Transpose is called `<gemm>_transpose`. With beta = 0 the third input goes.

Conditions:
- the weight is a float32 or float16 constant that nothing else uses: layers that share a weight are not
  quantised;
- with beta other than 1, the third input is such a type of constant or missing;
- alpha and beta are finite.
)";

// The float constant behind an operand; an empty tensor when there is none.
ir::Tensor FloatConstant(const ir::Value* value) {
  if (value == nullptr) return {};
  ir::Tensor tensor = value->ConstantTensor();
  if (!tensor) return {};
  const ir::ElementType type = tensor.element_type();
  if (type != ir::ElementType::kFloat32 && type != ir::ElementType::kFloat16) return {};
  return tensor;
}

Status Scale(ir::Rewriter& rewriter, ir::Node& node, size_t input, float factor) {
  const ir::Tensor tensor = FloatConstant(node.input(input));
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, tensor.ValuesAsFloat());
  for (float& value : values) value *= factor;
  SetConstantInput(rewriter, node, input,
                   FloatTensor(tensor.element_type(), tensor.dims(), values));
  return OkStatus();
}

void TransposeInput(ir::Rewriter& rewriter, ir::Node& node) {
  const ir::Rewriter::OriginScope origin(rewriter, node);
  ir::Value* x = node.input(0);
  ir::NodeSpec spec;
  spec.op = "Transpose";
  spec.name = node.display_name() + "_transpose";
  spec.inputs = {x};
  spec.attributes = {{"perm", std::vector<int64_t>{1, 0}}};
  ir::Value* transposed = rewriter.CreateNode(*node.graph(), &node, std::move(spec)).output();
  if (x->type().is_tensor() && x->type().shape && x->type().shape->size() == 2) {
    ir::Type type = x->type();
    std::swap((*type.shape)[0], (*type.shape)[1]);
    rewriter.SetType(*transposed, rewriter.model().Intern(std::move(type)));
  }
  rewriter.SetInput(node, 0, transposed);
  rewriter.RemoveAttribute(node, "transA");
}

StatusOr<bool> Normalize(ir::Rewriter& rewriter, ir::Node& node) {
  const bool transposed = node.IntAttribute("transA", 0) != 0;
  const float alpha = node.FloatAttribute("alpha", 1.0f);
  const float beta = node.FloatAttribute("beta", 1.0f);
  if (!transposed && alpha == 1 && beta == 1) return false;
  if (node.input(0) == nullptr || !FloatConstant(node.input(1)) || !std::isfinite(alpha) ||
      !std::isfinite(beta) || !node.input(1)->Resolve()->has_one_use()) {
    return false;
  }
  ir::Value* addend = node.input(2);
  if (beta != 1 && addend != nullptr && !FloatConstant(addend)) return false;
  if (transposed) TransposeInput(rewriter, node);
  if (alpha != 1) {
    LATHE_RETURN_IF_ERROR(Scale(rewriter, node, 1, alpha));
    rewriter.SetAttribute(node, "alpha", 1.0f);
  }
  if (beta == 1) return true;
  if (beta == 0 && addend != nullptr) {
    rewriter.TruncateInputs(node, 2);
    EraseIfUnused(rewriter, *addend);
  } else if (addend != nullptr) {
    LATHE_RETURN_IF_ERROR(Scale(rewriter, node, 2, beta));
  }
  rewriter.SetAttribute(node, "beta", 1.0f);
  return true;
}

// Local functions are left alone: their graphs hold no initializers.
StatusOr<bool> Run(PassContext& context) {
  return EditNodes(context.model().graph(), [&](ir::Node& node) -> StatusOr<bool> {
    if (!node.Is("Gemm")) return false;
    LATHE_ASSIGN_OR_RETURN(const bool changed, Normalize(context.rewriter(), node));
    if (changed) context.Count("normalized");
    return changed;
  });
}

}  // namespace

const PassDescriptor& NormalizeGemmPass() {
  static const PassDescriptor kPass = {
      .name = "normalize-gemm",
      .summary = "Take transA, alpha and beta out of Gemm with a constant weight",
      .description = kDescription,
      .options = {},
      .statistics = {{"normalized", "Gemm nodes changed"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kSearchNInserted, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
