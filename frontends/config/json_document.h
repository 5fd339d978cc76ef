// JSON as a tree that remembers the order of keys and how numbers were written. For configuration
// files: small, and checked more strictly than JSON itself asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::frontends {

struct JsonValue;
struct JsonMember;

using JsonArray = std::vector<JsonValue>;
// Keys are unique and in the order of the text.
using JsonObject = std::vector<JsonMember>;

struct JsonValue {
  // monostate is null. A number without point and exponent is an integer.
  std::variant<std::monostate, bool, int64_t, double, std::string, JsonArray, JsonObject> value;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

// "an integer", "true or false", ...: what a value is, for error messages.
std::string_view KindOf(const JsonValue& value);

// Errors: text that is not JSON (with line and column), a key that is there twice (with the path to
// it), numbers too large for int64 or double, more than 32 levels of nesting, nothing but
// whitespace. UTF-8 only. Linear in the text.
StatusOr<JsonValue> ParseJson(std::string_view text);

}  // namespace lathe::frontends
