// The keys of a JSON object, with errors that say where they are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/frontends/config/json_document.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// An object whose keys are taken one by one; it must outlive this. Finding a key is linear.
class Fields {
 public:
  // Errors begin with `where`, if it is not empty.
  Fields(const JsonObject& object, std::string where) : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }

  const JsonValue* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Sets `target` if the key is there. Error: its value is of another type.
  template <typename T>
  Status Take(std::string_view key, T& target) const {
    const JsonValue* value = Find(key);
    return value == nullptr ? OkStatus() : Convert(key, *value, target);
  }

  // An error for the first key that is not known, with near ones.
  Status CheckKeys(std::span<const std::string_view> known) const;

  Status WrongType(std::string_view key, const JsonValue& value, std::string_view wanted) const;

 private:
  std::string Prefix() const { return where_.empty() ? "" : where_ + ": "; }

  Status Convert(std::string_view key, const JsonValue& value, bool& target) const;
  Status Convert(std::string_view key, const JsonValue& value, int64_t& target) const;
  Status Convert(std::string_view key, const JsonValue& value, double& target) const;
  Status Convert(std::string_view key, const JsonValue& value, std::string& target) const;
  Status Convert(std::string_view key, const JsonValue& value, std::array<double, 2>& target) const;
  Status Convert(std::string_view key, const JsonValue& value,
                 std::vector<std::string>& target) const;
  template <typename T>
  Status Convert(std::string_view key, const JsonValue& value, std::optional<T>& target) const {
    return Convert(key, value, target.emplace());
  }

  const JsonObject& object_;
  std::string where_;
};

}  // namespace lathe::frontends
