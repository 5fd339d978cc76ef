// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe {

// Takes one character off the front of `text`. nullopt (and `text` unchanged) when it does not
// begin with one.
std::optional<uint32_t> TakeUtf8Character(std::string_view& text);

// Linear in the length of `text`.
bool IsUtf8(std::string_view text);

}  // namespace lathe
