// zlib, with 64-bit sizes and statuses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lathe/support/status.h"

namespace lathe::frontends::internal {

// Unpacks a raw deflate stream into `out`, which it must fill exactly; `prefix_only`: stops when
// `out` is full. Returns the number of bytes made. Never writes past `out`.
StatusOr<size_t> Inflate(std::span<const std::byte> packed, std::span<std::byte> out,
                         bool prefix_only);

// The check sum of zip archives.
uint32_t Crc32(std::span<const std::byte> bytes);

}  // namespace lathe::frontends::internal
