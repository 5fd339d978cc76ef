#include "lathe/passes/canonical/eliminate_dead_nodes.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "lathe/ir/schema/operator_schema.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes what no output of its graph depends on: nodes, initializers, and captures of bodies (which keep values
of the graphs around them alive):

    inputs (%x)  initializers (%w, %old)       inputs (%x)  initializers (%w)
    %a = Conv(%x, %w)                          %a = Conv(%x, %w)
    %b = Conv(%x, %old)                        return %a
    %c = Relu(%b)
    return %a

One walk over each graph from its end to its start, bodies before the node that owns them: a node is seen
after everything that could use it, so the cost is linear, however long a dead chain is.

A node is removed when
- it has an output, and
- none of its outputs is used.
(A node without outputs is there for what it does, as an observer is.)

A result of a node that stays is omitted when
- it is unused, and optional in the operator's definition (the indices of MaxPool, the last state of an LSTM);
- the operator is not BatchNormalization, whose number of results once said whether it was in training.

An initializer is removed when
- nothing uses it, and
- it is not the default of a graph input (the input is part of the model's interface).

Graph inputs and outputs stay as they are.
)";

bool HasOutputs(const ir::Node& node) { return node.num_outputs() != 0; }

bool AllOutputsUnused(const ir::Node& node) {
  return std::ranges::none_of(node.outputs(),
                              [](const ir::Value* output) { return output->has_uses(); });
}

// The results that may be omitted, by index; empty when the operator is unknown.
std::vector<bool> OptionalOutputs(const ir::Node& node) {
  std::vector<bool> optional(node.num_outputs(), false);
  if (node.Is("BatchNormalization")) return optional;
  const bool onnx = node.domain().empty() || node.domain_text() == "ai.onnx";
  const int64_t version = onnx ? OpsetOf(node) : node.model().OpsetVersion(node.domain_text());
  const auto schema = ir::LookupSchema(node.domain_text(), node.op_text(), version);
  if (!schema) return optional;
  for (size_t i = 0; i < std::min(optional.size(), schema->outputs.size()); ++i) {
    optional[i] = schema->outputs[i].optional;
  }
  return optional;
}

bool IsUnusedConstant(const ir::Value& initializer) {
  return initializer.kind() == ir::Value::Kind::kInitializer && !initializer.has_uses();
}

class Sweeper {
 public:
  explicit Sweeper(PassContext& context) : context_(context), rewriter_(context.rewriter()) {}

  void Sweep(ir::Graph& graph) {
    for (ir::Node* node = graph.last_node(); node != nullptr;) {
      ir::Node* const previous = node->previous();
      if (HasOutputs(*node) && AllOutputsUnused(*node)) {
        rewriter_.Erase(*node);
        Removed("nodes", 1);
      } else {
        if (node->num_outputs() > 1) OmitOutputs(*node);
        if (node->has_bodies()) SweepBodies(*node);
      }
      node = previous;
    }
    SweepInitializers(graph);
  }

  bool changed() const { return changed_; }

 private:
  void OmitOutputs(ir::Node& node) {
    const auto is_used = [](const ir::Value* output) { return output->has_uses(); };
    const auto is_spare = [](const ir::Value* output) {
      return !output->has_uses() && !output->name().empty();
    };
    if (std::ranges::none_of(node.outputs(), is_spare)) return;
    const std::vector<bool> optional = OptionalOutputs(node);
    size_t omitted = 0;
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      if (!optional[i] || !is_spare(node.output(i))) continue;
      rewriter_.Rename(*node.output(i), {});
      ++omitted;
    }
    if (omitted == 0) return;
    // Those behind the last that is left need no empty name.
    size_t count = node.num_outputs();
    while (!is_used(node.output(count - 1)) && node.output(count - 1)->name().empty()) --count;
    rewriter_.TruncateOutputs(node, count);
    Removed("results", omitted);
  }

  void SweepBodies(ir::Node& owner) {
    for (ir::Graph* body : owner.bodies()) Sweep(*body);
    const size_t before = owner.captures().size();
    rewriter_.EraseUnusedCaptures(owner);
    Removed("captures", before - owner.captures().size());
  }

  void SweepInitializers(ir::Graph& graph) {
    std::vector<ir::Value*> unused;
    std::ranges::copy_if(graph.initializers(), std::back_inserter(unused),
                         [](const ir::Value* value) { return IsUnusedConstant(*value); });
    for (ir::Value* value : unused) rewriter_.EraseInitializer(*value);
    Removed("initializers", unused.size());
  }

  void Removed(std::string_view statistic, size_t count) {
    if (count == 0) return;
    changed_ = true;
    context_.Count(statistic, static_cast<int64_t>(count));
  }

  PassContext& context_;
  ir::Rewriter& rewriter_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Sweeper sweeper(context);
  sweeper.Sweep(context.model().graph());
  for (const auto& function : context.model().functions()) sweeper.Sweep(function->body());
  return sweeper.changed();
}

}  // namespace

const PassDescriptor& EliminateDeadNodesPass() {
  static const PassDescriptor kPass = {
      .name = "eliminate-dead-nodes",
      .summary = "Remove nodes, initializers and captures that no output depends on",
      .description = kDescription,
      .options = {},
      .statistics = {{"nodes", "nodes removed"},
                     {"initializers", "initializers removed"},
                     {"results", "optional results omitted"},
                     {"captures", "captures of bodies removed"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a convolution may lose the second consumer that kept it from fusing.
      .preserves = {facts::kShapesInferred, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSearchNInserted, facts::kSparsityApplied,
                    facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
