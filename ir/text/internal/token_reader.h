// The text form as a row of words, and what every part of the parser does with them.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "lathe/ir/text/internal/lexer.h"
#include "lathe/support/status.h"

namespace lathe::ir::text {

// The parser is a chain of classes, each of which reads one more kind of thing: words, types,
// tensors, attributes, graphs (and in parse.cpp models). Errors begin with LINE:COLUMN.
class TokenReader {
 public:
  explicit TokenReader(std::string_view text) : text_(text), lexer_(text, 0) {}

 protected:
  Status Error(size_t offset, std::string_view message) const;
  template <typename... Args>
  Status ErrorAt(const Token& token, fmt::format_string<Args...> format, Args&&... args) const {
    return Error(token.offset, fmt::format(format, std::forward<Args>(args)...));
  }
  // What stands here is something else.
  Status Expected(std::string_view what) const;

  // Goes on from this place of the text.
  void Restart(size_t offset);
  void Advance() { token_ = lexer_.Next(); }
  bool Accept(std::string_view punctuation);
  bool AcceptWord(std::string_view word);
  Status Expect(std::string_view punctuation);
  Status ExpectWord(std::string_view word);
  StatusOr<std::string> ExpectString(std::string_view what);
  StatusOr<std::string> ExpectWordOrString(std::string_view what);
  template <typename T>
  StatusOr<T> ExpectInteger(std::string_view what) {
    T value{};
    const char* end = token_.text.data() + token_.text.size();
    const auto [stop, error] = std::from_chars(token_.text.data(), end, value);
    if (token_.kind != Token::Kind::kNumber || error != std::errc() || stop != end) {
      return Expected(what);
    }
    Advance();
    return value;
  }
  // T is float or double.
  template <typename T>
  StatusOr<T> ExpectFloat();
  StatusOr<std::string> ExpectBase64();
  // item, item, ... up to `close`, which is taken.
  template <typename Item>
  Status List(std::string_view close, Item item) {
    if (Accept(close)) return OkStatus();
    while (true) {
      LATHE_RETURN_IF_ERROR(item());
      if (Accept(close)) return OkStatus();
      if (!Accept(",")) return Expected(fmt::format("',' or '{}'", close));
    }
  }

  std::string_view text_;
  Lexer lexer_;
  Token token_;
};

}  // namespace lathe::ir::text
