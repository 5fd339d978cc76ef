#include "lathe/frontends/config/json_document.h"

#include <absl/container/flat_hash_set.h>
#include <nlohmann/json.hpp>

#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

constexpr size_t kDeepest = 32;

// "line 3, column 5" of a byte offset, both counted from 1; columns in bytes.
std::string Position(std::string_view text, size_t offset) {
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    ++column;
    if (text[i] == '\n') {
      ++line;
      column = 1;
    }
  }
  return fmt::format("line {}, column {}", line, column);
}

// Builds the tree from the library's events. Returning false stops the parser.
class TreeBuilder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit TreeBuilder(std::string_view text) : text_(text) {}

  StatusOr<JsonValue> Result() && {
    if (!status_.ok()) return std::move(status_);
    return std::move(root_);
  }

  bool null() { return Add(JsonValue{}); }
  bool boolean(bool value) { return Add({value}); }
  bool number_integer(number_integer_t value) { return Add({value}); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max())) {
      return Fail("{} is too large an integer", value);
    }
    return Add({static_cast<int64_t>(value)});
  }
  bool number_float(number_float_t value, const string_t& digits) {
    // The library turns integers that do not fit into floats.
    if (digits.find_first_of(".eE") == string_t::npos) {
      return Fail("{} is too large an integer", Quoted(digits));
    }
    return Add({value});
  }
  bool string(string_t& value) { return Add({std::move(value)}); }
  bool binary(binary_t&) { return Fail("binary data is not JSON"); }

  bool start_object(size_t) { return Open(JsonObject()); }
  bool end_object() { return Close(); }
  bool start_array(size_t) { return Open(JsonArray()); }
  bool end_array() { return Close(); }

  bool key(string_t& name) {
    if (!levels_.back().keys.insert(name).second)
      return Fail("key {} is there twice", Quoted(name));
    levels_.back().key = std::move(name);
    return true;
  }

  bool parse_error(size_t offset, const std::string&, const nlohmann::json::exception& error) {
    // Offsets are those after the character that was wrong.
    const std::string position = Position(text_, offset > 0 ? offset - 1 : 0);
    if (error.id == kNumberOutOfRange) {
      status_ = InvalidInput("{}: the number is out of range", position);
    } else if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      status_ = InvalidInput("the text is empty");
    } else {
      status_ = InvalidInput("{}: not JSON: {}", position, Complaint(error.what()));
    }
    return false;
  }

 private:
  // The library's number for it.
  static constexpr int kNumberOutOfRange = 406;
  static constexpr size_t kLongestPath = 4;

  struct Level {
    JsonValue value;
    // Of an object: the keys so far and the one whose value comes next.
    absl::flat_hash_set<std::string> keys;
    std::string key;
  };

  // The library's text without its own prefix and without the piece of input it repeats.
  static std::string Complaint(std::string text) {
    if (const size_t dash = text.find(" - "); dash != std::string::npos) text.erase(0, dash + 3);
    const size_t last_read = text.find("; last read: ");
    if (last_read != std::string::npos) {
      const size_t expected = text.rfind("; expected ");
      const bool after = expected != std::string::npos && expected > last_read;
      text = text.substr(0, last_read) + (after ? text.substr(expected) : "");
    }
    return text;
  }

  // Where the parser is: "in 'conv1', 'weight_quant_params': ".
  std::string Path() const {
    std::string path;
    size_t shown = 0;
    for (const Level& level : levels_) {
      if (level.key.empty() || ++shown > kLongestPath) continue;
      path += (path.empty() ? "in " : ", ") + Quoted(level.key);
    }
    return path.empty() ? path : path + ": ";
  }

  template <typename... Args>
  bool Fail(fmt::format_string<Args...> format, Args&&... args) {
    status_ = InvalidInput("{}{}", Path(), fmt::format(format, std::forward<Args>(args)...));
    return false;
  }

  bool Add(JsonValue value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Level& level = levels_.back();
    if (auto* array = std::get_if<JsonArray>(&level.value.value)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonObject>(level.value.value).push_back({std::move(level.key), std::move(value)});
      level.key.clear();
    }
    return true;
  }

  template <typename Container>
  bool Open(Container container) {
    if (levels_.size() == kDeepest) return Fail("more than {} levels of nesting", kDeepest);
    levels_.push_back({JsonValue{std::move(container)}, {}, {}});
    return true;
  }

  bool Close() {
    JsonValue value = std::move(levels_.back().value);
    levels_.pop_back();
    return Add(std::move(value));
  }

  std::string_view text_;
  Status status_;
  JsonValue root_;
  std::vector<Level> levels_;
};

}  // namespace

std::string_view KindOf(const JsonValue& value) {
  switch (value.value.index()) {
    case 0:
      return "null";
    case 1:
      return "true or false";
    case 2:
      return "an integer";
    case 3:
      return "a number";
    case 4:
      return "a string";
    case 5:
      return "a list";
    default:
      return "an object";
  }
}

StatusOr<JsonValue> ParseJson(std::string_view text) {
  TreeBuilder builder(text);
  try {
    nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const std::exception& error) {
    return InternalError("the JSON library failed: {}", error.what());
  }
  return std::move(builder).Result();
}

}  // namespace lathe::frontends
