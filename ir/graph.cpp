#include "lathe/ir/graph.h"

namespace lathe::ir {

Graph::~Graph() = default;

void GraphDeleter::operator()(Graph* graph) const { delete graph; }

std::span<Value* const> Graph::initializers() const {
  if (initializers_erased_) {
    std::erase_if(initializers_, [](const Value* value) {
      return value->erased_ || (value->kind_ == Value::Kind::kGraphInput && !value->tensor_);
    });
    initializers_erased_ = false;
  }
  return initializers_;
}

void Graph::Renumber() const {
  // Gaps leave room for insertions; see Rewriter::Link.
  uint32_t order = 0;
  const auto gap = static_cast<uint32_t>(UINT32_MAX / (num_nodes_ + 2));
  for (Node& node : nodes()) node.order_ = order += gap;
  order_valid_ = true;
}

}  // namespace lathe::ir
