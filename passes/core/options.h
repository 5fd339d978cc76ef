// Typed options of passes. They are data: pipeline text, help, documentation and checks come from
// the descriptors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::passes {

using OptionValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;

struct OptionDescriptor {
  std::string_view name;
  std::string_view help;
  // Its alternative is the option's type.
  OptionValue default_value;
};

// One value for every option of a descriptor.
class OptionValues {
 public:
  OptionValues() = default;
  // All defaults.
  explicit OptionValues(const std::vector<OptionDescriptor>& descriptors);

  // Parses `text` as the option's type. Errors: unknown name (with the nearest ones), malformed
  // value.
  Status Set(std::string_view name, std::string_view text);
  Status Set(std::string_view name, OptionValue value);

  // The value; T must be the option's type and the name one of the descriptor's.
  template <typename T>
  const T& Get(std::string_view name) const {
    for (const auto& [key, value] : values_) {
      if (key == name) return std::get<T>(value);
    }
    static const T kNone{};
    return kNone;
  }

  // "{name=value, ...}" with the options that differ from their default; empty when none does.
  std::string ToText(const std::vector<OptionDescriptor>& descriptors) const;

 private:
  std::vector<std::pair<std::string, OptionValue>> values_;
};

}  // namespace lathe::passes
