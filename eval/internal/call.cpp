#include "lathe/eval/internal/call.h"

#include <algorithm>

namespace lathe::eval::internal {

Status Call::Need(size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    if (!has(i)) return InvalidInput("input {} is missing", i);
  }
  return OkStatus();
}

StatusOr<std::vector<int64_t>> Call::Ints(size_t i) const {
  if (!has(i)) return InvalidInput("input {} is missing", i);
  return inputs[i].ValuesAsInt64();
}

StatusOr<std::optional<std::vector<int64_t>>> Call::IntsOf(std::string_view attribute,
                                                           size_t i) const {
  if (has(i)) {
    LATHE_ASSIGN_OR_RETURN(std::vector<int64_t> values, Ints(i));
    return std::optional(std::move(values));
  }
  if (node.FindAttribute(attribute) == nullptr) return std::optional<std::vector<int64_t>>();
  return std::optional(node.IntsAttribute(attribute));
}

Status Call::CheckSize(ElementType type, std::span<const int64_t> dims) const {
  LATHE_ASSIGN_OR_RETURN(const size_t bytes, ir::CheckedByteSize(type, dims));
  if (bytes > max_result_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("the result would take {} bytes, {} are allowed", bytes, max_result_bytes));
  }
  return CheckShape(dims);
}

Status CheckShape(std::span<const int64_t> dims) {
  if (dims.size() > kMostDimensions) {
    return Unsupported("tensors of {} dimensions are not evaluated, at most {} are", dims.size(),
                       kMostDimensions);
  }
  // Only beside an extent of 0 can one be larger than the memory that holds the elements.
  const bool is_empty = std::ranges::find(dims, 0) != dims.end();
  if (is_empty && std::ranges::any_of(dims, [](int64_t dim) { return dim > kMostEmptyExtent; })) {
    return Unsupported("empty tensors of extents like [{}] are not evaluated",
                       fmt::join(dims, ","));
  }
  return OkStatus();
}

int64_t Product(std::span<const int64_t> dims) {
  int64_t product = 1;
  for (const int64_t dim : dims) {
    if (__builtin_mul_overflow(product, dim, &product)) product = INT64_MAX;
  }
  return product;
}

std::vector<int64_t> Strides(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = step;
    // An empty tensor's strides are never walked; its other extents may be anything.
    if (__builtin_mul_overflow(step, dims[i], &step)) step = 0;
  }
  return strides;
}

StatusOr<int64_t> Axis(int64_t axis, size_t rank) {
  const auto limit = static_cast<int64_t>(rank);
  if (axis < -limit || axis >= limit) {
    return InvalidInput("axis {} is outside the {} dimensions", axis, rank);
  }
  return axis < 0 ? axis + limit : axis;
}

StatusOr<std::vector<int64_t>> Axes(std::vector<int64_t> axes, size_t rank) {
  if (rank > kMostDimensions) {
    return Unsupported("tensors of {} dimensions are not evaluated, at most {} are", rank,
                       kMostDimensions);
  }
  for (int64_t& axis : axes) {
    LATHE_ASSIGN_OR_RETURN(axis, Axis(axis, rank));
    if (std::count(axes.data(), &axis, axis) > 0)
      return InvalidInput("axis {} is twice there", axis);
  }
  return axes;
}

StatusOr<Dims> Broadcast(std::span<const int64_t> a, std::span<const int64_t> b) {
  Dims dims(std::max(a.size(), b.size()), 1);
  for (const auto& from : {a, b}) {
    for (size_t i = 0; i < from.size(); ++i) {
      int64_t& dim = dims[dims.size() - from.size() + i];
      if (dim == 1) dim = from[i];
      if (from[i] != 1 && from[i] != dim) {
        return InvalidInput("shapes [{}] and [{}] do not broadcast", fmt::join(a, ","),
                            fmt::join(b, ","));
      }
    }
  }
  return dims;
}

std::vector<int64_t> BroadcastStrides(std::span<const int64_t> from, std::span<const int64_t> to) {
  const std::vector<int64_t> own = Strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1) strides[to.size() - from.size() + i] = own[i];
  }
  return strides;
}

}  // namespace lathe::eval::internal
