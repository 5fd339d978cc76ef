#include "lathe/support/quoted.h"

#include <absl/strings/escaping.h>

#include "lathe/support/utf8.h"

namespace lathe {
namespace {

constexpr size_t kLongest = 200;

}  // namespace

std::string Quoted(std::string_view text) {
  std::string_view shown = text;
  if (shown.size() > kLongest) {
    shown = shown.substr(0, kLongest);
    // Not in the middle of a character.
    while (!shown.empty() && (static_cast<unsigned char>(text[shown.size()]) & 0xC0) == 0x80) {
      shown.remove_suffix(1);
    }
  }
  const absl::string_view bytes(shown.data(), shown.size());
  std::string result = "'";
  result += IsUtf8(shown) ? absl::Utf8SafeCHexEscape(bytes) : absl::CHexEscape(bytes);
  if (shown.size() < text.size()) result += "...";
  return result + "'";
}

}  // namespace lathe
