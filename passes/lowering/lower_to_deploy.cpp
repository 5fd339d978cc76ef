#include "lathe/passes/lowering/lower_to_deploy.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/layer_factors.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Finishes a lowered graph for the accelerator: 4-bit weights are packed in pairs along the input channels
(byte = first & 15 | second << 4, the reference's 5.5), and the note `op_data_type` is removed:

    %y = Conv(%q, %w: i8[N, C, H, W]) {op_data_type = "float"}        %y = Conv(%q, %w: i8[N, C / 2, H, W])

A 4-bit weight with an odd number of input channels is an error.
)";

// The axis of the weight that counts input channels (the reference's 3.3, after
// transpose-gemm-weight).
size_t CinAxis(const ir::Node& node) { return node.Is("Conv") ? 1 : 0; }

StatusOr<ir::Tensor> Pack(const ir::Tensor& tensor, size_t axis) {
  const auto dims = tensor.dims();
  if (dims[axis] % 2 != 0) {
    return InvalidInput("4-bit weights need an even number of input channels, not {}", dims[axis]);
  }
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  std::vector<int64_t> packed_dims(dims.begin(), dims.end());
  packed_dims[axis] /= 2;
  size_t inner = 1;
  for (const int64_t dim : dims.subspan(axis + 1)) inner *= static_cast<size_t>(dim);
  const size_t pairs = bytes.size() / (2 * inner);
  std::vector<std::byte> packed(bytes.size() / 2);
  for (size_t pair = 0; pair < pairs; ++pair) {
    const std::byte* low = bytes.data() + 2 * pair * inner;
    for (size_t i = 0; i < inner; ++i) {
      packed[pair * inner + i] = (low[i] & std::byte{0x0f}) | (low[inner + i] << 4);
    }
  }
  return ir::Tensor::FromVector(ir::ElementType::kInt8, std::move(packed_dims), std::move(packed));
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    if (layer.weight == nullptr || factors.bits.weight != 4) continue;
    StatusOr<ir::Tensor> packed =
        Pack(layer.weight->value()->ConstantTensor(), CinAxis(*layer.node));
    if (!packed.ok()) return WithContext(packed.status(), ErrorContext::kNode, layer.name);
    SetConstantInput(rewriter, *layer.node, layer.weight->index(), *std::move(packed));
    context.Count("packed");
    changed = true;
  }
  for (ir::Node& node : context.model().graph().nodes()) {
    if (node.FindAttribute("op_data_type") == nullptr) continue;
    rewriter.RemoveAttribute(node, "op_data_type");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& LowerToDeployPass() {
  static const PassDescriptor kPass = {
      .name = "lower-to-deploy",
      .summary = "Finish a lowered graph for the accelerator",
      .description = kDescription,
      .options = {},
      .statistics = {{"packed", "4-bit weights packed"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kCalibrated,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
