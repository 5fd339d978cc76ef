#include "lathe/ir/graph.h"

namespace lathe::ir {

Graph::~Graph() = default;

void GraphDeleter::operator()(Graph* graph) const { delete graph; }

std::span<Value* const> Graph::initializers() const {
  if (initializers_erased_) {
    std::erase_if(initializers_, [](const Value* value) {
      return value->erased_ || (value->kind_ == Value::Kind::kGraphInput && !value->tensor_ &&
                                value->sparse_ == nullptr);
    });
    initializers_erased_ = false;
  }
  return initializers_;
}

}  // namespace lathe::ir
