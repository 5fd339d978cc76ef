#include "lathe/passes/core/options.h"

#include <charconv>
#include <type_traits>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// Characters of a text that needs no quotes.
bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-./:+*@%~").find(c) != std::string_view::npos;
}

std::string TextOf(std::string_view text) {
  bool plain = !text.empty();
  for (const char c : text) plain = plain && IsPlain(c);
  if (plain) return std::string(text);
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '\n') result += '\\';
    result += c == '\n' ? 'n' : c;
  }
  return result + '"';
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Takes a quoted text off the front of `rest`.
StatusOr<std::string> TakeQuoted(std::string_view* rest) {
  std::string result;
  for (size_t i = 1; i < rest->size(); ++i) {
    const char c = (*rest)[i];
    if (c == '"') {
      rest->remove_prefix(i + 1);
      return result;
    }
    if (c == '\\') {
      ++i;
      const char escaped = i < rest->size() ? (*rest)[i] : '\0';
      if (escaped != '"' && escaped != '\\' && escaped != 'n') {
        return InvalidInput("only \\\", \\\\ and \\n are understood after a backslash");
      }
      result += escaped == 'n' ? '\n' : escaped;
    } else {
      result += c;
    }
  }
  return InvalidInput("the quote is not closed");
}

StatusOr<std::string> ParseText(std::string_view text) {
  if (!text.starts_with('"')) return std::string(text);
  LATHE_ASSIGN_OR_RETURN(std::string result, TakeQuoted(&text));
  if (!text.empty()) return InvalidInput("{} follows the closing quote", Quoted(text));
  return result;
}

StatusOr<std::vector<std::string>> ParseList(std::string_view text) {
  if (!text.starts_with('[')) {
    LATHE_ASSIGN_OR_RETURN(std::string item, ParseText(text));
    return std::vector<std::string>{std::move(item)};
  }
  if (!text.ends_with(']') || text.size() < 2) return InvalidInput("']' is missing");
  std::vector<std::string> items;
  std::string_view rest = Trim(text.substr(1, text.size() - 2));
  while (!rest.empty()) {
    if (rest.starts_with('"')) {
      LATHE_ASSIGN_OR_RETURN(std::string item, TakeQuoted(&rest));
      items.push_back(std::move(item));
      rest = Trim(rest);
    } else {
      const size_t end = std::min(rest.find(','), rest.size());
      const std::string_view item = Trim(rest.substr(0, end));
      if (item.empty()) return InvalidInput("an item is empty; write \"\" for an empty text");
      items.emplace_back(item);
      rest.remove_prefix(end);
    }
    if (rest.empty()) break;
    if (!rest.starts_with(',')) return InvalidInput("',' is missing before {}", Quoted(rest));
    rest = Trim(rest.substr(1));
    if (rest.empty()) return InvalidInput("an item is missing after the last ','");
  }
  return items;
}

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::string_view OptionTypeName(const OptionValue& value) {
  struct Visitor {
    std::string_view operator()(bool) const { return "a boolean"; }
    std::string_view operator()(int64_t) const { return "an integer"; }
    std::string_view operator()(double) const { return "a number"; }
    std::string_view operator()(const std::string&) const { return "a text"; }
    std::string_view operator()(const std::vector<std::string>&) const { return "a list of texts"; }
  };
  return std::visit(Visitor(), value);
}

std::string OptionText(const OptionValue& value) {
  struct Visitor {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return TextOf(text); }
    std::string operator()(const std::vector<std::string>& items) const {
      std::string result = "[";
      for (const std::string& item : items) {
        if (result.size() > 1) result += ',';
        result += TextOf(item);
      }
      return result + ']';
    }
  };
  return std::visit(Visitor(), value);
}

OptionValues::OptionValues(const std::vector<OptionDescriptor>& descriptors) {
  for (const OptionDescriptor& option : descriptors) {
    values_.emplace_back(option.name, option.default_value);
  }
}

StatusOr<OptionValue*> OptionValues::Find(std::string_view name) {
  std::vector<std::string_view> names;
  for (auto& [key, value] : values_) {
    if (key == name) return &value;
    names.push_back(key);
  }
  if (names.empty()) return NotFound("there is no option {}: it takes none", Quoted(name));
  std::string hint = DidYouMean(name, names);
  if (hint.empty()) hint = fmt::format("it takes {}", fmt::join(names, ", "));
  return NotFound("there is no option {}; {}", Quoted(name), hint);
}

Status OptionValues::Parse(std::string_view name, std::string_view text) {
  LATHE_ASSIGN_OR_RETURN(OptionValue * value, Find(name));
  text = Trim(text);
  const auto malformed = [&](std::string_view why) {
    return InvalidInput("option {} is {}, and {} is not one{}", Quoted(name),
                        OptionTypeName(*value), Quoted(text), why);
  };
  if (std::holds_alternative<bool>(*value)) {
    if (text != "true" && text != "false") return malformed(": write true or false");
    *value = text == "true";
  } else if (std::holds_alternative<int64_t>(*value)) {
    int64_t number = 0;
    if (!ParseNumber(text, &number)) return malformed("");
    *value = number;
  } else if (std::holds_alternative<double>(*value)) {
    double number = 0;
    if (!ParseNumber(text, &number)) return malformed("");
    *value = number;
  } else if (std::holds_alternative<std::string>(*value)) {
    StatusOr<std::string> parsed = ParseText(text);
    if (!parsed.ok()) return malformed(fmt::format(": {}", std::string(parsed.status().message())));
    *value = *std::move(parsed);
  } else {
    StatusOr<std::vector<std::string>> parsed = ParseList(text);
    if (!parsed.ok()) return malformed(fmt::format(": {}", std::string(parsed.status().message())));
    *value = *std::move(parsed);
  }
  return OkStatus();
}

Status OptionValues::Set(std::string_view name, OptionValue value) {
  LATHE_ASSIGN_OR_RETURN(OptionValue * slot, Find(name));
  if (slot->index() != value.index()) {
    return InvalidInput("option {} is {}, not {}", Quoted(name), OptionTypeName(*slot),
                        OptionTypeName(value));
  }
  *slot = std::move(value);
  return OkStatus();
}

std::string OptionValues::ToText(const std::vector<OptionDescriptor>& descriptors) const {
  std::string result;
  for (const OptionDescriptor& option : descriptors) {
    for (const auto& [key, value] : values_) {
      if (key != option.name || value == option.default_value) continue;
      result += fmt::format("{}{}={}", result.empty() ? "{" : ",", key, OptionText(value));
    }
  }
  return result.empty() ? result : result + "}";
}

}  // namespace lathe::passes
