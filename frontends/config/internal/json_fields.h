// Objects of a JSON configuration, read key by key with errors that say where.
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

// An object whose keys are taken one by one; errors begin with `where` ("" for the document). The
// object must outlive it.
class JsonFields {
 public:
  JsonFields(const JsonObject& object, std::string where);

  const std::string& where() const { return where_; }

  const JsonValue* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Sets `target` if the key is there.
  template <typename T>
  Status Take(std::string_view key, T& target) const {
    const JsonValue* value = Find(key);
    return value == nullptr ? OkStatus() : Convert(key, *value, target);
  }

  // The object under `key`, or nothing when the key is not there.
  StatusOr<std::optional<JsonFields>> TakeObject(std::string_view key) const;

  // An error for the first key that is not among these, with near ones.
  Status CheckKeys(std::span<const std::string_view> known) const;

  // The error for a key's value that is no `wanted` ("an integer").
  Status WrongType(std::string_view key, const JsonValue& value, std::string_view wanted) const;

  // "where: ", or "" for the document.
  std::string Prefix() const { return where_.empty() ? "" : where_ + ": "; }

 private:
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

  const JsonObject* object_;
  std::string where_;
};

// Whether the text under `key`, absent or one of two, is the second.
StatusOr<bool> TakeSecond(const JsonFields& fields, std::string_view key, std::string_view first,
                          std::string_view second);

// The key `version` into `version`; only 1 is known.
Status TakeVersion(const JsonFields& fields, int64_t& version);

// The text as a configuration, which is an object.
StatusOr<JsonObject> ParseConfigDocument(std::string_view text);

// The value of a key that is none of `global_keys`: the object that configures a layer.
StatusOr<const JsonObject*> LayerObject(std::string_view name, const JsonValue& value,
                                        std::span<const std::string_view> global_keys);

}  // namespace lathe::frontends
