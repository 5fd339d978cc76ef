#include "lathe/passes/quant/quant_point.h"

#include <array>
#include <utility>

namespace lathe::passes {
namespace {

constexpr std::array<std::pair<QuantRole, std::string_view>, 6> kPrefixes = {{
    {QuantRole::kActivation, "quant.activation:"},
    {QuantRole::kWeight, "quant.weight:"},
    {QuantRole::kBias, "quant.bias:"},
    {QuantRole::kHidden, "quant.hidden:"},
    {QuantRole::kRecurrence, "quant.recurrence:"},
    {QuantRole::kTensor, "quant.tensor:"},
}};

}  // namespace

void MarkQuantPoint(ir::Rewriter& rewriter, ir::Use& use, QuantRole role, std::string_view layer) {
  for (const auto& [each, prefix] : kPrefixes) {
    if (each != role) continue;
    rewriter.SetAnnotation(use, rewriter.model().Intern(std::string(prefix) + std::string(layer)));
  }
}

std::optional<QuantPoint> FindQuantPoint(const ir::Use& use) {
  if (use.annotation().empty()) return std::nullopt;
  const std::string_view text = use.user()->model().Text(use.annotation());
  for (const auto& [role, prefix] : kPrefixes) {
    if (text.starts_with(prefix)) return QuantPoint{role, text.substr(prefix.size())};
  }
  return std::nullopt;
}

}  // namespace lathe::passes
