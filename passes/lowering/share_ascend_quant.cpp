#include "lathe/passes/lowering/share_ascend_quant.h"

#include <bit>
#include <tuple>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/passes/quant/quant_point.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Layers that read the same value with the same factors share one AscendQuant:

    %q1 = AscendQuant(%x)        %q1 = AscendQuant(%x)
    %a = Conv(%q1, ...)          %a = Conv(%q1, ...)
    %q2 = AscendQuant(%x)        %b = Conv(%q1, ...)
    %b = Conv(%q2, ...)

The first in the order of uses stays (the reference's 4.2, step 8). Equal means: equal bits of scale_d in the
record, equal offset_d and equal resolved width.
)";

// What must be equal for two AscendQuant nodes on one value to be the same.
using Key = std::tuple<const ir::Value*, uint32_t, int32_t, int>;

// The layer that an AscendQuant belongs to: that of the mark on the operand it feeds.
std::optional<std::string_view> LayerOf(const ir::Node& quant) {
  for (const ir::Use& use : quant.output()->uses()) {
    const auto point = FindQuantPoint(use);
    if (point && point->role == QuantRole::kActivation) return point->layer;
  }
  return std::nullopt;
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  absl::flat_hash_map<Key, ir::Node*> first;
  Status status;
  VisitNodesInnerFirst(context.model().graph(), [&](ir::Node& node) {
    const auto layer = node.Is("AscendQuant") ? LayerOf(node) : std::nullopt;
    if (!layer || !status.ok()) return;
    const StatusOr<LayerFactors> factors = FactorsOf(*record, std::string(*layer));
    if (!factors.ok()) {
      status = factors.status();
      return;
    }
    const Key key{node.input(0), std::bit_cast<uint32_t>(factors->scale_d), factors->offset_d,
                  factors->bits.activation};
    const auto [it, inserted] = first.try_emplace(key, &node);
    if (inserted) return;
    ir::Node& kept = *it->second;
    const std::vector<ir::Origin> origins = {kept.origin(), node.origin()};
    rewriter.SetOrigin(kept, context.model().MergeOrigins(origins));
    context.Applied(node, fmt::format("is the same as '{}'", kept.display_name()));
    rewriter.ReplaceNode(node, *kept.output());
    context.Count("merged");
    changed = true;
  });
  LATHE_RETURN_IF_ERROR(status);
  return changed;
}

}  // namespace

const PassDescriptor& ShareAscendQuantPass() {
  static const PassDescriptor kPass = {
      .name = "share-ascend-quant",
      .summary = "Let layers that read one value with equal factors share one AscendQuant",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "AscendQuant nodes merged into another"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated, facts::kAscendLowered},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
