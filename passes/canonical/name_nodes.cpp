#include "lathe/passes/canonical/name_nodes.h"

#include <string>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Gives every node of the main graph and of the bodies in it a name of its own, because configurations and
records call layers by their node's name: a node without a name gets `node_<index>` (its place in the list of
nodes, counted from 0), in a body `<owner>/node_<index>`; of several nodes with one name the first keeps it
(those of the main graph come before those of bodies), the others get a number appended:

    ""    Relu        "node_0"  Relu
    "fc"  Gemm        "fc"      Gemm
    "fc"  Gemm        "fc1"     Gemm

No other pass depends on names of nodes.
)";

class Naming {
 public:
  explicit Naming(PassContext& context) : context_(context), model_(context.model()) {}

  bool Run() {
    NameGraph(model_.graph(), "");
    for (ir::Node& node : model_.graph().nodes()) NameBodies(node);
    return changed_;
  }

 private:
  void NameGraph(ir::Graph& graph, const std::string& prefix) {
    size_t index = 0;
    for (ir::Node& node : graph.nodes()) {
      const bool unnamed = node.name().empty();
      if (unnamed || !seen_.insert(node.name()).second) {
        const std::string wanted =
            unnamed ? fmt::format("{}node_{}", prefix, index) : std::string(node.name_text());
        const ir::Name name = model_.UniqueNodeName(wanted);
        context_.rewriter().Rename(node, name);
        seen_.insert(name);
        context_.Count("named");
        changed_ = true;
      }
      ++index;
    }
  }

  void NameBodies(ir::Node& owner) {
    for (ir::Graph* body : owner.bodies()) {
      NameGraph(*body, std::string(owner.name_text()) + "/");
      for (ir::Node& node : body->nodes()) NameBodies(node);
    }
  }

  PassContext& context_;
  ir::Model& model_;
  absl::flat_hash_set<ir::Name> seen_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) { return Naming(context).Run(); }

}  // namespace

const PassDescriptor& NameNodesPass() {
  static const PassDescriptor kPass = {
      .name = "name-nodes",
      .summary = "Give every node of the main graph and its bodies a name of its own",
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
