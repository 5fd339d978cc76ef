#include "lathe/passes/canonical/equal_shapes.h"

#include <algorithm>

namespace lathe::passes {

bool EqualDims(const ir::Dim& a, const ir::Dim& b) {
  if (a.is_known()) return b.is_known() && a.extent() == b.extent();
  return a.is_symbol() && b.is_symbol() && a.symbol() == b.symbol();
}

bool EqualTensorTypes(const ir::Type& a, const ir::Type& b) {
  return a.is_tensor() && b.is_tensor() && a.element == b.element &&
         a.element != ir::ElementType::kUndefined && a.has_rank() && b.has_rank() &&
         std::ranges::equal(*a.shape, *b.shape, EqualDims);
}

bool BroadcastKeepsShape(const ir::Type& type, std::span<const int64_t> constant) {
  if (constant.empty()) return true;
  if (!type.is_tensor() || !type.has_rank() || constant.size() > type.shape->size()) return false;
  const size_t skipped = type.shape->size() - constant.size();
  for (size_t i = 0; i < constant.size(); ++i) {
    const ir::Dim& dim = (*type.shape)[skipped + i];
    if (constant[i] == 1 || (dim.is_known() && dim.extent() == constant[i])) continue;
    return false;
  }
  return true;
}

}  // namespace lathe::passes
