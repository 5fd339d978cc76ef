// Elements that do not stand in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lathe/ir/element_type.h"

namespace lathe::frontends::internal {

// Whether elements with these strides stand one after another in row-major order. Extents of 1 and
// empty tensors have no say.
bool IsContiguous(std::span<const int64_t> dims, std::span<const int64_t> strides);

// The elements in row-major order; `first` is the tensor's first one. Every element must lie in the
// memory behind it. `big_endian`: each number's bytes are turned round. O(elements).
std::vector<std::byte> Gather(const std::byte* first, ir::ElementType type,
                              std::span<const int64_t> dims, std::span<const int64_t> strides,
                              bool big_endian);

}  // namespace lathe::frontends::internal
