#include <fmt/format.h>

#include "lathe/ir/text/internal/literals.h"
#include "lathe/ir/text/print.h"

namespace lathe::ir {

using text::QuotedText;
using text::WordText;

std::string PrintType(const Type& type) {
  std::string result;
  const auto nested = [&] { return type.nested == nullptr ? "" : PrintType(*type.nested); };
  switch (type.kind) {
    case Type::Kind::kUnknown:
      result = "?";
      break;
    case Type::Kind::kSequence:
      result = fmt::format("seq({})", nested());
      break;
    case Type::Kind::kOptional:
      result = fmt::format("optional({})", nested());
      break;
    case Type::Kind::kMap:
      result = fmt::format("map({}{}{})", ElementTypeName(type.element),
                           type.nested == nullptr ? "" : ", ", nested());
      break;
    case Type::Kind::kOpaque:
      result = fmt::format("opaque({}, {})", QuotedText(type.opaque_domain),
                           QuotedText(type.opaque_name));
      break;
    case Type::Kind::kSparseTensor:
      result = "sparse ";
      [[fallthrough]];
    case Type::Kind::kTensor:
      result += fmt::format("{}[", ElementTypeName(type.element));
      if (!type.shape) result += "...";
      for (size_t i = 0; type.shape && i < type.shape->size(); ++i) {
        const Dim& dim = (*type.shape)[i];
        if (i > 0) result += ',';
        result += dim.is_known()    ? fmt::format("{}", dim.extent())
                  : dim.is_symbol() ? WordText(dim.symbol())
                                    : "?";
        if (!dim.denotation().empty()) result += "/" + QuotedText(dim.denotation());
      }
      result += ']';
      break;
  }
  if (!type.denotation.empty()) result += " denotation " + QuotedText(type.denotation);
  return result;
}

}  // namespace lathe::ir
