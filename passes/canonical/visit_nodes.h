// A walk over all nodes of a model that stays right while the visitor edits.
#pragma once

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// Calls visit(node) for each node of the graph in order, and after it for those of its bodies.
// `visit` may erase and make any nodes but the one it is called with, and those whose body that one
// is in. O(nodes).
template <typename Visit>
void VisitNodes(ir::Graph& graph, const Visit& visit) {
  for (ir::Node* node = graph.first_node(); node != nullptr; node = node->next()) {
    visit(*node);
    if (!node->has_bodies()) continue;
    for (ir::Graph* body : node->bodies()) VisitNodes(*body, visit);
  }
}

// The same for the main graph and all local functions.
template <typename Visit>
void VisitNodes(ir::Model& model, const Visit& visit) {
  VisitNodes(model.graph(), visit);
  for (const auto& function : model.functions()) VisitNodes(function->body(), visit);
}

// Calls visit(node) for the nodes of the bodies first and then for their node, which `visit` may
// erase, as it may what comes before it. O(nodes).
template <typename Visit>
void VisitNodesInnerFirst(ir::Graph& graph, const Visit& visit) {
  for (ir::Node* node = graph.first_node(); node != nullptr;) {
    if (node->has_bodies()) {
      for (ir::Graph* body : node->bodies()) VisitNodesInnerFirst(*body, visit);
    }
    ir::Node* next = node->next();
    visit(*node);
    node = next;
  }
}

// The same for the main graph and all local functions.
template <typename Visit>
void VisitNodesInnerFirst(ir::Model& model, const Visit& visit) {
  VisitNodesInnerFirst(model.graph(), visit);
  for (const auto& function : model.functions()) VisitNodesInnerFirst(function->body(), visit);
}

// As VisitNodes on a graph or a model, with a visitor that returns whether it changed something, as
// StatusOr<bool>. Returns whether any did. After the first error, which gets the node's name, no
// node is visited.
template <typename GraphOrModel, typename Edit>
StatusOr<bool> EditNodes(GraphOrModel& nodes, const Edit& edit) {
  bool changed = false;
  Status status;
  VisitNodes(nodes, [&](ir::Node& node) {
    if (!status.ok()) return;
    const StatusOr<bool> edited = edit(node);
    if (!edited.ok()) {
      status = WithContext(edited.status(), ErrorContext::kNode, node.display_name());
    } else if (*edited) {
      changed = true;
    }
  });
  LATHE_RETURN_IF_ERROR(status);
  return changed;
}

}  // namespace lathe::passes
