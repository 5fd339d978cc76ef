#include "lathe/ir/text/internal/graph_parser.h"

#include <algorithm>
#include <memory>

#include "lathe/support/quoted.h"

namespace lathe::ir::text {

Status GraphParser::ParseInputs(Scope& scope) {
  LATHE_RETURN_IF_ERROR(Expect("("));
  return List(")", [&]() -> Status {
    Token token;
    LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(false, &token));
    LATHE_RETURN_IF_ERROR(Expect(":"));
    LATHE_ASSIGN_OR_RETURN(const Type* type, ParseType());
    Value& input = rewriter_.AddGraphInput(*scope.graph, name, type);
    ValueNotes notes;
    LATHE_ASSIGN_OR_RETURN(const bool noted, ParseValueNotes(&notes));
    if (noted) rewriter_.SetNotes(input, std::move(notes));
    return Define(scope, token, input);
  });
}

Status GraphParser::ParseCaptures(Scope& scope) {
  LATHE_RETURN_IF_ERROR(Expect("("));
  return List(")", [&]() -> Status {
    const Token token = token_;
    Name annotation;
    LATHE_ASSIGN_OR_RETURN(Value * outer, ParseOperand(*scope.outer, &annotation));
    if (outer == nullptr) return ErrorAt(token, "a capture needs a value");
    Value& inner = rewriter_.AddCapture(*scope.graph, *outer);
    rewriter_.SetAnnotation(*inner.captured(), annotation);
    return Define(scope, token, inner);
  });
}

Status GraphParser::ParseInitializer(Scope& scope) {
  Token token;
  LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(false, &token));
  const Type* type = nullptr;
  ValueNotes notes;
  bool noted = false;
  if (Accept(":")) {
    LATHE_ASSIGN_OR_RETURN(type, ParseType());
    LATHE_ASSIGN_OR_RETURN(noted, ParseValueNotes(&notes));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  Value* value = nullptr;
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor tensor, ParseSparse());
    value = &rewriter_.AddSparseInitializer(*scope.graph, name, std::move(tensor));
  } else {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor());
    if (!tensor) return ErrorAt(at, "an initializer cannot be none");
    value = &rewriter_.AddInitializer(*scope.graph, name, std::move(tensor));
  }
  if (type != nullptr) rewriter_.SetType(*value, type);
  if (noted) rewriter_.SetNotes(*value, std::move(notes));
  return Define(scope, token, *value);
}

Status GraphParser::ParseDefault(Scope& scope) {
  const Token token = token_;
  if (token_.kind != Token::Kind::kValue) return Expected("an input");
  Advance();
  const auto it = scope.values.find(model_->Intern(token.text));
  if (it == scope.values.end() || it->second->kind() != Value::Kind::kGraphInput) {
    return ErrorAt(token, "{} is no input of this graph", Quoted(token.text));
  }
  Value& input = *it->second;
  if (input.tensor() || input.sparse_tensor() != nullptr) {
    return ErrorAt(token, "{} has a default already", Quoted(token.text));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor tensor, ParseSparse());
    rewriter_.SetDefault(input, std::move(tensor));
    return OkStatus();
  }
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor());
  if (!tensor) return ErrorAt(at, "a default cannot be none");
  rewriter_.SetDefault(input, std::move(tensor));
  return OkStatus();
}

Status GraphParser::ParseReturn(Scope& scope) {
  Graph& graph = *scope.graph;
  do {
    const Token token = token_;
    Name annotation;
    LATHE_ASSIGN_OR_RETURN(Value * value, ParseOperand(scope, &annotation));
    if (value == nullptr) return ErrorAt(token, "an output needs a value");
    rewriter_.AddGraphOutput(graph, value);
    rewriter_.SetAnnotation(graph.outputs().back(), annotation);
  } while (Accept(","));
  return OkStatus();
}

Status GraphParser::ParseValueInfo(Scope& scope) {
  ValueInfo info;
  if (token_.kind == Token::Kind::kValue) {
    const auto it = scope.values.find(model_->Intern(token_.text));
    if (it == scope.values.end() || it->second->kind() == Value::Kind::kCapture) {
      return ErrorAt(token_, "nothing in this graph defines the value {}", Quoted(token_.text));
    }
    Advance();
    info.value = it->second;
    info.type = info.value->type_ref();
  } else {
    LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name or a value"));
    info.name = model_->Intern(name);
    LATHE_RETURN_IF_ERROR(Expect(":"));
    LATHE_ASSIGN_OR_RETURN(info.type, ParseType());
    ValueNotes notes;
    LATHE_ASSIGN_OR_RETURN(const bool noted, ParseValueNotes(&notes));
    if (noted) info.notes = std::make_shared<const ValueNotes>(std::move(notes));
  }
  rewriter_.AddValueInfo(*scope.graph, std::move(info));
  return OkStatus();
}

Status GraphParser::ParseContents(Scope& scope, Function* function) {
  Graph& graph = *scope.graph;
  std::vector<Name> attributes;
  std::vector<Attribute> defaults;
  std::vector<OpsetImport> imports;
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(std::string doc, ExpectString("a text"));
      rewriter_.SetGraphText(graph, graph.name(), std::move(doc), graph.metadata(),
                             graph.spelling());
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(Metadata metadata, ParseMetadata());
      rewriter_.SetGraphText(graph, graph.name(), graph.doc(), std::move(metadata),
                             graph.spelling());
    } else if (function != nullptr && AcceptWord("import")) {
      LATHE_ASSIGN_OR_RETURN(OpsetImport import, ParseImport());
      imports.push_back(std::move(import));
    } else if (function != nullptr && AcceptWord("attribute")) {
      const Token at = token_;
      LATHE_ASSIGN_OR_RETURN(Attribute attribute, ParseAttributeHead());
      if (std::ranges::find(attributes, attribute.name) != attributes.end() ||
          std::ranges::find(defaults, attribute.name, &Attribute::name) != defaults.end()) {
        return ErrorAt(at, "the attribute {} is given twice", Quoted(model_->Text(attribute.name)));
      }
      if (!Accept("=")) {
        attributes.push_back(attribute.name);
        continue;
      }
      LATHE_ASSIGN_OR_RETURN(attribute.value, ParsePlainValue());
      defaults.push_back(std::move(attribute));
    } else if (AcceptWord("init")) {
      LATHE_RETURN_IF_ERROR(ParseInitializer(scope));
    } else if (AcceptWord("default")) {
      LATHE_RETURN_IF_ERROR(ParseDefault(scope));
    } else if (AcceptWord("return")) {
      LATHE_RETURN_IF_ERROR(ParseReturn(scope));
    } else if (AcceptWord("value_info")) {
      LATHE_RETURN_IF_ERROR(ParseValueInfo(scope));
    } else if (AcceptWord("quantization_annotation")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      rewriter_.AddQuantizationAnnotation(graph, std::move(bytes));
    } else if (token_.kind == Token::Kind::kValue || token_.kind == Token::Kind::kWord ||
               token_.kind == Token::Kind::kString) {
      LATHE_RETURN_IF_ERROR(ParseNode(scope));
    } else {
      return Expected("a node or '}'");
    }
  }
  if (function != nullptr) {
    rewriter_.SetFunctionInterface(*function, std::move(attributes), std::move(defaults),
                                   std::move(imports));
  }
  return OkStatus();
}

Status GraphParser::ParseGraph(Graph& graph, Scope* outer, int depth) {
  if (depth > kMaxNesting) return ErrorAt(token_, "graphs are nested too deeply");
  LATHE_RETURN_IF_ERROR(ExpectWord("graph"));
  LATHE_ASSIGN_OR_RETURN(std::string name, ExpectString("the name of the graph"));
  uint8_t spelling = 0;
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(spelling, ParseSpelling());
  }
  rewriter_.SetGraphText(graph, std::move(name), "", {}, spelling);
  Scope scope = {&graph, outer, {}};
  LATHE_RETURN_IF_ERROR(ParseInputs(scope));
  if (outer != nullptr && AcceptWord("captures")) LATHE_RETURN_IF_ERROR(ParseCaptures(scope));
  return ParseContents(scope, nullptr);
}

StatusOr<OpsetImport> GraphParser::ParseImport() {
  OpsetImport import;
  LATHE_ASSIGN_OR_RETURN(import.domain, ExpectString("a domain"));
  LATHE_ASSIGN_OR_RETURN(import.version, ExpectInteger<int64_t>("a version"));
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(import.spelling, ParseSpelling());
  }
  return import;
}

}  // namespace lathe::ir::text
