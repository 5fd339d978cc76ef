#include "lathe/tools/type_text.h"

#include <fmt/format.h>

namespace lathe::tools {
namespace {

std::string ShapeText(const ir::Type& type) {
  if (!type.shape) return "[...]";
  std::string text = "[";
  for (const ir::Dim& dim : *type.shape) {
    if (text.size() > 1) text += ',';
    if (dim.is_known()) {
      text += fmt::format("{}", dim.extent());
    } else {
      text += dim.is_symbol() ? dim.symbol() : "?";
    }
  }
  return text + ']';
}

std::string NestedText(const ir::Type& type) {
  return type.nested == nullptr ? "unknown" : TypeText(*type.nested);
}

}  // namespace

std::string TypeText(const ir::Type& type) {
  switch (type.kind) {
    case ir::Type::Kind::kUnknown:
      return "unknown";
    case ir::Type::Kind::kTensor:
      return std::string(ir::ElementTypeName(type.element)) + ShapeText(type);
    case ir::Type::Kind::kSparseTensor:
      return fmt::format("sparse {}{}", ir::ElementTypeName(type.element), ShapeText(type));
    case ir::Type::Kind::kSequence:
      return "sequence of " + NestedText(type);
    case ir::Type::Kind::kOptional:
      return "optional " + NestedText(type);
    case ir::Type::Kind::kMap:
      return fmt::format("map from {} to {}", ir::ElementTypeName(type.element), NestedText(type));
    case ir::Type::Kind::kOpaque:
      return fmt::format("opaque {}.{}", type.opaque_domain, type.opaque_name);
  }
  return "unknown";
}

}  // namespace lathe::tools
