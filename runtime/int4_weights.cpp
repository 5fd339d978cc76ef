#include "lathe/runtime/int4_weights.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/support/nibbles.h"

namespace lathe::runtime {
namespace {

// The weight's axis that counts input channels, how many it should have, and which input it is.
struct Packed {
  size_t input = 1;
  size_t axis = 0;
};

std::optional<int64_t> Extent(const ir::Value& value, int axis) {
  const ir::Type& type = value.type();
  if (!type.is_tensor() || !type.has_rank() || type.rank() == 0) return std::nullopt;
  const int at = axis < 0 ? axis + type.rank() : axis;
  if (at < 0 || at >= type.rank()) return std::nullopt;
  const ir::Dim& dim = (*type.shape)[static_cast<size_t>(at)];
  return dim.is_known() ? std::optional(dim.extent()) : std::nullopt;
}

std::vector<Packed> FindPacked(const ir::Node& node) {
  const bool conv = node.Is("Conv");
  const bool recurrent =
      node.Is("BasicLSTMInplaceFillWindowCache") || node.Is("BasicGRUInplaceFillWindowCache");
  if (!conv && !recurrent && !node.Is("ConvTranspose") && !node.Is("Gemm") && !node.Is("MatMul")) {
    return {};
  }
  std::vector<Packed> found;
  for (size_t input = 1; input <= (recurrent ? 2u : 1u); ++input) {
    if (node.input(0) == nullptr || node.input(input) == nullptr) return {};
    const ir::Tensor weight = node.input(input)->ConstantTensor();
    if (!weight || weight.element_type() != ir::ElementType::kInt8) continue;
    size_t axis = recurrent ? 2 : conv ? 1 : 0;
    if (node.Is("Gemm") && node.IntAttribute("transB", 0) != 0) axis = 1;
    if (node.Is("MatMul")) axis = static_cast<size_t>(std::max(2, weight.rank())) - 2;
    if (static_cast<size_t>(weight.rank()) <= axis) continue;
    std::optional<int64_t> channels;
    if (recurrent) {
      channels = input == 1 ? Extent(*node.input(0), 2)
                            : std::optional(node.IntAttribute("hidden_size", -1));
    } else {
      channels = Extent(*node.input(0), conv || node.Is("ConvTranspose") ? 1 : -1);
    }
    if (!channels) continue;
    const int64_t groups = conv ? node.IntAttribute("group", 1) : 1;
    if (groups < 1 || *channels % groups != 0) continue;
    const int64_t wanted = *channels / groups;
    if (wanted > 0 && wanted % 2 == 0 && weight.dims()[axis] == wanted / 2) {
      found.push_back({.input = input, .axis = axis});
    }
  }
  return found;
}

StatusOr<ir::Tensor> Unpack(const ir::Tensor& packed, size_t axis) {
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, packed.Read());
  std::vector<int64_t> dims(packed.dims().begin(), packed.dims().end());
  size_t inner = 1;
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<size_t>(dims[i]);
  dims[axis] *= 2;
  const std::vector<int8_t> pairs = UnpackNibbles(bytes.bytes(), bytes.size() * 2);
  std::vector<std::byte> values(pairs.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t at = i / inner * 2 * inner + i % inner;
    values[at] = static_cast<std::byte>(pairs[2 * i]);
    values[at + inner] = static_cast<std::byte>(pairs[2 * i + 1]);
  }
  return ir::Tensor::FromVector(ir::ElementType::kInt8, std::move(dims), std::move(values));
}

}  // namespace

Status UnpackInt4Weights(ir::Rewriter& rewriter) {
  for (bool changed = true; changed;) {
    LATHE_RETURN_IF_ERROR(
        ir::InferShapes(rewriter, {.list_types = true, .skip_known = true}).status());
    changed = false;
    for (ir::Node& node : rewriter.model().graph().nodes()) {
      for (const Packed& each : FindPacked(node)) {
        const ir::Tensor packed = node.input(each.input)->ConstantTensor();
        LATHE_ASSIGN_OR_RETURN(ir::Tensor weight, Unpack(packed, each.axis));
        rewriter.SetInput(
            node, each.input,
            &rewriter.CreateInitializer(*node.graph(), node.input(each.input)->name_text(),
                                        std::move(weight)));
        changed = true;
      }
    }
  }
  return OkStatus();
}

}  // namespace lathe::runtime
