// The stack of values that a pickle's opcodes work on, and its marks.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lathe/frontends/checkpoint/internal/pickle_value.h"
#include "lathe/support/status.h"

namespace lathe::frontends::internal {

class PickleStack {
 public:
  void Clear();
  void Push(const PickleValue& value) { values_.push_back(value); }
  void PushMark() { marks_.push_back(values_.size()); }

  // Values below the last mark belong to what is built there: taking them is an error.
  StatusOr<PickleValue> Pop();
  StatusOr<PickleHeap::Items> PopItems(size_t count);
  // What stands above the last mark, which is taken off too.
  StatusOr<PickleHeap::Items> PopToMark();
  StatusOr<PickleValue> Top() const;

  // The only value; an error when there are more, fewer, or marks.
  StatusOr<PickleValue> Result() const;

  // The innermost key of a dict whose value is not complete yet.
  std::optional<PickleValue> PendingKey() const;

 private:
  std::vector<PickleValue> values_;
  // Heights of the stack.
  std::vector<size_t> marks_;
};

}  // namespace lathe::frontends::internal
