#include "lathe/passes/rewrite/attribute_equals.h"

#include <bit>
#include <optional>
#include <type_traits>
#include <vector>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

template <typename T>
bool Same(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
  } else if constexpr (std::is_same_v<T, ir::Tensor>) {
    const StatusOr<bool> same = a.EqualContents(b);
    return same.ok() && *same;
  } else {
    return a == b;
  }
}

std::string TextOf(float value) { return fmt::format("{}", value); }
std::string TextOf(int64_t value) { return fmt::format("{}", value); }
std::string TextOf(const std::string& value) { return Quoted(value); }
std::string TextOf(const ir::Tensor&) { return "a tensor"; }
template <typename T>
std::string TextOf(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(TextOf(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

// Nothing for kinds that a pattern cannot ask for.
std::optional<std::string> TextOf(const ir::Attribute& attribute) {
  if (!attribute.reference.empty()) return "the function's own";
  return std::visit(
      [](const auto& value) -> std::optional<std::string> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_constructible_v<ir::PlainAttribute, std::in_place_type_t<T>, T>) {
          return TextOf(value);
        } else {
          return std::nullopt;
        }
      },
      attribute.value);
}

}  // namespace

bool AttributeEquals(const ir::Attribute& attribute, const ir::PlainAttribute& value) {
  return std::visit(
      [&](const auto& wanted) {
        const auto* found = attribute.get_if<std::decay_t<decltype(wanted)>>();
        return found != nullptr && Same(*found, wanted);
      },
      value);
}

std::string AttributeDiffers(std::string_view name, const ir::Attribute* attribute,
                             const ir::PlainAttribute& wanted) {
  const std::string text = std::visit([](const auto& value) { return TextOf(value); }, wanted);
  if (attribute == nullptr) {
    return fmt::format("attribute {} is absent, {} is asked for", Quoted(name), text);
  }
  const std::optional<std::string> found = TextOf(*attribute);
  if (!found) return fmt::format("attribute {} is not {}", Quoted(name), text);
  if (*found == text) {
    return fmt::format("attribute {} is another {}", Quoted(name),
                       std::holds_alternative<ir::Tensor>(wanted) ? "tensor" : "kind of " + text);
  }
  return fmt::format("attribute {} is {}, not {}", Quoted(name), *found, text);
}

}  // namespace lathe::passes
