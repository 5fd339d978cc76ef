// Integers of 4 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe {

enum class NibbleSign { kSigned, kUnsigned };

// `count` integers that stand two in a byte, the first in the low half: ONNX's int4 and uint4, and
// the pairs of deploy files (the reference's 5.5). Signed ones are two's complement. `bytes` holds
// at least (count + 1) / 2. O(count).
std::vector<int8_t> UnpackNibbles(std::span<const std::byte> bytes, size_t count,
                                  NibbleSign sign = NibbleSign::kSigned);

}  // namespace lathe
