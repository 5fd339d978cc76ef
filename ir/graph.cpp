#include "lathe/ir/graph.h"

namespace lathe::ir {

Graph::~Graph() = default;

void GraphDeleter::operator()(Graph* graph) const { delete graph; }

void Graph::Renumber() const {
  // Gaps leave room for insertions; see Rewriter::Link.
  uint32_t order = 0;
  const auto gap = static_cast<uint32_t>(UINT32_MAX / (num_nodes_ + 2));
  for (Node& node : nodes()) node.order_ = order += gap;
  order_valid_ = true;
}

}  // namespace lathe::ir
