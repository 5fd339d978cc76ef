// The order of the nodes of a graph, which tells in O(1) which of two comes first.
#include <algorithm>

#include "lathe/ir/rewriter.h"

namespace lathe::ir {

void Rewriter::Link(Node& node, Graph& graph, Node* before) {
  Node* after = before != nullptr ? before->previous_ : graph.last_node_;
  node.graph_ = &graph;
  node.previous_ = after;
  node.next_ = before;
  (after != nullptr ? after->next_ : graph.first_node_) = &node;
  (before != nullptr ? before->previous_ : graph.last_node_) = &node;
  ++graph.num_nodes_;
  if (node.has_bodies_) ++graph.num_nodes_with_bodies_;
  // Order numbers lie below 2^62. New last nodes leave room before them, others take the middle
  // between their neighbours; where there is none, numbers nearby are dealt anew.
  constexpr uint64_t kEnd = uint64_t{1} << 62;
  constexpr uint64_t kStride = uint64_t{1} << 32;
  const uint64_t low = after != nullptr ? after->order_ : 0;
  const uint64_t high = before != nullptr ? before->order_ : std::min(low + 2 * kStride, kEnd);
  node.order_ = low + (high - low) / 2;
  if (node.order_ == low) SpreadOrder(node);
}

void Rewriter::SpreadOrder(Node& node) {
  // Spreads the smallest aligned range of numbers around the node that is sparse enough: range 2^i
  // may hold (2/1.3)^i nodes, so each spreading pays for many insertions (amortised O(log nodes)).
  Node* first = &node;
  Node* last = &node;
  uint64_t count = 1;
  double allowed = 1;
  for (int bits = 1; bits <= 62; ++bits) {
    allowed *= 2 / 1.3;
    const uint64_t begin = node.order_ >> bits << bits;
    const uint64_t end = begin + (uint64_t{1} << bits);
    while (first->previous_ != nullptr && first->previous_->order_ >= begin) {
      first = first->previous_;
      ++count;
    }
    while (last->next_ != nullptr && last->next_->order_ < end) {
      last = last->next_;
      ++count;
    }
    const uint64_t step = (end - begin) / (count + 1);
    if (static_cast<double>(count) > allowed || step < 2) continue;
    uint64_t order = begin;
    for (Node* each = first; each != last->next_; each = each->next_) each->order_ = order += step;
    return;
  }
}

void Rewriter::Unlink(Node& node) {
  Graph& graph = *node.graph_;
  (node.previous_ != nullptr ? node.previous_->next_ : graph.first_node_) = node.next_;
  (node.next_ != nullptr ? node.next_->previous_ : graph.last_node_) = node.previous_;
  node.previous_ = node.next_ = nullptr;
  --graph.num_nodes_;
  if (node.has_bodies_) --graph.num_nodes_with_bodies_;
}

void Rewriter::Move(Node& node, Node* before) {
  if (&node == before || node.next_ == before) return;
  Graph& graph = *node.graph_;
  Unlink(node);
  Link(node, graph, before);
  NotifyChanged(node);
}

}  // namespace lathe::ir
