#include "lathe/ir/text/internal/type_parser.h"

#include <optional>

namespace lathe::ir::text {

StatusOr<Dim> TypeParser::ParseDim() {
  Dim dim;
  if (token_.kind == Token::Kind::kNumber) {
    LATHE_ASSIGN_OR_RETURN(const int64_t extent, ExpectInteger<int64_t>("an extent"));
    dim = Dim::Known(extent);
  } else if (!Accept("?")) {
    LATHE_ASSIGN_OR_RETURN(std::string symbol, ExpectWordOrString("an extent, a symbol or '?'"));
    dim = Dim::Symbol(std::move(symbol));
  }
  if (Accept("/")) {
    LATHE_ASSIGN_OR_RETURN(std::string denotation, ExpectString("a denotation"));
    dim.set_denotation(std::move(denotation));
  }
  return dim;
}

StatusOr<const Type*> TypeParser::ParseType(int depth) {
  if (depth > kMaxNesting) return ErrorAt(token_, "types are nested too deeply");
  Type type;
  const Token start = token_;
  const auto nested = [&]() -> Status {
    if (token_.Is(")")) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(type.nested, ParseType(depth + 1));
    return OkStatus();
  };
  if (Accept("?")) {
    type.kind = Type::Kind::kUnknown;
  } else if (AcceptWord("seq") || AcceptWord("optional")) {
    type.kind = start.text == "seq" ? Type::Kind::kSequence : Type::Kind::kOptional;
    LATHE_RETURN_IF_ERROR(Expect("("));
    LATHE_RETURN_IF_ERROR(nested());
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else if (AcceptWord("map")) {
    type.kind = Type::Kind::kMap;
    LATHE_RETURN_IF_ERROR(Expect("("));
    const std::optional<ElementType> key = ParseElementType(token_.text);
    if (token_.kind != Token::Kind::kWord || !key) return Expected("a key type");
    Advance();
    type.element = *key;
    if (Accept(",")) LATHE_RETURN_IF_ERROR(nested());
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else if (AcceptWord("opaque")) {
    type.kind = Type::Kind::kOpaque;
    LATHE_RETURN_IF_ERROR(Expect("("));
    LATHE_ASSIGN_OR_RETURN(type.opaque_domain, ExpectString("a domain"));
    LATHE_RETURN_IF_ERROR(Expect(","));
    LATHE_ASSIGN_OR_RETURN(type.opaque_name, ExpectString("a name"));
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else {
    type.kind = AcceptWord("sparse") ? Type::Kind::kSparseTensor : Type::Kind::kTensor;
    const std::optional<ElementType> element = ParseElementType(token_.text);
    if (token_.kind != Token::Kind::kWord || !element) return Expected("a type");
    Advance();
    type.element = *element;
    LATHE_RETURN_IF_ERROR(Expect("["));
    if (Accept("...")) {
      LATHE_RETURN_IF_ERROR(Expect("]"));
    } else {
      type.shape.emplace();
      const Status listed = List("]", [&]() -> Status {
        LATHE_ASSIGN_OR_RETURN(Dim dim, ParseDim());
        type.shape->push_back(std::move(dim));
        return OkStatus();
      });
      LATHE_RETURN_IF_ERROR(listed);
    }
  }
  if (AcceptWord("denotation")) {
    LATHE_ASSIGN_OR_RETURN(type.denotation, ExpectString("a denotation"));
  }
  return model_->Intern(std::move(type));
}

StatusOr<Metadata> TypeParser::ParseMetadata() {
  Metadata metadata;
  LATHE_RETURN_IF_ERROR(Expect("{"));
  const Status listed = List("}", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(std::string key, ExpectString("a key"));
    LATHE_RETURN_IF_ERROR(Expect("="));
    LATHE_ASSIGN_OR_RETURN(std::string value, ExpectString("a value"));
    metadata.emplace_back(std::move(key), std::move(value));
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return metadata;
}

StatusOr<uint8_t> TypeParser::ParseSpelling() {
  return ExpectInteger<uint8_t>("a number up to 255");
}

StatusOr<bool> TypeParser::ParseValueNotes(ValueNotes* notes) {
  if (!AcceptWord("notes")) return false;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Status listed = List(")", [&]() -> Status {
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(notes->doc, ExpectString("a text"));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(notes->metadata, ParseMetadata());
    } else if (AcceptWord("spelling")) {
      LATHE_ASSIGN_OR_RETURN(notes->spelling, ParseSpelling());
    } else {
      return Expected("doc, metadata or spelling");
    }
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return true;
}

}  // namespace lathe::ir::text
