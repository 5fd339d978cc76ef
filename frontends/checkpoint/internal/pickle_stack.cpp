#include "lathe/frontends/checkpoint/internal/pickle_stack.h"

#include <algorithm>

namespace lathe::frontends::internal {

void PickleStack::Clear() {
  values_.clear();
  marks_.clear();
}

StatusOr<PickleValue> PickleStack::Top() const {
  const size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (values_.size() == bottom) return InvalidInput("the pickle takes a value too many");
  return values_.back();
}

StatusOr<PickleValue> PickleStack::Pop() {
  LATHE_ASSIGN_OR_RETURN(const PickleValue value, Top());
  values_.pop_back();
  return value;
}

StatusOr<PickleHeap::Items> PickleStack::PopItems(size_t count) {
  PickleHeap::Items items(count);
  for (size_t i = count; i-- > 0;) {
    LATHE_ASSIGN_OR_RETURN(items[i], Pop());
  }
  return items;
}

StatusOr<PickleHeap::Items> PickleStack::PopToMark() {
  if (marks_.empty()) return InvalidInput("the pickle has no mark where one is needed");
  const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  PickleHeap::Items items(begin, values_.end());
  values_.erase(begin, values_.end());
  marks_.pop_back();
  return items;
}

StatusOr<PickleValue> PickleStack::Result() const {
  if (values_.size() != 1 || !marks_.empty()) {
    return InvalidInput("the pickle ends with {} values instead of one", values_.size());
  }
  return values_.back();
}

std::optional<PickleValue> PickleStack::PendingKey() const {
  // From the top, mark by mark: the dict stands below the mark, and keys alternate with values
  // above it. Without a mark the dict is the lowest value.
  size_t end = values_.size();
  for (size_t mark = marks_.size() + 1; mark-- > 0;) {
    const size_t begin = mark == 0 ? std::min<size_t>(1, end) : marks_[mark - 1];
    const bool in_dict = begin > 0 && values_[begin - 1].kind == PickleKind::kDict;
    if (in_dict && end > begin) {
      const PickleValue& key = values_[begin + (end - begin - 1) / 2 * 2];
      if (key.kind == PickleKind::kText) return key;
    }
    end = begin;
  }
  return std::nullopt;
}

}  // namespace lathe::frontends::internal
