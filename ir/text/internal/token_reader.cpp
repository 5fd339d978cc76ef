#include "lathe/ir/text/internal/token_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "lathe/ir/text/internal/literals.h"

namespace lathe::ir::text {

Status TokenReader::Error(size_t offset, std::string_view message) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = offset - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return InvalidInput("{}:{}: {}", line, column, message);
}

void TokenReader::Restart(size_t offset) {
  lexer_ = Lexer(text_, offset);
  Advance();
}

Status TokenReader::Expected(std::string_view what) const {
  if (token_.kind == Token::Kind::kBad) return Error(token_.offset, token_.text);
  return ErrorAt(token_, "expected {}, found {}", what, token_.Describe());
}

bool TokenReader::Accept(std::string_view punctuation) {
  if (!token_.Is(punctuation)) return false;
  Advance();
  return true;
}

bool TokenReader::AcceptWord(std::string_view word) {
  if (!token_.IsWord(word)) return false;
  Advance();
  return true;
}

Status TokenReader::Expect(std::string_view punctuation) {
  if (Accept(punctuation)) return OkStatus();
  return Expected(fmt::format("'{}'", punctuation));
}

Status TokenReader::ExpectWord(std::string_view word) {
  if (AcceptWord(word)) return OkStatus();
  return Expected(fmt::format("'{}'", word));
}

StatusOr<std::string> TokenReader::ExpectString(std::string_view what) {
  if (token_.kind != Token::Kind::kString) return Expected(fmt::format("{} in quotes", what));
  std::string result = std::move(token_.text);
  Advance();
  return result;
}

StatusOr<std::string> TokenReader::ExpectWordOrString(std::string_view what) {
  if (token_.kind != Token::Kind::kString && token_.kind != Token::Kind::kWord) {
    return Expected(what);
  }
  std::string result = std::move(token_.text);
  Advance();
  return result;
}

template <typename T>
StatusOr<T> TokenReader::ExpectFloat() {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr std::string_view kWhat = "a number with a point, an exponent, inf or nan";
  if (token_.IsWord("nan")) {
    Advance();
    if (!Accept("(")) {
      return std::bit_cast<T>(sizeof(T) == 4 ? static_cast<Bits>(0x7fc00000u)
                                             : static_cast<Bits>(0x7ff8000000000000u));
    }
    Bits bits = 0;
    const std::string& hex = token_.text;
    const bool prefixed = token_.kind == Token::Kind::kNumber && hex.starts_with("0x");
    const auto [stop, error] =
        std::from_chars(hex.data() + (prefixed ? 2 : 0), hex.data() + hex.size(), bits, 16);
    const T value = std::bit_cast<T>(bits);
    if (!prefixed || error != std::errc() || stop != hex.data() + hex.size() ||
        !std::isnan(value)) {
      return Expected("the bits of a NaN as 0x...");
    }
    Advance();
    LATHE_RETURN_IF_ERROR(Expect(")"));
    return value;
  }
  if (AcceptWord("inf")) return std::numeric_limits<T>::infinity();
  const std::string& number = token_.text;
  if (token_.kind == Token::Kind::kNumber && number == "-inf") {
    Advance();
    return -std::numeric_limits<T>::infinity();
  }
  T value{};
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (token_.kind != Token::Kind::kNumber || error != std::errc() || stop != end ||
      number.find_first_of(".eE") == std::string::npos) {
    return Expected(kWhat);
  }
  Advance();
  return value;
}

template StatusOr<float> TokenReader::ExpectFloat();
template StatusOr<double> TokenReader::ExpectFloat();

StatusOr<std::string> TokenReader::ExpectBase64() {
  LATHE_RETURN_IF_ERROR(ExpectWord("base64"));
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string encoded, ExpectString("bytes"));
  std::optional<std::string> bytes = ParseBase64(encoded);
  if (!bytes) return ErrorAt(at, "these bytes are no base64");
  return *std::move(bytes);
}

}  // namespace lathe::ir::text
