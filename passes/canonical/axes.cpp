#include "lathe/passes/canonical/axes.h"

#include <algorithm>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

// No tensor has as many; keeps sums of axes in range.
constexpr int64_t kMostAxes = 1 << 20;

}  // namespace

std::optional<std::vector<int64_t>> ExplicitAxes(const ir::Node& node, int rank) {
  std::vector<int64_t> axes = node.IntsAttribute("axes");
  if (axes.empty()) {
    std::optional<std::vector<int64_t>> constant = ConstantInts(node.input(1));
    if (!constant) return std::nullopt;
    axes = *std::move(constant);
  }
  if (axes.empty()) return std::nullopt;
  for (int64_t& axis : axes) {
    if (axis < 0) {
      if (rank < 0) return std::nullopt;
      axis += rank;
    }
    if (axis < 0 || axis >= (rank < 0 ? kMostAxes : rank)) return std::nullopt;
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return std::nullopt;
  return axes;
}

void SetAxes(ir::Rewriter& rewriter, ir::Node& node, std::vector<int64_t> axes) {
  if (node.FindAttribute("axes") != nullptr) {
    rewriter.SetAttribute(node, "axes", std::move(axes));
    return;
  }
  ir::Value& value = MakeConstant(rewriter, node, node.display_name() + ".axes", axes);
  PutInput(rewriter, node, 1, &value);
}

std::vector<int64_t> UniteAxes(const std::vector<int64_t>& without,
                               const std::vector<int64_t>& axes) {
  std::vector<int64_t> all;
  size_t passed = 0;
  for (const int64_t axis : axes) {
    while (passed < without.size() && without[passed] <= axis + static_cast<int64_t>(passed)) {
      all.push_back(without[passed++]);
    }
    all.push_back(axis + static_cast<int64_t>(passed));
  }
  all.insert(all.end(), without.begin() + static_cast<std::ptrdiff_t>(passed), without.end());
  return all;
}

std::vector<int64_t> RemoveAxes(const std::vector<int64_t>& axes,
                                const std::vector<int64_t>& gone) {
  std::vector<int64_t> left;
  for (const int64_t axis : axes) {
    const auto after = std::ranges::lower_bound(gone, axis);
    if (after != gone.end() && *after == axis) continue;
    left.push_back(axis - (after - gone.begin()));
  }
  return left;
}

}  // namespace lathe::passes
