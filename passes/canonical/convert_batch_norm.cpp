#include "lathe/passes/canonical/convert_batch_norm.h"

#include <algorithm>
#include <cmath>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Writes an inference BatchNormalization that no convolution feeds as Mul and Add:

    %y = BatchNormalization(%x, %gamma, %beta, %mean, %var)        %m = Mul(%x, %scale)
                                                                   %y = Add(%m, %shift)

    scale = gamma / sqrt(var + epsilon)      shift = beta - mean * scale

per channel, in double, rounded once. Mul and Add can be folded into the weights of layers before and after
(fuse-affine-after, fuse-affine-before), and MatMul with the Add becomes a Gemm. What a convolution feeds is left
to fuse-conv-bn.

Conditions:
- the node has exactly five inputs, one used output, and is not in training mode nor of the old form
  `spatial=0`;
- its input is not the result of Conv or ConvTranspose;
- the rank of the input is known and at least 2, and its type is f32 (in f16 two roundings in place of one show);
- the four parameters are constants of one length, and scale and shift are finite in float32.
)";

struct Affine {
  std::vector<float> scale;
  std::vector<float> shift;
  size_t rank = 0;
};

bool HasOneUsedOutput(const ir::Node& bn) {
  return std::ranges::all_of(bn.outputs().subspan(1),
                             [](const ir::Value* output) { return !output->has_uses(); });
}

// Why the node stays; nothing when `affine` is filled in.
StatusOr<std::optional<std::string>> Refusal(const ir::Node& bn, Affine* affine) {
  using Reason = std::optional<std::string>;
  if (HasUnknownAttributes(bn)) return Reason("an attribute is the function's");
  if (bn.num_inputs() != 5 || bn.input(0) == nullptr) return Reason("it has not 5 inputs");
  if (bn.IntAttribute("training_mode", 0) != 0) return Reason("it is in training mode");
  if (bn.IntAttribute("spatial", 1) != 1) return Reason("it is not per channel");
  if (!HasOneUsedOutput(bn)) return Reason("its statistics outputs are used");
  const ir::Value& input = *bn.input(0);
  const ir::Node* producer = input.producer();
  if (producer != nullptr && (producer->Is("Conv") || producer->Is("ConvTranspose"))) {
    return Reason(fmt::format("{} feeds it", producer->op_text()));
  }
  const int rank = std::max(input.type().rank(), bn.output()->type().rank());
  if (rank < 2) return Reason("the rank of its input is not known to be 2 or more");
  affine->rank = static_cast<size_t>(rank);
  if (input.type().element != ir::ElementType::kFloat32) return Reason("its input is not f32");

  std::vector<float> parameters[4];
  for (size_t i = 0; i < 4; ++i) {
    const ir::Tensor tensor =
        bn.input(i + 1) == nullptr ? ir::Tensor() : bn.input(i + 1)->ConstantTensor();
    if (!tensor || !ir::IsFloatingPoint(tensor.element_type())) {
      return Reason("a parameter is not a constant of floating point");
    }
    LATHE_ASSIGN_OR_RETURN(parameters[i], tensor.ValuesAsFloat());
    if (parameters[i].size() != parameters[0].size()) {
      return Reason("its parameters have different lengths");
    }
  }
  const auto& [gamma, beta, mean, variance] = parameters;
  const double epsilon = bn.FloatAttribute("epsilon", 1e-5f);
  for (size_t c = 0; c < gamma.size(); ++c) {
    const double scale = gamma[c] / std::sqrt(variance[c] + epsilon);
    affine->scale.push_back(static_cast<float>(scale));
    affine->shift.push_back(static_cast<float>(beta[c] - mean[c] * scale));
    if (!std::isfinite(affine->scale.back()) || !std::isfinite(affine->shift.back())) {
      return Reason("scale or shift would not be finite");
    }
  }
  return Reason();
}

// [C, 1, 1, ...]: fits every value of the rank along axis 1.
ir::Value& ChannelConstant(ir::Rewriter& rewriter, ir::Node& user, const std::string& name,
                           size_t rank, const std::vector<float>& values) {
  std::vector<int64_t> dims(rank - 1, 1);
  dims[0] = static_cast<int64_t>(values.size());
  return MakeConstant(rewriter, user, name, ir::Tensor::Of(std::move(dims), values));
}

void Convert(PassContext& context, ir::Node& bn, const Affine& affine) {
  ir::Rewriter& rewriter = context.rewriter();
  const std::string name = bn.display_name();
  ir::Value& scale = ChannelConstant(rewriter, bn, name + ".scale", affine.rank, affine.scale);
  ir::Value& shift = ChannelConstant(rewriter, bn, name + ".shift", affine.rank, affine.shift);
  ir::NodeSpec spec;
  spec.op = "Mul";
  spec.name = name + ".mul";
  spec.inputs = {bn.input(0), &scale};
  const ir::Rewriter::OriginScope scope(rewriter, bn);
  ir::Node& mul = rewriter.CreateNode(*bn.graph(), &bn, std::move(spec));
  rewriter.SetType(*mul.output(), bn.output()->type_ref());
  rewriter.SetInput(bn, 0, mul.output());
  PutInput(rewriter, bn, 1, &shift);
  DropInputs(rewriter, bn, 2);
  while (!bn.attributes().empty()) {
    rewriter.RemoveAttribute(bn, context.model().Text(bn.attributes().back().name));
  }
  rewriter.SetOperator(bn, "Add", bn.domain_text());
}

StatusOr<bool> Run(PassContext& context) {
  return EditNodes(context.model(), [&](ir::Node& node) -> StatusOr<bool> {
    if (!node.Is("BatchNormalization") || node.num_outputs() == 0) return false;
    Affine affine;
    LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> refusal, Refusal(node, &affine));
    if (refusal) {
      context.Missed(node, *refusal);
      return false;
    }
    context.Applied(node, "written as Mul and Add");
    context.Count("converted");
    Convert(context, node, affine);
    return true;
  });
}

}  // namespace

const PassDescriptor& ConvertBatchNormPass() {
  static const PassDescriptor kPass = {
      .name = "convert-batch-norm",
      .summary = "Write BatchNormalization that no convolution feeds as Mul and Add",
      .description = kDescription,
      .options = {},
      .statistics = {{"converted", "BatchNormalization nodes written as Mul and Add"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
