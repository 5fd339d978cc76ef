#include "lathe/frontends/checkpoint/internal/strided.h"

#include <algorithm>
#include <cstring>

namespace lathe::frontends::internal {
namespace {

// One row: `count` elements of kWidth bytes that stand `step` bytes apart.
template <size_t kWidth>
void CopyRow(const std::byte* from, ptrdiff_t step, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i, from += step, to += kWidth) std::memcpy(to, from, kWidth);
}

using RowCopier = void (*)(const std::byte*, ptrdiff_t, int64_t, std::byte*);

RowCopier CopierOf(size_t width) {
  switch (width) {
    case 1:
      return CopyRow<1>;
    case 2:
      return CopyRow<2>;
    case 4:
      return CopyRow<4>;
    case 8:
      return CopyRow<8>;
    default:
      return CopyRow<16>;
  }
}

void SwapBytes(std::vector<std::byte>& bytes, size_t width) {
  for (auto at = bytes.begin(); at != bytes.end(); at += static_cast<ptrdiff_t>(width)) {
    std::reverse(at, at + static_cast<ptrdiff_t>(width));
  }
}

}  // namespace

bool IsContiguous(std::span<const int64_t> dims, std::span<const int64_t> strides) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return true;
  int64_t expected = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (dims[axis] == 1) continue;
    if (strides[axis] != expected) return false;
    expected *= dims[axis];
  }
  return true;
}

std::vector<std::byte> Gather(const std::byte* first, ir::ElementType type,
                              std::span<const int64_t> dims, std::span<const int64_t> strides,
                              bool big_endian) {
  const auto width = static_cast<size_t>(ir::ElementBits(type)) / 8;
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  std::vector<std::byte> result(static_cast<size_t>(count) * width);
  if (result.empty()) return result;
  const int64_t row = dims.empty() ? 1 : dims.back();
  const ptrdiff_t step = dims.empty() ? 0 : strides.back() * static_cast<ptrdiff_t>(width);
  const size_t outer = dims.empty() ? 0 : dims.size() - 1;
  const RowCopier copy = CopierOf(width);
  std::vector<int64_t> index(outer);
  const std::byte* from = first;
  for (size_t to = 0; to < result.size(); to += static_cast<size_t>(row) * width) {
    copy(from, step, row, &result[to]);
    for (size_t axis = outer; axis-- > 0;) {
      const ptrdiff_t stride = strides[axis] * static_cast<ptrdiff_t>(width);
      from += stride;
      if (++index[axis] < dims[axis]) break;
      from -= stride * index[axis];
      index[axis] = 0;
    }
  }
  const bool is_complex =
      type == ir::ElementType::kComplex64 || type == ir::ElementType::kComplex128;
  if (big_endian) SwapBytes(result, is_complex ? width / 2 : width);
  return result;
}

}  // namespace lathe::frontends::internal
