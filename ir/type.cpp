#include "lathe/ir/type.h"

namespace lathe::ir {

Dim Dim::Known(int64_t extent) {
  Dim dim;
  dim.kind_ = Kind::kKnown;
  dim.extent_ = extent;
  return dim;
}

Dim Dim::Symbol(std::string symbol) {
  Dim dim;
  dim.kind_ = Kind::kSymbol;
  dim.symbol_ = std::move(symbol);
  return dim;
}

Type Type::Tensor(ElementType element, std::optional<Shape> shape) {
  Type type;
  type.kind = Kind::kTensor;
  type.element = element;
  type.shape = std::move(shape);
  return type;
}

Type Type::Tensor(ElementType element, const std::vector<int64_t>& extents) {
  Shape shape;
  shape.reserve(extents.size());
  for (const int64_t extent : extents) shape.push_back(Dim::Known(extent));
  return Tensor(element, std::move(shape));
}

std::optional<std::vector<int64_t>> Type::StaticShape() const {
  if (!shape) return std::nullopt;
  std::vector<int64_t> extents;
  extents.reserve(shape->size());
  for (const Dim& dim : *shape) {
    if (!dim.is_known()) return std::nullopt;
    extents.push_back(dim.extent());
  }
  return extents;
}

TypeTable::TypeTable() { unknown_ = Intern(Type{}); }

const Type* TypeTable::Intern(Type type) {
  if (const auto it = index_.find(&type); it != index_.end()) return it->second;
  const Type* stored = &types_.emplace_back(std::move(type));
  index_.emplace(stored, stored);
  return stored;
}

bool TypeTable::Owns(const Type* type) const {
  const auto it = index_.find(type);
  return it != index_.end() && it->second == type;
}

}  // namespace lathe::ir
