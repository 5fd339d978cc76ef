#include "lathe/support/decimal_text.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace lathe {
namespace {

// Enough for a sign, 17 digits, a point and an exponent.
constexpr size_t kBufferSize = 64;

}  // namespace

std::string DecimalText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[kBufferSize];
  const auto end =
      std::to_chars(buffer, buffer + kBufferSize, value, std::chars_format::scientific).ptr;
  // [-]d[.ddd]e(+|-)dd
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const std::string_view minus = text.front() == '-' ? "-" : "";
  text.remove_prefix(minus.size());
  const size_t e = text.find('e');
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c != '.') digits.push_back(c);
  }
  int exponent = 0;
  const size_t plus = text[e + 1] == '+' ? 1 : 0;
  std::from_chars(text.data() + e + 1 + plus, text.data() + text.size(), exponent);

  if (exponent < -4 || exponent >= 16) {
    return fmt::format("{}{}{}{}e{}{:02}", minus, digits[0], digits.size() > 1 ? "." : "",
                       std::string_view(digits).substr(1), exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0) return fmt::format("{}0.{:0>{}}{}", minus, "", -exponent - 1, digits);
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole + 1) digits.resize(whole + 1, '0');
  return fmt::format("{}{}.{}", minus, std::string_view(digits).substr(0, whole),
                     std::string_view(digits).substr(whole));
}

double ShortestDecimal(float value) {
  if (!std::isfinite(value)) return value;
  double decimal = 0;
  // Nine digits always read back as the same float32.
  for (int digits = 6; digits <= 9; ++digits) {
    char buffer[kBufferSize];
    const auto end =
        std::to_chars(buffer, buffer + kBufferSize, value, std::chars_format::general, digits).ptr;
    float back = 0;
    std::from_chars(buffer, end, back);
    std::from_chars(buffer, end, decimal);
    if (back == value) break;
  }
  return decimal;
}

}  // namespace lathe
