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

// "a boolean", "an integer", "a number", "a text" or "a list of texts".
std::string_view OptionTypeName(const OptionValue& value);

// The value as pipeline text: true, 8, 0.5, plain, "with, comma", [a,"b c"]. Texts are quoted where
// they would not be read back otherwise; inside quotes \", \\ and \n stand for ", \ and a line end.
std::string OptionText(const OptionValue& value);

// One value for every option of a descriptor.
class OptionValues {
 public:
  OptionValues() = default;
  // All defaults.
  explicit OptionValues(const std::vector<OptionDescriptor>& descriptors);

  // Parses `text`, written as OptionText writes it, as the option's type. A text that does not
  // begin with a quote is taken as it stands; a list of one may be written without brackets.
  // Errors: unknown name (with the nearest ones), malformed value.
  Status Parse(std::string_view name, std::string_view text);
  // Errors: unknown name, a value of another type.
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

  // "{name=value,...}" with the options that differ from their default; empty when none does.
  std::string ToText(const std::vector<OptionDescriptor>& descriptors) const;

  friend bool operator==(const OptionValues&, const OptionValues&) = default;

 private:
  StatusOr<OptionValue*> Find(std::string_view name);

  std::vector<std::pair<std::string, OptionValue>> values_;
};

}  // namespace lathe::passes
