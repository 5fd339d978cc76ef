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
record, equal offset_d and equal resolved width. An AscendQuant in front of AscendAntiQuant (insert-tensor-quant)
takes part.
)";

// What must be equal for two AscendQuant nodes on one value to be the same.
using Key = std::tuple<const ir::Value*, uint32_t, int32_t, int>;

// Whose factors an AscendQuant has: the mark on the operand it feeds, or that AscendAntiQuant
// behind it feeds.
std::optional<QuantPoint> PointOf(const ir::Node& quant) {
  for (const ir::Use& use : quant.output()->uses()) {
    auto point = FindQuantPoint(use);
    if (point && point->role == QuantRole::kActivation) return point;
    if (!use.user()->Is("AscendAntiQuant")) continue;
    for (const ir::Use& real : use.user()->output()->uses()) {
      point = FindQuantPoint(real);
      if (point && point->role == QuantRole::kTensor) return point;
    }
  }
  return std::nullopt;
}

StatusOr<Key> KeyOf(const ir::Node& quant, const QuantPoint& point, const quant::Record& record) {
  const std::string name(point.layer);
  if (point.role == QuantRole::kTensor) {
    LATHE_ASSIGN_OR_RETURN(const TensorFactors factors, TensorFactorsOf(record, name));
    return Key{quant.input(0), std::bit_cast<uint32_t>(factors.scale), factors.offset, 8};
  }
  LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(record, name));
  return Key{quant.input(0), std::bit_cast<uint32_t>(factors.scale_d), factors.offset_d,
             factors.bits.activation};
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  absl::flat_hash_map<Key, ir::Node*> first;
  Status status;
  VisitNodesInnerFirst(context.model().graph(), [&](ir::Node& node) {
    const auto point = node.Is("AscendQuant") ? PointOf(node) : std::nullopt;
    if (!point || !status.ok()) return;
    const StatusOr<Key> key = KeyOf(node, *point, *record);
    if (!key.ok()) {
      status = key.status();
      return;
    }
    const auto [it, inserted] = first.try_emplace(*key, &node);
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
