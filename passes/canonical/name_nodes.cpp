#include "lathe/passes/canonical/name_nodes.h"

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Gives every node of the main graph a name of its own, because configurations and records call layers by their
node's name: a node without a name gets `node_<index>` (its place in the list of nodes, counted from 0); of
several nodes with one name the first keeps it, the others get a number appended:

    ""    Relu        "node_0"  Relu
    "fc"  Gemm        "fc"      Gemm
    "fc"  Gemm        "fc1"     Gemm

No other pass depends on names of nodes.
)";

StatusOr<bool> Run(PassContext& context) {
  ir::Model& model = context.model();
  bool changed = false;
  size_t index = 0;
  absl::flat_hash_set<ir::Name> seen;
  for (ir::Node& node : model.graph().nodes()) {
    const bool unnamed = node.name().empty();
    if (unnamed || !seen.insert(node.name()).second) {
      const std::string wanted =
          unnamed ? fmt::format("node_{}", index) : std::string(node.name_text());
      const ir::Name name = model.UniqueNodeName(wanted);
      context.rewriter().Rename(node, name);
      seen.insert(name);
      context.Count("named");
      changed = true;
    }
    ++index;
  }
  return changed;
}

}  // namespace

const PassDescriptor& NameNodesPass() {
  static const PassDescriptor kPass = {
      .name = "name-nodes",
      .summary = "Give every node of the main graph a name of its own",
      .description = kDescription,
      .options = {},
      .statistics = {{"named", "nodes named"}},
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
