// The nodes of graphs and the values that they read and define.
#include <algorithm>

#include "lathe/ir/text/internal/graph_parser.h"
#include "lathe/support/quoted.h"

namespace lathe::ir::text {

Status GraphParser::Define(Scope& scope, const Token& name, Value& value) {
  if (value.name().empty()) return OkStatus();
  if (scope.values.try_emplace(value.name(), &value).second) return OkStatus();
  return ErrorAt(name, "the name {} is given twice in one graph", Quoted(name.text));
}

StatusOr<Value*> GraphParser::Lookup(Scope& scope, const Token& name) {
  const Name key = model_->Intern(name.text);
  if (const auto it = scope.values.find(key); it != scope.values.end()) return it->second;
  if (scope.outer == nullptr) {
    return ErrorAt(name, "nothing before this defines the value {}", Quoted(name.text));
  }
  // A value of the graph around that the body does not list among its captures.
  LATHE_ASSIGN_OR_RETURN(Value * outer, Lookup(*scope.outer, name));
  Value& inner = rewriter_.AddCapture(*scope.graph, *outer);
  scope.values.emplace(key, &inner);
  return &inner;
}

StatusOr<Name> GraphParser::ExpectNewValue(bool may_be_unnamed, Token* token) {
  *token = token_;
  if (may_be_unnamed && AcceptWord("_")) return Name{};
  if (token_.kind != Token::Kind::kValue) return Expected("a value");
  if (token_.text.empty()) return ErrorAt(token_, "a value needs a name");
  const Name name = model_->Intern(token_.text);
  Advance();
  return name;
}

StatusOr<Value*> GraphParser::ParseOperand(Scope& scope, Name* annotation) {
  Value* value = nullptr;
  if (!AcceptWord("_")) {
    const Token name = token_;
    if (token_.kind != Token::Kind::kValue) return Expected("a value or '_'");
    Advance();
    LATHE_ASSIGN_OR_RETURN(value, Lookup(scope, name));
  }
  *annotation = {};
  if (Accept("{")) {
    LATHE_ASSIGN_OR_RETURN(const std::string note, ExpectString("an annotation"));
    *annotation = model_->Intern(note);
    LATHE_RETURN_IF_ERROR(Expect("}"));
  }
  return value;
}

Status GraphParser::ParseNode(Scope& scope) {
  std::vector<Name> outputs;
  std::vector<Token> output_tokens;
  if (token_.kind == Token::Kind::kValue || token_.IsWord("_")) {
    do {
      LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(true, &output_tokens.emplace_back()));
      outputs.push_back(name);
    } while (Accept(","));
    LATHE_RETURN_IF_ERROR(Expect("="));
  }
  std::string domain;
  LATHE_ASSIGN_OR_RETURN(std::string op, ExpectWordOrString("an operator"));
  if (Accept("::")) {
    domain = std::move(op);
    LATHE_ASSIGN_OR_RETURN(op, ExpectWordOrString("an operator"));
  }
  Node& node =
      rewriter_.InsertNode(*scope.graph, nullptr, model_->Intern(op), model_->Intern(domain), {});
  if (Accept("@")) {
    LATHE_ASSIGN_OR_RETURN(const std::string overload, ExpectWordOrString("an overload"));
    rewriter_.SetOverload(node, model_->Intern(overload));
  }
  std::vector<Value*> inputs;
  std::vector<Name> annotations;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Status listed = List(")", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(Value * value, ParseOperand(scope, &annotations.emplace_back()));
    inputs.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  rewriter_.SetInputs(node, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    rewriter_.SetAnnotation(node.inputs()[i], annotations[i]);
  }
  if (Accept("{")) {
    LATHE_RETURN_IF_ERROR(List("}", [&] { return ParseAttribute(node, scope); }));
  }
  const bool typed = Accept(":");
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Type* type = model_->unknown_type();
    ValueNotes notes;
    bool noted = false;
    if (typed) {
      if (i > 0) LATHE_RETURN_IF_ERROR(Expect(","));
      LATHE_ASSIGN_OR_RETURN(type, ParseType());
      LATHE_ASSIGN_OR_RETURN(noted, ParseValueNotes(&notes));
    }
    Value& output = rewriter_.AddOutput(node, outputs[i], type);
    if (noted) rewriter_.SetNotes(output, std::move(notes));
    LATHE_RETURN_IF_ERROR(Define(scope, output_tokens[i], output));
  }
  return ParseNodeClauses(node);
}

Status GraphParser::ParseNodeClauses(Node& node) {
  NodeNotes notes;
  bool noted = false;
  bool has_origin = false;
  while (true) {
    if (AcceptWord("name")) {
      LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name"));
      rewriter_.Rename(node, model_->Intern(name));
      if (!has_origin) rewriter_.SetOrigin(node, model_->OriginOf(node.name()));
      continue;
    }
    if (AcceptWord("origin")) {
      has_origin = true;
      std::vector<Origin> origins;
      LATHE_RETURN_IF_ERROR(Expect("["));
      const Status listed = List("]", [&]() -> Status {
        LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name"));
        if (!name.empty()) origins.push_back(model_->OriginOf(model_->Intern(name)));
        return OkStatus();
      });
      LATHE_RETURN_IF_ERROR(listed);
      rewriter_.SetOrigin(node, model_->MergeOrigins(origins));
      continue;
    }
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(notes.doc, ExpectString("a text"));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(notes.metadata, ParseMetadata());
    } else if (AcceptWord("device")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      notes.device_configurations.push_back(std::move(bytes));
    } else if (AcceptWord("spelling")) {
      LATHE_ASSIGN_OR_RETURN(notes.spelling, ParseSpelling());
    } else {
      break;
    }
    noted = true;
  }
  if (noted) rewriter_.SetNotes(node, std::move(notes));
  return OkStatus();
}

Status GraphParser::ParseAttribute(Node& node, Scope& scope) {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(Attribute attribute, ParseAttributeHead());
  const Name name = attribute.name;
  if (std::ranges::find(node.attributes(), name, &Attribute::name) != node.attributes().end()) {
    return ErrorAt(at, "the attribute {} is given twice", Quoted(model_->Text(name)));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  if (token_.IsWord("graph")) {
    rewriter_.AddAttribute(node, std::move(attribute));
    return ParseBody(node, name, false, scope);
  }
  if (AcceptWord("graphs")) {
    attribute.value = std::vector<GraphPtr>();
    rewriter_.AddAttribute(node, std::move(attribute));
    LATHE_RETURN_IF_ERROR(Expect("["));
    return List("]", [&] { return ParseBody(node, name, true, scope); });
  }
  if (AcceptWord("ref")) {
    LATHE_RETURN_IF_ERROR(ParseReference(&attribute));
  } else {
    LATHE_ASSIGN_OR_RETURN(attribute.value, ParsePlainValue());
  }
  rewriter_.AddAttribute(node, std::move(attribute));
  return OkStatus();
}

Status GraphParser::ParseBody(Node& node, Name attribute, bool several, Scope& scope) {
  ++depth_;
  LATHE_RETURN_IF_ERROR(ParseGraph(rewriter_.AddBody(node, attribute, several), &scope, depth_));
  --depth_;
  return OkStatus();
}

}  // namespace lathe::ir::text
