#include "lathe/frontends/config/internal/json_fields.h"

#include <algorithm>
#include <utility>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {

JsonFields::JsonFields(const JsonObject& object, std::string where)
    : object_(&object), where_(std::move(where)) {}

const JsonValue* JsonFields::Find(std::string_view key) const {
  for (const auto& [name, value] : *object_) {
    if (name == key) return &value;
  }
  return nullptr;
}

StatusOr<std::optional<JsonFields>> JsonFields::TakeObject(std::string_view key) const {
  const JsonValue* value = Find(key);
  if (value == nullptr) return std::optional<JsonFields>();
  const auto* object = std::get_if<JsonObject>(&value->value);
  if (object == nullptr) return WrongType(key, *value, "an object");
  return std::optional<JsonFields>(JsonFields(*object, fmt::format("{}, {}", where_, key)));
}

Status JsonFields::CheckKeys(std::span<const std::string_view> known) const {
  for (const auto& [name, value] : *object_) {
    if (std::ranges::find(known, name) != known.end()) continue;
    Status status = InvalidInput("{}unknown key {}", Prefix(), Quoted(name));
    const std::string hint = DidYouMean(name, known);
    return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
  }
  return OkStatus();
}

Status JsonFields::WrongType(std::string_view key, const JsonValue& value,
                             std::string_view wanted) const {
  return InvalidInput("{}{} must be {}, it is {}", Prefix(), key, wanted, KindOf(value));
}

Status JsonFields::Convert(std::string_view key, const JsonValue& value, bool& target) const {
  const bool* known = std::get_if<bool>(&value.value);
  if (known == nullptr) return WrongType(key, value, "true or false");
  target = *known;
  return OkStatus();
}

Status JsonFields::Convert(std::string_view key, const JsonValue& value, int64_t& target) const {
  const int64_t* known = std::get_if<int64_t>(&value.value);
  if (known == nullptr) return WrongType(key, value, "an integer");
  target = *known;
  return OkStatus();
}

Status JsonFields::Convert(std::string_view key, const JsonValue& value, double& target) const {
  if (const auto* integer = std::get_if<int64_t>(&value.value)) {
    target = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    target = *number;
  } else {
    return WrongType(key, value, "a number");
  }
  return OkStatus();
}

Status JsonFields::Convert(std::string_view key, const JsonValue& value,
                           std::string& target) const {
  const std::string* known = std::get_if<std::string>(&value.value);
  if (known == nullptr) return WrongType(key, value, "a string");
  target = *known;
  return OkStatus();
}

Status JsonFields::Convert(std::string_view key, const JsonValue& value,
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

Status JsonFields::Convert(std::string_view key, const JsonValue& value,
                           std::vector<std::string>& target) const {
  const JsonArray* list = std::get_if<JsonArray>(&value.value);
  if (list == nullptr) return WrongType(key, value, "a list of strings");
  target.resize(list->size());
  for (size_t i = 0; i < target.size(); ++i) {
    LATHE_RETURN_IF_ERROR(Convert(fmt::format("{}[{}]", key, i), (*list)[i], target[i]));
  }
  return OkStatus();
}

StatusOr<bool> TakeSecond(const JsonFields& fields, std::string_view key, std::string_view first,
                          std::string_view second) {
  std::string name(first);
  LATHE_RETURN_IF_ERROR(fields.Take(key, name));
  if (name == first) return false;
  if (name == second) return true;
  return InvalidInput("{}{} is {}, allowed are {}, {}", fields.Prefix(), key, Quoted(name), first,
                      second);
}

Status TakeVersion(const JsonFields& fields, int64_t& version) {
  LATHE_RETURN_IF_ERROR(fields.Take("version", version));
  if (version == 1) return OkStatus();
  return InvalidInput("version is {}, only version 1 is known", version);
}

StatusOr<JsonObject> ParseConfigDocument(std::string_view text) {
  LATHE_ASSIGN_OR_RETURN(JsonValue document, ParseJson(text));
  auto* object = std::get_if<JsonObject>(&document.value);
  if (object == nullptr) {
    return InvalidInput("a configuration must be an object, this is {}", KindOf(document));
  }
  return std::move(*object);
}

StatusOr<const JsonObject*> LayerObject(std::string_view name, const JsonValue& value,
                                        std::span<const std::string_view> global_keys) {
  if (const auto* object = std::get_if<JsonObject>(&value.value)) return object;
  Status status =
      InvalidInput("{} is neither a global key nor a layer: a layer is an object, this is {}",
                   Quoted(name), KindOf(value));
  const std::string hint = DidYouMean(name, global_keys);
  return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
}

}  // namespace lathe::frontends
