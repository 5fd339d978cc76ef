// The doubly linked list of the uses of a value. Only Rewriter and Model change it.
#pragma once

#include "lathe/ir/node.h"
#include "lathe/ir/value.h"

namespace lathe::ir {

class UseList {
 public:
  // O(1) each.
  static void Add(Use& use, Value* value) {
    use.value_ = value;
    use.next_ = nullptr;
    use.previous_ = nullptr;
    if (value == nullptr) return;
    use.previous_ = value->last_use_;
    (value->last_use_ != nullptr ? value->last_use_->next_ : value->first_use_) = &use;
    value->last_use_ = &use;
    ++value->use_count_;
    if (IsOutput(use)) ++value->output_count_;
  }

  static void Remove(Use& use) {
    Value* value = use.value_;
    if (value == nullptr) return;
    (use.previous_ != nullptr ? use.previous_->next_ : value->first_use_) = use.next_;
    (use.next_ != nullptr ? use.next_->previous_ : value->last_use_) = use.previous_;
    --value->use_count_;
    if (IsOutput(use)) --value->output_count_;
    use.value_ = nullptr;
    use.previous_ = use.next_ = nullptr;
  }

  // Moves a use to another address, keeping its place in the list.
  static void Relocate(Use& from, Use& to) {
    to = from;
    Value* value = to.value_;
    if (value == nullptr) return;
    (to.previous_ != nullptr ? to.previous_->next_ : value->first_use_) = &to;
    (to.next_ != nullptr ? to.next_->previous_ : value->last_use_) = &to;
  }

  // The use is an output of a graph.
  static bool IsOutput(const Use& use) { return use.user_ != nullptr && use.user_->is_return(); }
};

}  // namespace lathe::ir
