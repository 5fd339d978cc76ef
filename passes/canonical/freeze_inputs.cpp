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

With `old-only`, models of IR version 4 and later are left alone: there a default is a choice. Before, a constant
could not be written without listing it as an input, so runtimes take such inputs for constants; and since passes
make constants, a model of IR version 3 is raised to 4 even when it has none yet.
)";

constexpr std::string_view kOldOnly = "old-only";
// The first IR version whose constants need not be inputs.
constexpr int64_t kPlainConstants = 4;

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  int64_t& ir_version = context.rewriter().MutableInfo().ir_version;
  if (context.options().Get<bool>(kOldOnly)) {
    if (ir_version >= kPlainConstants) return false;
    changed = true;
  }
  ir::Graph& graph = context.model().graph();
  const std::vector<ir::Value*> inputs(graph.inputs().begin(), graph.inputs().end());
  for (auto it = inputs.rbegin(); it != inputs.rend(); ++it) {
    if (!(*it)->tensor()) continue;
    context.rewriter().FreezeInput(**it);
    context.Count("frozen");
    changed = true;
  }
  if (changed) ir_version = std::max(ir_version, kPlainConstants);
  return changed;
}

}  // namespace

const PassDescriptor& FreezeInputsPass() {
  static const PassDescriptor kPass = {
      .name = "freeze-inputs",
      .summary = "Turn graph inputs that have a default into constants",
      .description = kDescription,
      .options = {{kOldOnly, "leave models of IR version 4 and later alone", false}},
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
