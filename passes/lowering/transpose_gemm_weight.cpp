#include "lathe/passes/lowering/transpose_gemm_weight.h"

#include <cstring>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Stores the weight of each marked Gemm the way the accelerator wants it, input channels first:

    Gemm(%x, %w: [N, K]) {transB = 1}        Gemm(%x, %w': [K, N]) {transB = 0}

The same products in the same order. A weight that others use as well is copied.
)";

// Rows become columns, a block at a time so that both sides stay in the cache. The width of an
// element is known when this is compiled: then copying one is a single move.
template <size_t width>
std::vector<std::byte> TransposeElements(const std::byte* data, size_t rows, size_t columns) {
  constexpr size_t kBlock = 32;
  std::vector<std::byte> result(rows * columns * width);
  for (size_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (size_t c0 = 0; c0 < columns; c0 += kBlock) {
      for (size_t r = r0; r < std::min(rows, r0 + kBlock); ++r) {
        for (size_t c = c0; c < std::min(columns, c0 + kBlock); ++c) {
          std::memcpy(&result[(c * rows + r) * width], data + (r * columns + c) * width, width);
        }
      }
    }
  }
  return result;
}

std::vector<std::byte> Transpose(const std::byte* data, size_t rows, size_t columns, size_t width) {
  switch (width) {
    case 1:
      return TransposeElements<1>(data, rows, columns);
    case 2:
      return TransposeElements<2>(data, rows, columns);
    case 4:
      return TransposeElements<4>(data, rows, columns);
    default:
      return TransposeElements<8>(data, rows, columns);
  }
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    ir::Node& node = *layer.node;
    if (!node.Is("Gemm") || node.IntAttribute("transB", 0) == 0) continue;
    const ir::Tensor tensor = layer.weight->value()->ConstantTensor();
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
    const auto rows = static_cast<size_t>(tensor.dims()[0]);
    const auto columns = static_cast<size_t>(tensor.dims()[1]);
    const size_t width = bytes.size() / (rows * columns);
    LATHE_ASSIGN_OR_RETURN(
        ir::Tensor transposed,
        ir::Tensor::FromVector(tensor.element_type(), {tensor.dims()[1], tensor.dims()[0]},
                               Transpose(bytes.data(), rows, columns, width)));
    SetConstantInput(context.rewriter(), node, layer.weight->index(), std::move(transposed));
    context.rewriter().SetAttribute(node, "transB", int64_t{0});
    context.Count("transposed");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& TransposeGemmWeightPass() {
  static const PassDescriptor kPass = {
      .name = "transpose-gemm-weight",
      .summary = "Store the weights of marked Gemm nodes input channels first",
      .description = kDescription,
      .options = {},
      .statistics = {{"transposed", "weights transposed"}},
      .requires_facts = {facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
