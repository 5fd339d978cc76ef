#include "lathe/passes/canonical/shape_values.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

bool IsFollowed(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kInt32 || type == ElementType::kBool;
}

// A known number has to fit the type; unknown ones are extents and do.
bool Fits(const Extent& extent, ElementType type) {
  if (!extent.is_known()) return type != ElementType::kBool;
  if (type == ElementType::kBool) return extent.value() == 0 || extent.value() == 1;
  return type != ElementType::kInt32 || (extent.value() >= std::numeric_limits<int32_t>::min() &&
                                         extent.value() <= std::numeric_limits<int32_t>::max());
}

bool Fit(const ShapeValue& value) {
  return value.extents.size() <= ShapeValues::kMostExtents &&
         std::ranges::all_of(value.extents,
                             [&](const Extent& e) { return Fits(e, value.element); });
}

// A vector's only axis.
bool IsFirstAxis(int64_t axis) { return axis == 0 || axis == -1; }

}  // namespace

ShapeValues::ShapeValues(const ir::Model& model) : model_(model), defined_(model) {
  constexpr std::pair<std::string_view, Handler> kHandlers[] = {
      {"Shape", &ShapeValues::Shape},
      {"Size", &ShapeValues::Size},
      {"Identity", &ShapeValues::Same},
      {"Cast", &ShapeValues::Cast},
      {"Gather", &ShapeValues::Gather},
      {"Slice", &ShapeValues::Slice},
      {"Concat", &ShapeValues::Concat},
      {"Squeeze", &ShapeValues::Squeeze},
      {"Unsqueeze", &ShapeValues::Unsqueeze},
      {"Reshape", &ShapeValues::Reshape},
      {"Expand", &ShapeValues::Expand},
      {"ConstantOfShape", &ShapeValues::ConstantOfShape},
      {"ReduceProd", &ShapeValues::ReduceProd},
      {"ReduceSum", &ShapeValues::ReduceSum},
      {"Add", &ShapeValues::Add},
      {"Sub", &ShapeValues::Sub},
      {"Mul", &ShapeValues::Mul},
      {"Div", &ShapeValues::Div},
      {"Mod", &ShapeValues::Mod},
      {"Min", &ShapeValues::Min},
      {"Max", &ShapeValues::Max},
      {"Equal", &ShapeValues::Equal},
      {"Where", &ShapeValues::Where},
  };
  ir::Name name;
  for (const auto& [op, handler] : kHandlers) {
    if (model.names().Find(op, &name)) handlers_.emplace(name, handler);
  }
  model.names().Find("Split", &split_);
}

bool ShapeValues::Follows(const ir::Node& node) const {
  if (!handlers_.contains(node.op()) && (split_.empty() || node.op() != split_)) return false;
  if (!node.Is(node.op_text()) || defined_.Contains(node) || node.num_outputs() == 0) return false;
  return !HasUnknownAttributes(node);
}

std::vector<std::optional<ShapeValue>> ShapeValues::Visit(const ir::Node& node) {
  std::vector<Result> results(node.num_outputs());
  if (const auto it = handlers_.find(node.op()); it != handlers_.end()) {
    results[0] = (this->*it->second)(node);
  } else if (const Result whole = Input(node, 0);
             whole && !whole->is_scalar && IsFirstAxis(node.IntAttribute("axis", 0))) {
    // Split: in parts of known sizes, or equal ones where that comes out even.
    bool given = false;
    std::optional<std::vector<int64_t>> sizes = KnownInputOr(node, 1, "split", &given);
    const size_t length = whole->extents.size();
    if (!given && length % node.num_outputs() == 0) {
      sizes = std::vector<int64_t>(node.num_outputs(),
                                   static_cast<int64_t>(length / node.num_outputs()));
    }
    if (!sizes || sizes->size() != node.num_outputs()) return results;
    size_t at = 0;
    for (const int64_t size : *sizes) {
      if (size < 0 || static_cast<size_t>(size) > length - at) return results;
      at += static_cast<size_t>(size);
    }
    if (at != length) return results;
    auto next = whole->extents.begin();
    for (size_t i = 0; i < results.size(); ++i) {
      results[i] = ShapeValue{false, whole->element, {next, next + (*sizes)[i]}};
      next += (*sizes)[i];
    }
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i] && !Fit(*results[i])) results[i].reset();
    if (results[i]) values_[node.output(i)->id()] = *results[i];
  }
  return results;
}

std::optional<ShapeValue> ShapeValues::Find(const ir::Value& value) {
  const ir::Value& resolved = *value.Resolve();
  if (const auto it = values_.find(resolved.id()); it != values_.end()) return it->second;
  if (const ir::Tensor tensor = resolved.ConstantTensor()) {
    if (!IsFollowed(tensor.element_type()) || tensor.rank() > 1 ||
        tensor.num_elements() > static_cast<int64_t>(kMostExtents)) {
      return std::nullopt;
    }
    const StatusOr<std::vector<int64_t>> numbers = tensor.ValuesAsInt64();
    if (!numbers.ok()) return std::nullopt;
    return ShapeValue{
        tensor.rank() == 0, tensor.element_type(), {numbers->begin(), numbers->end()}};
  }
  return Elements(resolved);
}

std::optional<ShapeValue> ShapeValues::Elements(const ir::Value& value) {
  const ir::Type& type = value.type();
  if (!type.is_tensor() || !type.shape || type.rank() > 1) return std::nullopt;
  if (type.element != ElementType::kInt64 && type.element != ElementType::kInt32) {
    return std::nullopt;
  }
  size_t count = 1;
  if (type.rank() == 1) {
    const ir::Dim& length = type.shape->front();
    if (!length.is_known() || length.extent() > static_cast<int64_t>(kMostExtents)) {
      return std::nullopt;
    }
    count = static_cast<size_t>(length.extent());
  }
  ShapeValue result{type.rank() == 0, type.element, {}};
  for (size_t i = 0; i < count; ++i) result.extents.push_back(table_.Element(value.id(), i));
  return result;
}

std::optional<std::vector<Extent>> ShapeValues::Dims(const ir::Value& value) {
  const ir::Value& resolved = *value.Resolve();
  const ir::Type& type = resolved.type();
  if (!type.is_tensor() || !type.shape) return std::nullopt;
  std::vector<Extent> dims;
  for (size_t i = 0; i < type.shape->size(); ++i) {
    const ir::Dim& dim = (*type.shape)[i];
    dims.push_back(dim.is_known()    ? Extent(dim.extent())
                   : dim.is_symbol() ? table_.Symbol(resolved.graph(), dim.symbol())
                                     : table_.Axis(resolved.id(), i));
  }
  return dims;
}

std::optional<ShapeValue> ShapeValues::Input(const ir::Node& node, size_t i) {
  return node.input(i) == nullptr ? std::nullopt : Find(*node.input(i));
}

std::optional<std::vector<int64_t>> ShapeValues::KnownInput(const ir::Node& node, size_t i) {
  const Result value = Input(node, i);
  if (!value) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Extent& extent : value->extents) {
    if (!extent.is_known()) return std::nullopt;
    numbers.push_back(extent.value());
  }
  return numbers;
}

std::optional<std::vector<int64_t>> ShapeValues::KnownInputOr(const ir::Node& node, size_t i,
                                                              std::string_view attribute,
                                                              bool* given) {
  *given = node.input(i) != nullptr || node.FindAttribute(attribute) != nullptr;
  if (node.input(i) != nullptr) return KnownInput(node, i);
  return node.IntsAttribute(attribute);
}

// ---- Where shapes come from ----

std::optional<ShapeValue> ShapeValues::Shape(const ir::Node& node) {
  if (node.input(0) == nullptr) return std::nullopt;
  const std::optional<std::vector<Extent>> dims = Dims(*node.input(0));
  if (!dims) return std::nullopt;
  const auto rank = static_cast<int64_t>(dims->size());
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(node.IntAttribute("start", 0));
  const int64_t end = std::max(start, clamp(node.IntAttribute("end", rank)));
  return ShapeValue{false, ElementType::kInt64, {dims->begin() + start, dims->begin() + end}};
}

std::optional<ShapeValue> ShapeValues::Size(const ir::Node& node) {
  if (node.input(0) == nullptr) return std::nullopt;
  const std::optional<std::vector<Extent>> dims = Dims(*node.input(0));
  if (!dims) return std::nullopt;
  Extent size(1);
  for (const Extent& dim : *dims) {
    const std::optional<Extent> next = table_.Compute(ExtentTable::Operation::kMul, size, dim);
    if (!next) return std::nullopt;
    size = *next;
  }
  return ShapeValue{true, ElementType::kInt64, {size}};
}

// ---- Layout ----

std::optional<ShapeValue> ShapeValues::Same(const ir::Node& node) { return Input(node, 0); }

std::optional<ShapeValue> ShapeValues::Cast(const ir::Node& node) {
  Result value = Input(node, 0);
  const auto type = ir::ElementTypeFromOnnx(node.IntAttribute("to", 0));
  // To bool, numbers become 0 and 1.
  if (!value || !type || !IsFollowed(*type)) return std::nullopt;
  if (*type == ElementType::kBool && value->element != ElementType::kBool) return std::nullopt;
  value->element = *type;
  return value;
}

std::optional<ShapeValue> ShapeValues::Gather(const ir::Node& node) {
  const Result data = Input(node, 0);
  const Result indices = Input(node, 1);
  if (!data || !indices || data->is_scalar || node.IntAttribute("axis", 0) > 0) return std::nullopt;
  const auto length = static_cast<int64_t>(data->extents.size());
  ShapeValue result{indices->is_scalar, data->element, {}};
  for (const Extent& index : indices->extents) {
    if (!index.is_known() || index.value() < -length || index.value() >= length) {
      return std::nullopt;
    }
    const int64_t at = index.value() < 0 ? index.value() + length : index.value();
    result.extents.push_back(data->extents[static_cast<size_t>(at)]);
  }
  return result;
}

std::optional<ShapeValue> ShapeValues::Slice(const ir::Node& node) {
  const Result data = Input(node, 0);
  if (!data || data->is_scalar) return std::nullopt;
  bool given = false, has_axes = false, has_steps = false;
  const auto starts = KnownInputOr(node, 1, "starts", &given);
  const auto ends = KnownInputOr(node, 2, "ends", &given);
  const auto axes = KnownInputOr(node, 3, "axes", &has_axes);
  const auto steps = KnownInputOr(node, 4, "steps", &has_steps);
  if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return std::nullopt;
  if (has_axes && (!axes || axes->size() != 1 || !IsFirstAxis(axes->front()))) return std::nullopt;
  if (has_steps && (!steps || steps->size() != 1)) return std::nullopt;
  const int64_t step = has_steps ? steps->front() : 1;
  const auto length = static_cast<int64_t>(data->extents.size());
  // Runtimes do not agree where a walk backwards starts that starts before the first element.
  if (step == 0 || step < -length - 1 || (step < 0 && starts->front() < -length)) {
    return std::nullopt;
  }
  const auto clamp = [&](int64_t at) {
    if (at < 0) at = at < -length ? -1 : at + length;
    return step > 0 ? std::clamp<int64_t>(at, 0, length) : std::clamp<int64_t>(at, -1, length - 1);
  };
  ShapeValue result{false, data->element, {}};
  const int64_t last = clamp(ends->front());
  for (int64_t i = clamp(starts->front()); step > 0 ? i < last : i > last;
       i += std::min(step, length)) {
    result.extents.push_back(data->extents[static_cast<size_t>(i)]);
  }
  return result;
}

std::optional<ShapeValue> ShapeValues::Concat(const ir::Node& node) {
  if (!IsFirstAxis(node.IntAttribute("axis", 1)) || node.num_inputs() > kMostExtents) {
    return std::nullopt;
  }
  ShapeValue result;
  for (size_t i = 0; i < node.num_inputs(); ++i) {
    const Result part = Input(node, i);
    if (!part || part->is_scalar) return std::nullopt;
    result.element = part->element;
    result.extents.insert(result.extents.end(), part->extents.begin(), part->extents.end());
  }
  return result;
}

std::optional<ShapeValue> ShapeValues::Squeeze(const ir::Node& node) {
  Result value = Input(node, 0);
  bool given = false;
  const auto axes = KnownInputOr(node, 1, "axes", &given);
  if (!value || (given && !axes)) return std::nullopt;
  if (given && axes->empty()) return value;
  if (value->is_scalar) return given ? std::nullopt : value;
  if (given && (axes->size() != 1 || !IsFirstAxis(axes->front()))) return std::nullopt;
  if (value->extents.size() == 1) {
    value->is_scalar = true;
    return value;
  }
  return given ? std::nullopt : value;
}

std::optional<ShapeValue> ShapeValues::Unsqueeze(const ir::Node& node) {
  Result value = Input(node, 0);
  bool given = false;
  const auto axes = KnownInputOr(node, 1, "axes", &given);
  if (!value || !axes || !value->is_scalar) return std::nullopt;
  if (axes->size() != 1 || !IsFirstAxis(axes->front())) return std::nullopt;
  value->is_scalar = false;
  return value;
}

std::optional<ShapeValue> ShapeValues::Reshape(const ir::Node& node) {
  Result value = Input(node, 0);
  const Result target = Input(node, 1);
  const auto dims = KnownInput(node, 1);
  if (!value || !dims || target->is_scalar || dims->size() > 1) return std::nullopt;
  const auto length = static_cast<int64_t>(value->extents.size());
  if (dims->empty() ? length != 1 : dims->front() != -1 && dims->front() != length) {
    return std::nullopt;
  }
  value->is_scalar = dims->empty();
  return value;
}

std::optional<ShapeValue> ShapeValues::Expand(const ir::Node& node) {
  Result value = Input(node, 0);
  const auto dims = KnownInput(node, 1);
  if (!value || !dims || dims->size() != 1) return std::nullopt;
  const int64_t length = dims->front();
  if (length < 1 || length > static_cast<int64_t>(kMostExtents)) return std::nullopt;
  if (length > 1 && value->extents.size() != 1) {
    return value->extents.size() == static_cast<size_t>(length) ? value : std::nullopt;
  }
  if (length > 1) value->extents.resize(static_cast<size_t>(length), Extent(value->extents[0]));
  value->is_scalar = false;
  return value;
}

std::optional<ShapeValue> ShapeValues::ConstantOfShape(const ir::Node& node) {
  const auto dims = KnownInput(node, 0);
  const ir::Tensor* fill = node.TensorAttribute("value");
  if (!dims || dims->size() > 1 || fill == nullptr || !IsFollowed(fill->element_type())) {
    return std::nullopt;
  }
  const StatusOr<std::vector<int64_t>> number = fill->ValuesAsInt64();
  const int64_t length = dims->empty() ? 1 : dims->front();
  if (!number.ok() || number->size() != 1 || length < 0 ||
      length > static_cast<int64_t>(kMostExtents)) {
    return std::nullopt;
  }
  return ShapeValue{dims->empty(), fill->element_type(),
                    std::vector<Extent>(static_cast<size_t>(length), Extent(number->front()))};
}

// ---- Arithmetic ----

std::optional<ShapeValue> ShapeValues::Reduce(const ir::Node& node,
                                              ExtentTable::Operation operation) {
  const Result value = Input(node, 0);
  bool given = false;
  const auto axes = KnownInputOr(node, 1, "axes", &given);
  if (!value || value->is_scalar || value->element == ElementType::kBool) return std::nullopt;
  if (given && (!axes || axes->size() != 1 || !IsFirstAxis(axes->front()))) return std::nullopt;
  if (!given && node.IntAttribute("noop_with_empty_axes", 0) != 0) return std::nullopt;
  Extent total(operation == ExtentTable::Operation::kMul ? 1 : 0);
  for (const Extent& extent : value->extents) {
    const std::optional<Extent> next = table_.Compute(operation, total, extent);
    if (!next) return std::nullopt;
    total = *next;
  }
  return ShapeValue{node.IntAttribute("keepdims", 1) == 0, value->element, {total}};
}

std::optional<ShapeValue> ShapeValues::ReduceProd(const ir::Node& node) {
  return Reduce(node, ExtentTable::Operation::kMul);
}
std::optional<ShapeValue> ShapeValues::ReduceSum(const ir::Node& node) {
  return Reduce(node, ExtentTable::Operation::kAdd);
}

namespace {

// Calls combine(a, b) for the elements of two values after broadcasting.
template <typename Combine>
std::optional<ShapeValue> Broadcast(const ShapeValue& a, const ShapeValue& b, ElementType element,
                                    const Combine& combine) {
  const size_t na = a.extents.size(), nb = b.extents.size();
  if (na != nb && na != 1 && nb != 1) return std::nullopt;
  const size_t count = na == 1 ? nb : na;
  ShapeValue result{a.is_scalar && b.is_scalar, element, {}};
  for (size_t i = 0; i < count; ++i) {
    const std::optional<Extent> next =
        combine(a.extents[na == 1 ? 0 : i], b.extents[nb == 1 ? 0 : i]);
    if (!next) return std::nullopt;
    result.extents.push_back(*next);
  }
  return result;
}

}  // namespace

std::optional<ShapeValue> ShapeValues::Fold(const ir::Node& node,
                                            ExtentTable::Operation operation) {
  Result total = Input(node, 0);
  if (!total || total->element == ElementType::kBool) return std::nullopt;
  for (size_t i = 1; i < node.num_inputs(); ++i) {
    const Result next = Input(node, i);
    if (!next || next->element != total->element) return std::nullopt;
    total = Broadcast(*total, *next, total->element, [&](const Extent& a, const Extent& b) {
      return table_.Compute(operation, a, b);
    });
    if (!total) return std::nullopt;
  }
  return total;
}

std::optional<ShapeValue> ShapeValues::Add(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kAdd);
}
std::optional<ShapeValue> ShapeValues::Sub(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kSub);
}
std::optional<ShapeValue> ShapeValues::Mul(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kMul);
}
std::optional<ShapeValue> ShapeValues::Div(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kDiv);
}
std::optional<ShapeValue> ShapeValues::Mod(const ir::Node& node) {
  if (node.IntAttribute("fmod", 0) != 0) return std::nullopt;
  return Fold(node, ExtentTable::Operation::kMod);
}
std::optional<ShapeValue> ShapeValues::Min(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kMin);
}
std::optional<ShapeValue> ShapeValues::Max(const ir::Node& node) {
  return Fold(node, ExtentTable::Operation::kMax);
}

std::optional<ShapeValue> ShapeValues::Equal(const ir::Node& node) {
  const Result a = Input(node, 0);
  const Result b = Input(node, 1);
  if (!a || !b) return std::nullopt;
  return Broadcast(*a, *b, ElementType::kBool,
                   [&](const Extent& x, const Extent& y) -> std::optional<Extent> {
                     const std::optional<bool> equal = table_.Equal(x, y);
                     return equal ? std::optional<Extent>(*equal ? 1 : 0) : std::nullopt;
                   });
}

std::optional<ShapeValue> ShapeValues::Where(const ir::Node& node) {
  const Result condition = Input(node, 0);
  const Result yes = Input(node, 1);
  const Result no = Input(node, 2);
  if (!condition || !yes || !no || yes->element != no->element) return std::nullopt;
  size_t count = 1;
  for (const Result* value : {&condition, &yes, &no}) {
    const size_t length = (*value)->extents.size();
    if (length != 1 && count != 1 && length != count) return std::nullopt;
    if (length != 1) count = length;
  }
  const auto at = [](const ShapeValue& value, size_t i) {
    return value.extents[value.extents.size() == 1 ? 0 : i];
  };
  ShapeValue result{condition->is_scalar && yes->is_scalar && no->is_scalar, yes->element, {}};
  for (size_t i = 0; i < count; ++i) {
    const Extent which = at(*condition, i);
    if (!which.is_known()) return std::nullopt;
    result.extents.push_back(which.value() != 0 ? at(*yes, i) : at(*no, i));
  }
  return result;
}

}  // namespace lathe::passes
