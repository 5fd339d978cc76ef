#include "lathe/frontends/onnx/internal/graph_reader.h"

#include "lathe/frontends/onnx/import.h"
#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields;

// Calls `read` with each occurrence of one repeated message field.
template <typename Read>
Status ForEachMessage(Message message, uint32_t number, std::string_view name, Read read) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number != number) continue;
    Message part;
    LATHE_RETURN_IF_ERROR(ReadMessage(field, name, &part));
    LATHE_RETURN_IF_ERROR(read(part));
  }
  return reader.status();
}

// The same for a repeated string field.
template <typename Read>
Status ForEachText(Message message, uint32_t number, std::string_view name, Read read) {
  return ForEachMessage(message, number, name, [&](Message part) {
    return read(std::string_view(reinterpret_cast<const char*>(part.data()), part.size()));
  });
}

ir::ValueNotes NotesOf(const ir::Value& value) {
  return value.notes() != nullptr ? *value.notes() : ir::ValueNotes();
}

}  // namespace

struct GraphReader::ValueInfoProto {
  ir::Name name;
  // Null when the message states none.
  const ir::Type* type = nullptr;
  ir::ValueNotes notes;
};

Status ReadOpsetImport(Message message, std::vector<ir::OpsetImport>* imports) {
  ir::OpsetImport import;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == fields::opset::kDomain) {
      std::string_view text;
      LATHE_RETURN_IF_ERROR(ReadText(field, "domain", &text));
      import.domain = text;
      if (text.empty()) import.spelling |= ir::kEmptyDomain;
    } else if (field.number == fields::opset::kVersion) {
      LATHE_RETURN_IF_ERROR(ReadInt(field, "version", &import.version));
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  imports->push_back(std::move(import));
  return OkStatus();
}

// --- Graphs

Status GraphReader::ReadGraphTexts(Message message, Texts* texts) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    std::string_view text;
    switch (field.number) {
      case fields::graph::kName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "name", &text));
        texts->name = text;
        if (text.empty()) texts->spelling |= ir::kEmptyName;
        break;
      case fields::graph::kDoc:
        LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &text));
        texts->doc = text;
        if (text.empty()) texts->spelling |= ir::kEmptyDoc;
        break;
      case fields::graph::kMetadata:
        Message part;
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
        LATHE_RETURN_IF_ERROR(ReadEntry(part, &texts->metadata));
        break;
    }
  }
  return reader.status();
}

Status GraphReader::ReadGraph(Message message, ir::Graph& graph, Scope* outer) {
  if (depth_ >= kMaxNesting) {
    return InvalidInput("graphs are nested more than {} deep", kMaxNesting);
  }
  ++depth_;
  Texts texts;
  Status status = ReadGraphTexts(message, &texts);
  if (status.ok()) {
    const auto names = outer == nullptr ? ValuesByName::Names::kAll : ValuesByName::Names::kFew;
    Scope scope{&graph, outer, message, fields::graph::kNode, ValuesByName(names)};
    status = ReadGraphParts(message, scope, texts);
  }
  --depth_;
  if (status.ok()) return status;
  return AtPlace(status, texts.name.empty() ? "graph" : fmt::format("graph '{}'", texts.name));
}

Status GraphReader::ReadGraphParts(Message message, Scope& scope, const Texts& texts) {
  namespace graph = fields::graph;
  rewriter_.SetGraphText(*scope.graph, texts.name, texts.doc, texts.metadata, texts.spelling);
  LATHE_RETURN_IF_ERROR(ForEachMessage(message, graph::kInput, "input",
                                       [&](Message part) { return ReadGraphInput(part, scope); }));
  LATHE_RETURN_IF_ERROR(ForEachMessage(message, graph::kInitializer, "initializer",
                                       [&](Message part) { return ReadInitializer(part, scope); }));
  LATHE_RETURN_IF_ERROR(
      ForEachMessage(message, graph::kSparseInitializer, "sparse_initializer",
                     [&](Message part) { return ReadSparseInitializer(part, scope); }));
  {
    DeclaredTypes types;
    LATHE_RETURN_IF_ERROR(ReadDeclaredTypes(message, graph::kOutput, &types));
    LATHE_RETURN_IF_ERROR(ReadDeclaredTypes(message, graph::kValueInfo, &types));
    LATHE_RETURN_IF_ERROR(ReadNodes(scope, types));
  }
  LATHE_RETURN_IF_ERROR(ForEachMessage(message, graph::kOutput, "output",
                                       [&](Message part) { return ReadGraphOutput(part, scope); }));
  LATHE_RETURN_IF_ERROR(ForEachMessage(message, graph::kValueInfo, "value_info", [&](Message part) {
    return ReadValueInfoEntry(part, scope);
  }));
  return ForEachText(message, graph::kQuantizationAnnotation, "quantization_annotation",
                     [&](std::string_view part) {
                       rewriter_.AddQuantizationAnnotation(*scope.graph, std::string(part));
                       return OkStatus();
                     });
}

// --- Values

StatusOr<GraphReader::ValueInfoProto> GraphReader::ReadValueInfo(Message message) {
  ValueInfoProto info;
  std::string_view name, doc;
  std::optional<Message> type;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    Message part;
    switch (field.number) {
      case fields::value_info::kName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "name", &name));
        break;
      case fields::value_info::kType:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "type", &part));
        type = part;
        break;
      case fields::value_info::kDoc:
        LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &doc));
        info.notes.doc = doc;
        if (doc.empty()) info.notes.spelling |= ir::kEmptyDoc;
        break;
      case fields::value_info::kMetadata:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
        LATHE_RETURN_IF_ERROR(ReadEntry(part, &info.notes.metadata));
        break;
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  if (name.empty()) return InvalidInput("a value has no name");
  info.name = model_.Intern(name);
  if (!type) return info;
  StatusOr<const ir::Type*> read = ReadType(model_, *type);
  if (!read.ok()) return AtPlace(read.status(), fmt::format("type of '{}'", name));
  if (*read == model_.unknown_type()) {
    info.notes.spelling |= ir::kEmptyType;
  } else {
    info.type = *read;
  }
  return info;
}

Status GraphReader::ReadGraphInput(Message message, Scope& scope) {
  LATHE_ASSIGN_OR_RETURN(ValueInfoProto info, ReadValueInfo(message));
  ir::Value& value = rewriter_.AddGraphInput(
      *scope.graph, info.name, info.type != nullptr ? info.type : model_.unknown_type());
  if (info.notes != ir::ValueNotes()) rewriter_.SetNotes(value, std::move(info.notes));
  described_.insert(&value);
  return Define(scope, value);
}

Status GraphReader::ReadInitializer(Message message, Scope& scope) {
  LATHE_ASSIGN_OR_RETURN(ir::Tensor tensor, tensors_.Read(message));
  // The name is the value's.
  ir::TensorNotes notes = tensor.notes();
  const ir::Name name = model_.Intern(notes.name);
  if (name.empty()) return InvalidInput("an initializer has no name");
  notes.name.clear();
  tensor = tensor.WithNotes(std::move(notes));
  ir::Value* input = scope.values.Find(name);
  if (input != nullptr && input->kind() == ir::Value::Kind::kGraphInput && !input->tensor()) {
    rewriter_.SetDefault(*input, std::move(tensor));
    return OkStatus();
  }
  return Define(scope, rewriter_.AddInitializer(*scope.graph, name, std::move(tensor)));
}

Status GraphReader::ReadSparseInitializer(Message message, Scope& scope) {
  LATHE_ASSIGN_OR_RETURN(ir::SparseTensor tensor, tensors_.ReadSparse(message));
  ir::TensorNotes notes = tensor.values.notes();
  const ir::Name name = model_.Intern(notes.name);
  if (name.empty()) return InvalidInput("a sparse initializer has no name");
  notes.name.clear();
  tensor.values = tensor.values.WithNotes(std::move(notes));
  ir::Value* input = scope.values.Find(name);
  if (input != nullptr && input->kind() == ir::Value::Kind::kGraphInput && !input->tensor() &&
      input->sparse_tensor() == nullptr) {
    rewriter_.SetDefault(*input, std::move(tensor));
    return OkStatus();
  }
  return Define(scope, rewriter_.AddSparseInitializer(*scope.graph, name, std::move(tensor)));
}

Status GraphReader::ReadDeclaredTypes(Message message, uint32_t field_number,
                                      DeclaredTypes* types) {
  return ForEachMessage(message, field_number, "value_info", [&](Message part) -> Status {
    LATHE_ASSIGN_OR_RETURN(const ValueInfoProto info, ReadValueInfo(part));
    if (info.type != nullptr) types->try_emplace(info.name, info.type);
    return OkStatus();
  });
}

Status GraphReader::ReadGraphOutput(Message message, Scope& scope) {
  LATHE_ASSIGN_OR_RETURN(ValueInfoProto info, ReadValueInfo(message));
  ir::Value* value = Find(rewriter_, scope, info.name);
  if (value == nullptr) {
    return AtPlace(ExplainUndefined(scope, SIZE_MAX, model_.Text(info.name)), "output");
  }
  if (value->type_ref() == model_.unknown_type() && info.type != nullptr) {
    rewriter_.SetType(*value, info.type);
  }
  if (!described_.insert(value).second) info.notes = NotesOf(*value);
  if (info.type == nullptr && value->type_ref() != model_.unknown_type()) {
    info.notes.spelling |= ir::kOutputTypeLeftOut;
  }
  if (info.notes != ir::ValueNotes()) rewriter_.SetNotes(*value, std::move(info.notes));
  rewriter_.AddGraphOutput(*scope.graph, value);
  return OkStatus();
}

Status GraphReader::ReadValueInfoEntry(Message message, Scope& scope) {
  LATHE_ASSIGN_OR_RETURN(ValueInfoProto info, ReadValueInfo(message));
  const ir::Type* type = info.type != nullptr ? info.type : model_.unknown_type();
  ir::ValueInfo entry;
  entry.type = type;
  ir::Value* value = scope.values.Find(info.name);
  if (value != nullptr && value->type_ref() == type) {
    if (described_.insert(value).second) {
      if (info.notes != ir::ValueNotes()) rewriter_.SetNotes(*value, info.notes);
      entry.value = value;
    } else {
      ir::ValueNotes notes = NotesOf(*value);
      notes.spelling &= static_cast<uint8_t>(~ir::kOutputTypeLeftOut);
      if (info.notes == notes) entry.value = value;
    }
  }
  if (entry.value == nullptr) {
    entry.name = info.name;
    if (info.notes != ir::ValueNotes()) {
      entry.notes = std::make_shared<const ir::ValueNotes>(std::move(info.notes));
    }
  }
  rewriter_.AddValueInfo(*scope.graph, std::move(entry));
  return OkStatus();
}

// --- Functions

Status GraphReader::ReadFunction(Message message) {
  namespace function = fields::function;
  std::string_view name, domain, overload, doc;
  Texts texts;
  std::vector<ir::Name> attributes;
  std::vector<ir::Attribute> defaults;
  std::vector<ir::OpsetImport> opset_imports;
  const auto read = [&]() -> Status {
    WireReader reader(message);
    for (WireField field; reader.Next(&field);) {
      Message part;
      std::string_view text;
      switch (field.number) {
        case function::kName:
          LATHE_RETURN_IF_ERROR(ReadText(field, "name", &name));
          break;
        case function::kDomain:
          LATHE_RETURN_IF_ERROR(ReadText(field, "domain", &domain));
          if (domain.empty()) texts.spelling |= ir::kEmptyDomain;
          break;
        case function::kOverload:
          LATHE_RETURN_IF_ERROR(ReadText(field, "overload", &overload));
          if (overload.empty()) texts.spelling |= ir::kEmptyOverload;
          break;
        case function::kDoc:
          LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &doc));
          texts.doc = doc;
          if (doc.empty()) texts.spelling |= ir::kEmptyDoc;
          break;
        case function::kMetadata:
          LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
          LATHE_RETURN_IF_ERROR(ReadEntry(part, &texts.metadata));
          break;
        case function::kOpsetImport:
          LATHE_RETURN_IF_ERROR(ReadMessage(field, "opset_import", &part));
          LATHE_RETURN_IF_ERROR(ReadOpsetImport(part, &opset_imports));
          break;
        case function::kAttribute:
          LATHE_RETURN_IF_ERROR(ReadText(field, "attribute", &text));
          attributes.push_back(model_.Intern(text));
          break;
        case function::kAttributeProto: {
          LATHE_RETURN_IF_ERROR(ReadMessage(field, "attribute_proto", &part));
          LATHE_ASSIGN_OR_RETURN(ir::Attribute attribute, ReadPlainAttribute(part));
          defaults.push_back(std::move(attribute));
          break;
        }
      }
    }
    LATHE_RETURN_IF_ERROR(reader.status());
    if (name.empty()) return InvalidInput("has no name");
    const ir::Name key_domain = model_.Intern(domain), key_name = model_.Intern(name),
                   key_overload = model_.Intern(overload);
    if (!functions_.emplace(key_domain, key_name, key_overload).second) {
      return InvalidInput("is defined twice");
    }
    ir::Function& made = rewriter_.AddFunction(key_domain, key_name, key_overload);
    rewriter_.SetFunctionInterface(made, std::move(attributes), std::move(defaults),
                                   std::move(opset_imports));
    rewriter_.SetGraphText(made.body(), "", texts.doc, std::move(texts.metadata), texts.spelling);
    return ReadFunctionBody(message, made);
  };
  const Status status = read();
  return status.ok() ? status : AtPlace(status, fmt::format("function '{}:{}'", domain, name));
}

Status GraphReader::ReadFunctionBody(Message message, ir::Function& made) {
  namespace function = fields::function;
  ir::Graph& body = made.body();
  Scope scope{&body, nullptr, message, function::kNode, ValuesByName(ValuesByName::Names::kFew)};
  DeclaredTypes types;
  LATHE_RETURN_IF_ERROR(ReadDeclaredTypes(message, function::kValueInfo, &types));
  LATHE_RETURN_IF_ERROR(
      ForEachText(message, function::kInput, "input", [&](std::string_view text) -> Status {
        if (text.empty()) return InvalidInput("an input has no name");
        const ir::Name name = model_.Intern(text);
        const auto type = types.find(name);
        return Define(scope,
                      rewriter_.AddGraphInput(
                          body, name, type != types.end() ? type->second : model_.unknown_type()));
      }));
  LATHE_RETURN_IF_ERROR(ReadNodes(scope, types));
  LATHE_RETURN_IF_ERROR(
      ForEachText(message, function::kOutput, "output", [&](std::string_view text) -> Status {
        ir::Value* value = Find(rewriter_, scope, model_.Intern(text));
        if (value == nullptr) {
          return AtPlace(ExplainUndefined(scope, SIZE_MAX, text), "output");
        }
        rewriter_.AddGraphOutput(body, value);
        return OkStatus();
      }));
  return ForEachMessage(message, function::kValueInfo, "value_info",
                        [&](Message part) { return ReadValueInfoEntry(part, scope); });
}

}  // namespace lathe::frontends
