#include "lathe/support/nibbles.h"

namespace lathe {

std::vector<int8_t> UnpackNibbles(std::span<const std::byte> bytes, size_t count, NibbleSign sign) {
  std::vector<int8_t> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto byte = std::to_integer<int>(bytes[i / 2]);
    const int nibble = i % 2 == 0 ? byte & 15 : byte >> 4;
    const bool negative = sign == NibbleSign::kSigned && nibble > 7;
    values[i] = static_cast<int8_t>(negative ? nibble - 16 : nibble);
  }
  return values;
}

}  // namespace lathe
