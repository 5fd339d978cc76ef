#include "lathe/ir/text/internal/attribute_parser.h"

#include <algorithm>
#include <iterator>

namespace lathe::ir::text {
namespace {

constexpr std::string_view kKindNames[] = {
    "undefined", "float", "int",     "string",  "tensor",         "sparse_tensor", "graph", "type",
    "floats",    "ints",  "strings", "tensors", "sparse_tensors", "graphs",        "types"};

bool IsFloatToken(const Token& token) {
  if (token.kind == Token::Kind::kWord) return token.text == "inf" || token.text == "nan";
  return token.kind == Token::Kind::kNumber &&
         (token.text == "-inf" || token.text.find_first_of(".eE") != std::string::npos);
}

}  // namespace

StatusOr<AttributeValue> AttributeParser::ParseBareList() {
  Advance();
  if (token_.Is("]")) {
    return ErrorAt(token_, "an empty list needs its kind before it: floats [], ints [], ...");
  }
  if (token_.kind == Token::Kind::kString) {
    std::vector<std::string> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(std::string value, ExpectString("a text"));
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  if (IsFloatToken(token_)) {
    std::vector<float> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(const float value, ExpectFloat<float>());
      values.push_back(value);
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  std::vector<int64_t> values;
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const int64_t value, ExpectInteger<int64_t>("an integer"));
    values.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return values;
}

// Lists that begin with their kind: empty ones, and those of tensors and types.
StatusOr<AttributeValue> AttributeParser::ParseTypedList(std::string_view kind) {
  LATHE_RETURN_IF_ERROR(Expect("["));
  const auto empty = [&](AttributeValue value) -> StatusOr<AttributeValue> {
    LATHE_RETURN_IF_ERROR(Expect("]"));
    return value;
  };
  if (kind == "floats") return empty(std::vector<float>());
  if (kind == "ints") return empty(std::vector<int64_t>());
  if (kind == "strings") return empty(std::vector<std::string>());
  if (kind == "tensors") {
    std::vector<Tensor> values;
    const Status listed = List("]", [&]() -> Status {
      const Token at = token_;
      LATHE_ASSIGN_OR_RETURN(Tensor value, ParseTensor());
      if (!value) return ErrorAt(at, "a tensor cannot be none here");
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  if (kind == "sparse_tensors") {
    std::vector<SparseTensor> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(SparseTensor value, ParseSparse());
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  std::vector<const Type*> values;
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const Type* value, ParseType());
    values.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return values;
}

StatusOr<AttributeValue> AttributeParser::ParsePlainValue() {
  if (token_.kind == Token::Kind::kString) {
    std::string value = std::move(token_.text);
    Advance();
    return value;
  }
  if (IsFloatToken(token_)) {
    LATHE_ASSIGN_OR_RETURN(const float value, ExpectFloat<float>());
    return value;
  }
  if (token_.kind == Token::Kind::kNumber) {
    LATHE_ASSIGN_OR_RETURN(const int64_t value, ExpectInteger<int64_t>("an integer"));
    return value;
  }
  if (token_.Is("[")) return ParseBareList();
  if (AcceptWord("unset")) return AttributeValue();
  if (AcceptWord("tensor")) {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(Tensor value, ParseTensor());
    if (!value) return ErrorAt(at, "a tensor cannot be none here");
    return value;
  }
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor value, ParseSparse());
    return value;
  }
  if (AcceptWord("type")) {
    LATHE_ASSIGN_OR_RETURN(const Type* value, ParseType());
    return value;
  }
  for (const std::string_view kind :
       {"floats", "ints", "strings", "tensors", "sparse_tensors", "types"}) {
    if (AcceptWord(kind)) return ParseTypedList(kind);
  }
  return Expected("the value of an attribute");
}

StatusOr<Attribute> AttributeParser::ParseAttributeHead() {
  Attribute attribute;
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectWordOrString("the name of an attribute"));
  attribute.name = model_->Intern(name);
  if (AcceptWord("doc")) {
    LATHE_ASSIGN_OR_RETURN(const std::string doc, ExpectString("a text"));
    attribute.doc = model_->Intern(doc);
  }
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(attribute.spelling, ParseSpelling());
  }
  return attribute;
}

Status AttributeParser::ParseReference(Attribute* attribute) {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("the name of an attribute"));
  if (name.empty()) return ErrorAt(at, "a reference needs a name");
  attribute->reference = model_->Intern(name);
  LATHE_RETURN_IF_ERROR(Expect(":"));
  const auto kind = std::ranges::find(kKindNames, token_.text);
  if (token_.kind != Token::Kind::kWord || kind == std::end(kKindNames)) {
    return Expected("the kind of an attribute");
  }
  attribute->reference_kind = static_cast<AttributeKind>(kind - std::begin(kKindNames));
  Advance();
  return OkStatus();
}

}  // namespace lathe::ir::text
