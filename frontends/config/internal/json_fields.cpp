#include "lathe/frontends/config/internal/json_fields.h"

#include <algorithm>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {

const JsonValue* Fields::Find(std::string_view key) const {
  for (const auto& [name, value] : object_) {
    if (name == key) return &value;
  }
  return nullptr;
}

Status Fields::CheckKeys(std::span<const std::string_view> known) const {
  for (const auto& [name, value] : object_) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    Status status = InvalidInput("{}unknown key {}", Prefix(), Quoted(name));
    const std::string hint = DidYouMean(name, known);
    return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
  }
  return OkStatus();
}

Status Fields::WrongType(std::string_view key, const JsonValue& value,
                         std::string_view wanted) const {
  return InvalidInput("{}{} must be {}, it is {}", Prefix(), key, wanted, KindOf(value));
}

Status Fields::Convert(std::string_view key, const JsonValue& value, bool& target) const {
  const bool* known = std::get_if<bool>(&value.value);
  if (known == nullptr) return WrongType(key, value, "true or false");
  target = *known;
  return OkStatus();
}

Status Fields::Convert(std::string_view key, const JsonValue& value, int64_t& target) const {
  const int64_t* known = std::get_if<int64_t>(&value.value);
  if (known == nullptr) return WrongType(key, value, "an integer");
  target = *known;
  return OkStatus();
}

Status Fields::Convert(std::string_view key, const JsonValue& value, double& target) const {
  if (const auto* integer = std::get_if<int64_t>(&value.value)) {
    target = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    target = *number;
  } else {
    return WrongType(key, value, "a number");
  }
  return OkStatus();
}

Status Fields::Convert(std::string_view key, const JsonValue& value, std::string& target) const {
  const std::string* known = std::get_if<std::string>(&value.value);
  if (known == nullptr) return WrongType(key, value, "a string");
  target = *known;
  return OkStatus();
}

Status Fields::Convert(std::string_view key, const JsonValue& value,
                       std::array<double, 2>& target) const {
  const JsonArray* list = std::get_if<JsonArray>(&value.value);
  if (list == nullptr) return WrongType(key, value, "a list of two numbers");
  if (list->size() != target.size()) {
    return InvalidInput("{}{} must be a list of two numbers, it has {}", Prefix(), key,
                        list->size());
  }
  for (size_t i = 0; i < target.size(); ++i) {
    LATHE_RETURN_IF_ERROR(Convert(fmt::format("{}[{}]", key, i), (*list)[i], target[i]));
  }
  return OkStatus();
}

Status Fields::Convert(std::string_view key, const JsonValue& value,
                       std::vector<std::string>& target) const {
  const JsonArray* list = std::get_if<JsonArray>(&value.value);
  if (list == nullptr) return WrongType(key, value, "a list of strings");
  target.resize(list->size());
  for (size_t i = 0; i < target.size(); ++i) {
    LATHE_RETURN_IF_ERROR(Convert(fmt::format("{}[{}]", key, i), (*list)[i], target[i]));
  }
  return OkStatus();
}

}  // namespace lathe::frontends
