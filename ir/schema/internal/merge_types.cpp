#include "lathe/ir/schema/internal/merge_types.h"

#include <fmt/format.h>

namespace lathe::ir {
namespace {

bool MergeShapes(const std::optional<Shape>& inferred, std::optional<Shape>* merged) {
  if (!inferred) return true;
  if (!*merged) {
    *merged = inferred;
    return true;
  }
  if ((*merged)->size() != inferred->size()) return false;
  for (size_t i = 0; i < inferred->size(); ++i) {
    Dim& dim = (**merged)[i];
    const Dim& other = (*inferred)[i];
    if (dim.is_known()) {
      if (other.is_known() && other.extent() != dim.extent()) return false;
      continue;
    }
    if (!other.is_known() && (dim.is_symbol() || !other.is_symbol())) continue;
    std::string denotation = dim.denotation().empty() ? other.denotation() : dim.denotation();
    dim = other;
    dim.set_denotation(std::move(denotation));
  }
  return true;
}

std::string DescribeKind(const Type& type, std::string_view kind) {
  return fmt::format("{}({})", kind, type.nested == nullptr ? "?" : DescribeType(*type.nested));
}

}  // namespace

std::string DescribeType(const Type& type) {
  switch (type.kind) {
    case Type::Kind::kUnknown:
      return "?";
    case Type::Kind::kSequence:
      return DescribeKind(type, "seq");
    case Type::Kind::kOptional:
      return DescribeKind(type, "optional");
    case Type::Kind::kMap:
      return DescribeKind(type, "map");
    case Type::Kind::kOpaque:
      return "opaque";
    case Type::Kind::kTensor:
    case Type::Kind::kSparseTensor:
      break;
  }
  std::string text(type.kind == Type::Kind::kSparseTensor ? "sparse " : "");
  text += ElementTypeName(type.element);
  if (!type.shape) return text + "[...]";
  std::string dims;
  for (const Dim& dim : *type.shape) {
    if (!dims.empty()) dims += ",";
    dims += dim.is_known() ? fmt::format("{}", dim.extent()) : dim.is_symbol() ? dim.symbol() : "?";
  }
  return fmt::format("{}[{}]", text, dims);
}

const Type* MergeTypes(const Model& model, const Type* declared, const Type* inferred,
                       std::string* conflict) {
  if (declared == inferred || inferred->kind == Type::Kind::kUnknown) return declared;
  if (declared->kind == Type::Kind::kUnknown) return inferred;
  const auto contradiction = [&] {
    *conflict =
        fmt::format("declared {}, inferred {}", DescribeType(*declared), DescribeType(*inferred));
    return declared;
  };
  if (declared->kind != inferred->kind) return contradiction();
  Type merged = *declared;
  if (merged.element == ElementType::kUndefined) merged.element = inferred->element;
  if (inferred->element != ElementType::kUndefined && inferred->element != merged.element) {
    return contradiction();
  }
  if (!MergeShapes(inferred->shape, &merged.shape)) return contradiction();
  if (merged.nested == nullptr) {
    merged.nested = inferred->nested;
  } else if (inferred->nested != nullptr) {
    std::string inner;
    merged.nested = MergeTypes(model, merged.nested, inferred->nested, &inner);
    if (!inner.empty()) return contradiction();
  }
  return model.Intern(std::move(merged));
}

}  // namespace lathe::ir
