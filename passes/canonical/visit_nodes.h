// A walk over all nodes of a model that stays right while the visitor edits.
#pragma once

#include "lathe/ir/model.h"

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

}  // namespace lathe::passes
