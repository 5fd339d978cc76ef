// Strings, numbers and bytes as the text form spells them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lathe::ir::text {

// In double quotes: \" \\ \n \t, \xHH for other control characters and for every byte above 0x7f
// of a text that is not UTF-8.
std::string QuotedText(std::string_view text);

// Letters, digits and _ . / $ - only, and at least one: such a name needs no quotes behind a %.
bool IsPlainName(std::string_view text);
// A letter or _, then letters, digits and _ . : needs no quotes as a word.
bool IsWord(std::string_view text);
// A word as it is, anything else in quotes.
std::string WordText(std::string_view text);

// The shortest decimal that reads back as the same number, always with a point, an exponent, "inf"
// or "nan"; "nan(0x7fc00001)" for a NaN that is not the usual one.
std::string FloatText(float value);
std::string FloatText(double value);

// Standard base64 with padding.
std::string Base64(std::span<const std::byte> bytes);
// Nothing when the text is no base64 or not the shortest one.
std::optional<std::string> ParseBase64(std::string_view text);

}  // namespace lathe::ir::text
