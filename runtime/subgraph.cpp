#include "lathe/runtime/subgraph.h"

#include <absl/container/flat_hash_set.h>

#include "lathe/ir/rewriter.h"
#include "lathe/runtime/integer/known.h"

namespace lathe::runtime {

CopyMap::CopyMap(const ir::Model& from, const ir::Model& to)
    : values_(from.value_id_end()), nodes_(from.node_id_end()) {
  const auto pair = [&](std::span<ir::Value* const> a, std::span<ir::Value* const> b) {
    for (size_t i = 0; i < a.size(); ++i) values_[a[i]->id()] = b[i];
  };
  pair(from.graph().inputs(), to.graph().inputs());
  pair(from.graph().initializers(), to.graph().initializers());
  auto other = to.graph().nodes().begin();
  for (const ir::Node& node : from.graph().nodes()) {
    nodes_[node.id()] = &*other;
    pair(node.outputs(), other->outputs());
    ++other;
  }
}

std::unique_ptr<ir::Model> ExtractRegion(const ir::Model& model, const PlanRegion& region) {
  std::unique_ptr<ir::Model> part = model.Clone();
  const CopyMap copies(model, *part);
  ir::Rewriter rewriter(*part);
  ir::Graph& graph = part->graph();
  rewriter.TruncateInputs(*graph.return_node(), 0);
  for (const ir::Value* output : region.outputs) {
    rewriter.AddGraphOutput(graph, copies.Find(*output));
  }
  for (const ir::Value* input : region.inputs) {
    if (input->kind() == ir::Value::Kind::kGraphInput) continue;
    ir::Value& old = *copies.Find(*input);
    ir::Value& fresh = rewriter.AddGraphInput(graph, old.name(), old.type_ref());
    rewriter.ReplaceAllUses(old, fresh);
  }
  absl::flat_hash_set<const ir::Node*> kept;
  for (const ir::Node* node : region.nodes) kept.insert(copies.Find(*node));
  // From the end, so that nobody looks at what goes. Nodes that compute constants stay where they
  // are needed.
  for (ir::Node* node = graph.last_node(); node != nullptr;) {
    ir::Node* previous = node->previous();
    bool used = false;
    for (const ir::Value* output : node->outputs()) used = used || output->has_uses();
    if (!kept.contains(node) && !used) rewriter.Erase(*node);
    node = previous;
  }
  std::vector<ir::Value*> unused;
  for (ir::Value* value : graph.initializers()) {
    if (!value->has_uses() && value->kind() == ir::Value::Kind::kInitializer) {
      unused.push_back(value);
    }
  }
  for (ir::Value* value : unused) rewriter.EraseInitializer(*value);
  return part;
}

}  // namespace lathe::runtime
