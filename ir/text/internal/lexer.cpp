#include "lathe/ir/text/internal/lexer.h"

#include <fmt/format.h>

#include "lathe/ir/text/internal/literals.h"
#include "lathe/support/quoted.h"

namespace lathe::ir::text {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool InWord(char, char c) { return IsLetter(c) || IsDigit(c) || c == '.'; }
bool InName(char, char c) { return InWord(0, c) || c == '/' || c == '$' || c == '-'; }
// A sign belongs to a number behind the e of its exponent.
bool InNumber(char previous, char c) {
  return InWord(0, c) || ((c == '-' || c == '+') && (previous == 'e' || previous == 'E'));
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Token::Describe() const {
  switch (kind) {
    case Kind::kEnd:
      return "the end of the text";
    case Kind::kString:
      return fmt::format("the string {}", Quoted(text));
    case Kind::kValue:
      return fmt::format("the value {}", Quoted(text));
    default:
      return Quoted(text);
  }
}

void Lexer::SkipSpace() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      ++at_;
    } else if (text_.substr(at_).starts_with("//")) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else {
      return;
    }
  }
}

Token Lexer::Bad(size_t offset, std::string message) {
  at_ = text_.size();
  return {Token::Kind::kBad, std::move(message), offset};
}

Token Lexer::String(size_t offset) {
  Token token = {Token::Kind::kString, "", offset};
  ++at_;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    if (text_[at_] != '\\') {
      token.text += text_[at_++];
      continue;
    }
    const size_t escape = at_++;
    const char c = at_ < text_.size() ? text_[at_++] : '\0';
    if (c == '"' || c == '\\') {
      token.text += c;
    } else if (c == 'n') {
      token.text += '\n';
    } else if (c == 't') {
      token.text += '\t';
    } else if (c == 'x' && at_ + 2 <= text_.size() && HexDigit(text_[at_]) >= 0 &&
               HexDigit(text_[at_ + 1]) >= 0) {
      token.text += static_cast<char>(HexDigit(text_[at_]) * 16 + HexDigit(text_[at_ + 1]));
      at_ += 2;
    } else {
      return Bad(escape, "a string has an escape other than \\\" \\\\ \\n \\t and \\xHH");
    }
  }
  if (at_ >= text_.size() || text_[at_] != '"') {
    return Bad(offset, "a string is not closed on its line");
  }
  ++at_;
  return token;
}

Token Lexer::While(Token::Kind kind, size_t offset, bool (*accepts)(char, char)) {
  const size_t begin = at_;
  while (at_ < text_.size() && accepts(at_ > begin ? text_[at_ - 1] : '\0', text_[at_])) ++at_;
  return {kind, std::string(text_.substr(begin, at_ - begin)), offset};
}

Token Lexer::Next() {
  SkipSpace();
  const size_t offset = at_;
  if (at_ >= text_.size()) return {Token::Kind::kEnd, "", offset};
  const char c = text_[at_];
  const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (c == '"') return String(offset);
  if (c == '%') {
    ++at_;
    if (next == '"') {
      Token token = String(offset);
      if (token.kind == Token::Kind::kString) token.kind = Token::Kind::kValue;
      return token;
    }
    Token token = While(Token::Kind::kValue, offset, InName);
    return token.text.empty() ? Bad(offset, "a % without a name behind it") : token;
  }
  if (IsLetter(c)) return While(Token::Kind::kWord, offset, InWord);
  if (IsDigit(c)) return While(Token::Kind::kNumber, offset, InNumber);
  if (c == '-' && (IsDigit(next) || IsLetter(next))) {
    ++at_;
    Token token = While(Token::Kind::kNumber, offset, InNumber);
    token.text.insert(0, "-");
    return token;
  }
  if (text_.substr(at_).starts_with("...")) {
    at_ += 3;
    return {Token::Kind::kPunctuation, "...", offset};
  }
  if (c == ':' && next == ':') {
    at_ += 2;
    return {Token::Kind::kPunctuation, "::", offset};
  }
  if (std::string_view("(){}[]=,:@/?").find(c) != std::string_view::npos) {
    ++at_;
    return {Token::Kind::kPunctuation, std::string(1, c), offset};
  }
  return Bad(offset,
             fmt::format("the character {} means nothing here", Quoted(text_.substr(at_, 1))));
}

}  // namespace lathe::ir::text
