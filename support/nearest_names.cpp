#include "lathe/support/nearest_names.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <absl/strings/ascii.h>

#include "lathe/support/quoted.h"

namespace lathe {
namespace {

// Names longer than this are compared by their first bytes only, so that a hostile file costs
// little.
constexpr size_t kLongestCompared = 256;
// Shorter texts are contained in too many names to mean anything.
constexpr size_t kShortestContained = 3;

std::string Lower(std::string_view text) {
  text = text.substr(0, kLongestCompared);
  return absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
}

// The edit distance of a and b, or limit + 1 when it is above the limit.
size_t EditDistance(std::string_view a, std::string_view b, size_t limit) {
  const size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    size_t least = row[0];
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      least = std::min(least, row[j]);
    }
    if (least > limit) return limit + 1;
  }
  return std::min(row[b.size()], limit + 1);
}

bool Contains(std::string_view longer, std::string_view part) {
  return part.size() >= kShortestContained && longer.find(part) != std::string_view::npos;
}

}  // namespace

std::vector<std::string_view> NearestNames(std::string_view wanted,
                                           std::span<const std::string_view> names, size_t limit) {
  const std::string wanted_lower = Lower(wanted);
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string_view name : names) {
    if (name == wanted || name.empty()) continue;
    const std::string lower = Lower(name);
    const size_t allowed = std::max<size_t>(2, std::max(lower.size(), wanted_lower.size()) / 3);
    const size_t distance = EditDistance(wanted_lower, lower, allowed);
    // A name of which no byte is left is not near.
    const bool similar = distance <= allowed && distance < lower.size();
    if (similar) {
      near.emplace_back(distance, name);
    } else if (Contains(lower, wanted_lower) || Contains(wanted_lower, lower)) {
      near.emplace_back(allowed, name);
    }
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string_view> result;
  for (const auto& [distance, name] : near) {
    if (result.size() == limit) break;
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
  }
  return result;
}

std::string DidYouMean(std::string_view wanted, std::span<const std::string_view> names) {
  const std::vector<std::string_view> near = NearestNames(wanted, names);
  if (near.empty()) return "";
  std::string text = "did you mean ";
  for (size_t i = 0; i < near.size(); ++i) {
    if (i > 0) text += i + 1 == near.size() ? " or " : ", ";
    text += Quoted(near[i]);
  }
  return text + "?";
}

}  // namespace lathe
