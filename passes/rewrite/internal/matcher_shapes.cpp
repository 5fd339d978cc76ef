// Shapes of values, dimension by dimension.
#include "lathe/passes/rewrite/internal/matcher_task.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {

bool Matcher::FitsShape(const Task& task) {
  const std::vector<DimPattern>& wanted = *task.operand->shape_;
  const ir::Type& type = task.value->type();
  ir::Shape of_constant;
  const ir::Shape* shape = type.is_tensor() && type.shape ? &*type.shape : nullptr;
  if (shape == nullptr) {
    const ir::Tensor constant = task.value->ConstantTensor();
    if (!constant) {
      return Refuse(task.node, task.part, true,
                    [&] { return fmt::format("{}: shape is not known", task.place.ToText()); });
    }
    for (const int64_t extent : constant.dims()) of_constant.push_back(ir::Dim::Known(extent));
    shape = &of_constant;
  }
  if (shape->size() != wanted.size()) {
    return Refuse(task.node, task.part, true, [&] {
      return fmt::format("{}: rank is {}, not {}", task.place.ToText(), shape->size(),
                         wanted.size());
    });
  }
  for (size_t axis = 0; axis < wanted.size(); ++axis) {
    if (!FitsDim(task, axis, wanted[axis], (*shape)[axis])) return false;
  }
  return true;
}

bool Matcher::FitsDim(const Task& task, size_t axis, const DimPattern& wanted,
                      const ir::Dim& found) {
  const auto text_of = [](const ir::Dim& dim) {
    if (dim.is_known()) return fmt::format("{}", dim.extent());
    return dim.is_symbol() ? Quoted(dim.symbol()) : std::string("not known");
  };
  const auto refuse = [&](const std::string& text) {
    return Refuse(task.node, task.part, true, [&] {
      return fmt::format("{}: dimension {} is {}{}", task.place.ToText(), axis, text_of(found),
                         text);
    });
  };
  if (wanted.extent_) {
    if (found.is_known() && found.extent() == *wanted.extent_) return true;
    return refuse(explain_ ? fmt::format(", not {}", *wanted.extent_) : std::string());
  }
  if (wanted.handle_.empty()) return true;
  if (!found.is_known() && !found.is_symbol()) return refuse("");
  const ir::Dim bound = match_[DimHandle{wanted.handle_}];
  if (!bound.is_known() && !bound.is_symbol()) {
    match_.bound_dims_.emplace_back(wanted.handle_, found);
    return true;
  }
  const bool same = bound.is_known() ? found.is_known() && found.extent() == bound.extent()
                                     : found.is_symbol() && found.symbol() == bound.symbol();
  return same || refuse(explain_ ? fmt::format(", not {} = {}", wanted.handle_, text_of(bound))
                                 : std::string());
}

}  // namespace lathe::passes
