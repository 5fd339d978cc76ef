// Words of the text form.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe::ir::text {

struct Token {
  enum class Kind {
    kEnd,
    kWord,         // Conv, f32, nan
    kNumber,       // 1, -2.5e-7
    kString,       // "text", decoded
    kValue,        // %name or %"name", decoded
    kPunctuation,  // one character, or "::" or "..."
    kBad,          // `text` says what is wrong
  };
  Kind kind = Kind::kEnd;
  std::string text;
  // Where it begins.
  size_t offset = 0;

  bool Is(std::string_view punctuation) const {
    return kind == Kind::kPunctuation && text == punctuation;
  }
  bool IsWord(std::string_view word) const { return kind == Kind::kWord && text == word; }
  // For messages: "'Conv'", "the end of the text".
  std::string Describe() const;
};

class Lexer {
 public:
  Lexer(std::string_view text, size_t begin) : text_(text), at_(begin) {}

  // Skips white space and comments (// to the end of the line). O(length of the token).
  Token Next();

 private:
  void SkipSpace();
  Token Bad(size_t offset, std::string message);
  Token String(size_t offset);
  Token While(Token::Kind kind, size_t offset, bool (*accepts)(char, char));

  std::string_view text_;
  size_t at_;
};

}  // namespace lathe::ir::text
