#include "lathe/passes/rewrite/internal/worklist.h"

#include <algorithm>

namespace lathe::passes {
namespace {

constexpr int kMostReach = 250;
constexpr size_t kFewDone = 4096;
// A node with the same operand thousands of times must not cost their square.
constexpr uint32_t kMostUsesCounted = 64;

}  // namespace

Worklist::Worklist(PatternReach reach, std::optional<uint64_t> seed) : reach_(reach) {
  reach_.users = std::min(reach_.users, kMostReach);
  if (seed) random_.emplace(*seed);
}

void Worklist::Push(const ir::Node& node, int reach) {
  if (node.is_return()) return;
  if (node.id() >= queued_.size()) queued_.resize(node.id() + 1, 0);
  uint8_t& queued = queued_[node.id()];
  if (queued == 0) ids_.push_back(node.id());
  queued = std::max(queued, static_cast<uint8_t>(reach + 1));
}

ir::NodeId Worklist::PopId() {
  if (random_) {
    std::swap(ids_[head_ + (*random_)() % (ids_.size() - head_)], ids_.back());
    const ir::NodeId id = ids_.back();
    ids_.pop_back();
    return id;
  }
  const ir::NodeId id = ids_[head_++];
  if (head_ > kFewDone && head_ > ids_.size() / 2) {
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return id;
}

Worklist::Item Worklist::Pop(const ir::Model& model) {
  while (head_ < ids_.size()) {
    const ir::NodeId id = PopId();
    const int reach = queued_[id] - 1;
    queued_[id] = 0;
    if (ir::Node* node = model.FindNode(id)) return {node, reach};
  }
  return {};
}

void Worklist::PushChanged(const ir::Node& node, int reach) {
  Push(node, reach);
  if (reach_.siblings) {
    for (const ir::Use& operand : node.operands()) {
      if (operand.value() == nullptr) continue;
      uint32_t seen = 0;
      for (const ir::Use& use : operand.value()->uses()) {
        if (++seen > kMostUsesCounted) break;
        Push(*use.user(), reach_.users);
      }
    }
  }
  if (!reach_.bodies) return;
  for (const ir::Node* owner = node.graph()->owner(); owner != nullptr;
       owner = owner->graph()->owner()) {
    Push(*owner, reach_.users);
  }
}

void Worklist::PassOn(const Item& item) {
  if (item.reach == 0) return;
  for (const ir::Value* output : item.node->outputs()) PushUsers(*output, item.reach - 1);
}

void Worklist::PushUsers(const ir::Value& value, int reach) {
  for (const ir::Use& use : value.uses()) {
    ir::Node& user = *use.user();
    Push(user, reach);
    // Inside a body, the value goes by another.
    if (use.index() < user.num_inputs() || user.is_return()) continue;
    PushUsers(*user.capture_value(use.index() - user.num_inputs()), reach);
  }
}

void Worklist::PushAround(const ir::Value& value) {
  if (const ir::Node* producer = value.producer()) {
    Push(*producer, reach_.users + 1);
  } else {
    PushUsers(value, reach_.users);
  }
}

void Worklist::UseGoes(const ir::Value& value, bool few) {
  // What is read by few may now be read by the match alone. Where many are left there is nothing
  // to look at but the producer, so that taking uses away one by one stays linear.
  if (few) {
    PushAround(value);
  } else if (const ir::Node* producer = value.producer()) {
    Push(*producer);
  }
}

void Worklist::OnNodeErased(ir::Node& node) {
  for (const ir::Use& use : node.operands()) {
    if (use.value() == nullptr) continue;
    uint32_t others = 0;
    uint32_t seen = 0;
    for (const ir::Use& other : use.value()->uses()) {
      if (other.user() != &node) ++others;
      if (others > reach_.inner_uses || ++seen > kMostUsesCounted) break;
    }
    UseGoes(*use.value(), others <= reach_.inner_uses);
  }
}

void Worklist::OnOperandChanged(ir::Use& use, ir::Value* old_value) {
  ir::Node& user = *use.user();
  PushChanged(user, reach_.users);
  if (use.index() >= user.num_inputs() && !user.is_return()) {
    PushUsers(*user.capture_value(use.index() - user.num_inputs()), reach_.users);
  }
  if (old_value != nullptr) UseGoes(*old_value, old_value->use_count() <= reach_.inner_uses);
}

void Worklist::OnValueChanged(ir::Value& value) { PushAround(value); }

}  // namespace lathe::passes
