#include "lathe/support/utf8.h"

namespace lathe {

std::optional<uint32_t> TakeUtf8Character(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    text.remove_prefix(1);
    return first;
  }
  size_t length = 0;
  uint32_t smallest = 0;
  uint32_t character = 0;
  if ((first & 0xE0) == 0xC0) {
    length = 2, smallest = 0x80, character = first & 0x1Fu;
  } else if ((first & 0xF0) == 0xE0) {
    length = 3, smallest = 0x800, character = first & 0x0Fu;
  } else if ((first & 0xF8) == 0xF0) {
    length = 4, smallest = 0x10000, character = first & 0x07u;
  } else {
    return std::nullopt;
  }
  if (text.size() < length) return std::nullopt;
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) return std::nullopt;
    character = character << 6 | (byte & 0x3Fu);
  }
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (character < smallest || character > 0x10FFFF || surrogate) return std::nullopt;
  text.remove_prefix(length);
  return character;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    if (!TakeUtf8Character(text).has_value()) return false;
  }
  return true;
}

}  // namespace lathe
