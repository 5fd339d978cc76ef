#include "lathe/passes/sparsity/cut_tensor.h"

#include <algorithm>
#include <utility>

namespace lathe::passes {
namespace {

// [begin, end) of what stays of `length` elements.
using Runs = std::vector<std::pair<int64_t, int64_t>>;

Runs RunsBetween(const std::vector<int64_t>& removed, int64_t length) {
  Runs runs;
  int64_t begin = 0;
  for (const int64_t index : removed) {
    if (index > begin) runs.emplace_back(begin, index);
    begin = index + 1;
  }
  if (length > begin) runs.emplace_back(begin, length);
  return runs;
}

Status CheckType(const ir::Tensor& tensor) {
  const int64_t count = tensor.num_elements();
  if (count > 0 && tensor.byte_size() % static_cast<size_t>(count) == 0 && tensor.byte_size() > 0) {
    return OkStatus();
  }
  return Unsupported("constants of {} cannot be cut", ir::ElementTypeName(tensor.element_type()));
}

void Append(std::vector<std::byte>& to, std::span<const std::byte> bytes, int64_t begin,
            int64_t end) {
  to.insert(to.end(), bytes.begin() + begin, bytes.begin() + end);
}

}  // namespace

StatusOr<ir::Tensor> RemoveAlongAxis(const ir::Tensor& tensor, size_t axis,
                                     const std::vector<int64_t>& removed) {
  if (removed.empty()) return tensor;
  LATHE_RETURN_IF_ERROR(CheckType(tensor));
  std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes payload, tensor.Read());
  auto inner = static_cast<int64_t>(tensor.byte_size()) / tensor.num_elements();
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  const int64_t slab = dims[axis] * inner;
  const Runs runs = RunsBetween(removed, dims[axis]);
  std::vector<std::byte> bytes;
  bytes.reserve(payload.size());
  for (int64_t at = 0; at < static_cast<int64_t>(payload.size()); at += slab) {
    for (const auto& [begin, end] : runs) {
      Append(bytes, payload.bytes(), at + begin * inner, at + end * inner);
    }
  }
  dims[axis] -= static_cast<int64_t>(removed.size());
  bytes.shrink_to_fit();
  return ir::Tensor::FromVector(tensor.element_type(), std::move(dims), std::move(bytes));
}

Status CheckEqualChunks(const std::vector<int64_t>& removed, int64_t channels, int64_t group) {
  const int64_t chunk = channels / group;
  std::vector<int64_t> counts(static_cast<size_t>(group));
  for (const int64_t index : removed) ++counts[static_cast<size_t>(index / chunk)];
  if (std::ranges::all_of(counts, [&](int64_t count) { return count == counts.front(); })) {
    return OkStatus();
  }
  return InvalidInput("its {} groups would lose different numbers of channels", group);
}

StatusOr<ir::Tensor> CutGroupedWeight(const ir::Tensor& weight, int64_t group,
                                      const std::vector<int64_t>& out,
                                      const std::vector<int64_t>& in) {
  LATHE_RETURN_IF_ERROR(CheckType(weight));
  std::vector<int64_t> dims(weight.dims().begin(), weight.dims().end());
  LATHE_RETURN_IF_ERROR(CheckEqualChunks(out, dims[0], group));
  LATHE_RETURN_IF_ERROR(CheckEqualChunks(in, dims[1] * group, group));
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes payload, weight.Read());
  auto inner = static_cast<int64_t>(weight.byte_size()) / weight.num_elements();
  for (size_t i = 2; i < dims.size(); ++i) inner *= dims[i];
  std::vector<Runs> columns;
  for (int64_t g = 0; g < group; ++g) {
    std::vector<int64_t> local;
    for (const int64_t channel : in) {
      if (channel / dims[1] == g) local.push_back(channel % dims[1]);
    }
    columns.push_back(RunsBetween(local, dims[1]));
  }
  std::vector<std::byte> bytes;
  bytes.reserve(payload.size());
  const int64_t rows_a_group = dims[0] / group;
  for (const auto& [begin, end] : RunsBetween(out, dims[0])) {
    for (int64_t row = begin; row < end; ++row) {
      for (const auto& [first, last] : columns[static_cast<size_t>(row / rows_a_group)]) {
        Append(bytes, payload.bytes(), (row * dims[1] + first) * inner,
               (row * dims[1] + last) * inner);
      }
    }
  }
  dims[0] -= static_cast<int64_t>(out.size());
  dims[1] -= static_cast<int64_t>(in.size()) / group;
  bytes.shrink_to_fit();
  return ir::Tensor::FromVector(weight.element_type(), std::move(dims), std::move(bytes));
}

}  // namespace lathe::passes
