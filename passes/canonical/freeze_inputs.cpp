#include "lathe/passes/canonical/freeze_inputs.h"

#include <algorithm>
#include <vector>

#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes graph inputs that have an initializer, as the reference does when it reads a model: before IR version
4 every initializer had to be listed as an input, and exporters still do it:

    inputs (%x, %w = default [2, 3])        inputs (%x)
    %y = MatMul(%x, %w)                     constant %w: [2, 3]
                                            %y = MatMul(%x, %w)

The initializer becomes a constant that a caller can no longer override, so that weights can be folded and
quantised. A model of IR version 3 is raised to 4, where this is allowed.
)";

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  ir::Graph& graph = context.model().graph();
  const std::vector<ir::Value*> inputs(graph.inputs().begin(), graph.inputs().end());
  for (auto it = inputs.rbegin(); it != inputs.rend(); ++it) {
    if (!(*it)->tensor()) continue;
    context.rewriter().FreezeInput(**it);
    context.Count("frozen");
    changed = true;
  }
  if (changed) {
    int64_t& ir_version = context.rewriter().MutableInfo().ir_version;
    ir_version = std::max<int64_t>(ir_version, 4);
  }
  return changed;
}

}  // namespace

const PassDescriptor& FreezeInputsPass() {
  static const PassDescriptor kPass = {
      .name = "freeze-inputs",
      .summary = "Turn graph inputs that have a default into constants",
      .description = kDescription,
      .options = {},
      .statistics = {{"frozen", "inputs turned into constants"}},
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
