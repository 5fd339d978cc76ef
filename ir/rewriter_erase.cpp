// What a rewriter removes.
#include <absl/container/flat_hash_set.h>

#include "lathe/ir/rewriter.h"
#include "lathe/ir/use_list.h"

namespace lathe::ir {

void Rewriter::DropValue(Value& value) {
  value.erased_ = true;
  value.tensor_ = {};
  value.sparse_.reset();
  value.notes_.reset();
}

void Rewriter::DropNode(Node& node) {
  for (Use& use : node.operands()) UseList::Remove(use);
  for (Graph* body : node.bodies()) EraseBody(*body);
  for (Value* output : node.outputs_) DropValue(*output);
  node.operands_.reset();
  node.num_inputs_ = node.num_captures_ = node.operand_capacity_ = 0;
  std::vector<Attribute>().swap(node.attributes_);
  std::vector<Value*>().swap(node.capture_values_);
  node.notes_.reset();
  node.erased_ = true;
}

void Rewriter::EraseBody(Graph& body) {
  // The return node first, then from the end, so that a value goes after its uses.
  DropNode(*body.return_node_);
  for (Node* node = body.last_node_; node != nullptr;) {
    Node* previous = node->previous_;
    for (RewriteListener* listener : listeners_) listener->OnNodeErased(*node);
    DropNode(*node);
    node = previous;
  }
  for (Value* value : body.inputs_) DropValue(*value);
  for (Value* value : body.initializers()) DropValue(*value);
  for (Value* value : body.captures_) DropValue(*value);
}

void Rewriter::EraseBodies(Node& node, Attribute& attribute) {
  absl::flat_hash_set<const Graph*> gone;
  if (const auto* body = attribute.get_if<GraphPtr>()) gone.insert(body->get());
  if (const auto* several = attribute.get_if<std::vector<GraphPtr>>()) {
    for (const GraphPtr& body : *several) gone.insert(body.get());
  }
  if (gone.empty()) return;
  for (const Graph* body : gone) EraseBody(const_cast<Graph&>(*body));
  EraseCapturesIf(node, [&](const Value& inner) { return gone.contains(inner.graph()); });
}

void Rewriter::Erase(Node& node) {
  for (RewriteListener* listener : listeners_) listener->OnNodeErased(node);
  Unlink(node);
  DropNode(node);
}

void Rewriter::TruncateOutputs(Node& node, size_t count) {
  if (count >= node.outputs_.size()) return;
  for (size_t i = count; i < node.outputs_.size(); ++i) DropValue(*node.outputs_[i]);
  node.outputs_.resize(count);
  NotifyChanged(node);
}

void Rewriter::EraseInitializer(Value& value) {
  value.graph_->initializers_erased_ = true;
  if (value.kind() == Value::Kind::kGraphInput) {
    value.tensor_ = {};
    value.sparse_.reset();
  } else {
    DropValue(value);
  }
}

template <typename Predicate>
void Rewriter::EraseCapturesIf(Node& node, Predicate goes) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < node.num_captures_; ++i) {
    Use& from = node.operands_[node.num_inputs_ + i];
    Value* inner = node.capture_values_[i];
    if (goes(*inner)) {
      UseList::Remove(from);
      DropValue(*inner);
      continue;
    }
    if (kept != i) {
      Use& to = node.operands_[node.num_inputs_ + kept];
      UseList::Relocate(from, to);
      to.index_ = node.num_inputs_ + kept;
      inner->index_ = kept;
      node.capture_values_[kept] = inner;
    }
    ++kept;
  }
  if (kept == node.num_captures_) return;
  for (Graph* body : node.bodies()) {
    std::erase_if(body->captures_, [](const Value* inner) { return inner->erased_; });
  }
  node.num_captures_ = kept;
  node.capture_values_.resize(kept);
  NotifyChanged(node);
}

void Rewriter::EraseUnusedCaptures(Node& node) {
  EraseCapturesIf(node, [](const Value& inner) { return !inner.has_uses(); });
}

}  // namespace lathe::ir
