#include "lathe/backends/config/internal/json_text.h"

#include <cmath>
#include <utility>

#include "lathe/support/decimal_text.h"
#include "lathe/support/quoted.h"
#include "lathe/support/utf8.h"

namespace lathe::backends {
namespace {

std::string EscapedUnit(uint32_t unit) { return fmt::format("\\u{:04x}", unit); }

std::string EscapedCharacter(uint32_t character) {
  switch (character) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (character >= 0x10000) {
    const uint32_t rest = character - 0x10000;
    return EscapedUnit(0xD800 + (rest >> 10)) + EscapedUnit(0xDC00 + (rest & 0x3FF));
  }
  if (character < ' ' || character > '~') return EscapedUnit(character);
  return std::string(1, static_cast<char>(character));
}

}  // namespace

void JsonText::Begin(char bracket) {
  text_ += bracket;
  ++level_;
  empty_ = true;
}

void JsonText::End(char bracket) {
  --level_;
  if (!empty_) NewLine();
  text_ += bracket;
  empty_ = false;
}

void JsonText::Next() {
  if (!empty_) text_ += ',';
  empty_ = false;
  NewLine();
}

void JsonText::Key(std::string_view key) {
  Next();
  String(key);
  text_ += ':';
}

void JsonText::Bool(bool value) { text_ += value ? "true" : "false"; }

void JsonText::Integer(int64_t value) { text_ += fmt::format("{}", value); }

void JsonText::Number(double value) {
  if (!std::isfinite(value) && status_.ok()) {
    status_ = InvalidInput("{} cannot be written to a configuration", DecimalText(value));
  }
  text_ += DecimalText(value);
}

void JsonText::String(std::string_view value) {
  text_ += '"';
  std::string_view rest = value;
  while (!rest.empty()) {
    const auto character = TakeUtf8Character(rest);
    if (!character.has_value()) {
      if (status_.ok()) status_ = InvalidInput("the name {} is not UTF-8", Quoted(value));
      return;
    }
    text_ += EscapedCharacter(*character);
  }
  text_ += '"';
}

StatusOr<std::string> JsonText::Finish() && {
  if (!status_.ok()) return std::move(status_);
  return std::move(text_);
}

}  // namespace lathe::backends
