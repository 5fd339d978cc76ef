#include "lathe/passes/canonical/merge_transposes.h"

#include <algorithm>
#include <numeric>

#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One Transpose does the work of two in a row:

    %a = Transpose{perm=[0, 2, 3, 1]}(%x)        %y = Transpose{perm=[0, 3, 1, 2]}(%x)
    %y = Transpose{perm=[0, 2, 3, 1]}(%a)

    perm[i] = first[last[i]]

Exporters put one around every operator of another layout, so they come in pairs that often cancel: then the
last becomes an Identity. The first stays where others read its result.

Conditions:
- both permutations are given, or one and the other reverses the axes (the default), and they fit together.
)";

bool IsPermutation(const std::vector<int64_t>& perm) {
  std::vector<bool> seen(perm.size(), false);
  for (const int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<int64_t>(perm.size())) return false;
    if (seen[static_cast<size_t>(axis)]) return false;
    seen[static_cast<size_t>(axis)] = true;
  }
  return true;
}

std::vector<int64_t> Reversal(size_t rank) {
  std::vector<int64_t> perm(rank);
  std::iota(perm.rbegin(), perm.rend(), int64_t{0});
  return perm;
}

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool /*only_use*/) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Value& input = *first.input(0);
  std::vector<int64_t> inner = first.IntsAttribute("perm");
  std::vector<int64_t> outer = last.IntsAttribute("perm");
  if (inner.empty() && outer.empty()) {
    BecomeIdentity(rewriter, last, input);
    return std::nullopt;
  }
  if (inner.empty()) inner = Reversal(outer.size());
  if (outer.empty()) outer = Reversal(inner.size());
  if (inner.size() != outer.size() || !IsPermutation(inner) || !IsPermutation(outer)) {
    return "the permutations do not fit together";
  }
  for (int64_t& axis : outer) axis = inner[static_cast<size_t>(axis)];
  if (std::ranges::is_sorted(outer)) {
    BecomeIdentity(rewriter, last, input);
    return std::nullopt;
  }
  rewriter.SetInput(last, 0, &input);
  rewriter.SetAttribute(last, "perm", std::move(outer));
  return std::nullopt;
}

constexpr ChainFamily kFamily = {[](const ir::Node& node) { return node.Is("Transpose"); }, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeTransposesPass() {
  static const PassDescriptor kPass = {
      .name = "merge-transposes",
      .summary = "Make one Transpose of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Transpose merged"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
