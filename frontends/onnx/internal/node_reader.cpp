// The part of GraphReader that reads NodeProto and AttributeProto.
#include <algorithm>

#include "lathe/frontends/onnx/internal/graph_reader.h"
#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields;
using ir::AttributeKind;

// AttributeProto.AttributeType, indexed by its number.
constexpr AttributeKind kAttributeKinds[] = {
    AttributeKind::kUndefined,     AttributeKind::kFloat,  AttributeKind::kInt,
    AttributeKind::kString,        AttributeKind::kTensor, AttributeKind::kGraph,
    AttributeKind::kFloats,        AttributeKind::kInts,   AttributeKind::kStrings,
    AttributeKind::kTensors,       AttributeKind::kGraphs, AttributeKind::kSparseTensor,
    AttributeKind::kSparseTensors, AttributeKind::kType,   AttributeKind::kTypes,
};

// What a field of AttributeProto holds, and its name; kUndefined for fields without a value.
struct ValueField {
  AttributeKind kind = AttributeKind::kUndefined;
  std::string_view name;
};

ValueField ValueFieldOf(uint32_t number) {
  switch (number) {
    case fields::attribute::kFloat:
      return {AttributeKind::kFloat, "f"};
    case fields::attribute::kInt:
      return {AttributeKind::kInt, "i"};
    case fields::attribute::kString:
      return {AttributeKind::kString, "s"};
    case fields::attribute::kTensor:
      return {AttributeKind::kTensor, "t"};
    case fields::attribute::kSparseTensor:
      return {AttributeKind::kSparseTensor, "sparse_tensor"};
    case fields::attribute::kGraph:
      return {AttributeKind::kGraph, "g"};
    case fields::attribute::kTypeProto:
      return {AttributeKind::kType, "tp"};
    case fields::attribute::kFloats:
      return {AttributeKind::kFloats, "floats"};
    case fields::attribute::kInts:
      return {AttributeKind::kInts, "ints"};
    case fields::attribute::kStrings:
      return {AttributeKind::kStrings, "strings"};
    case fields::attribute::kTensors:
      return {AttributeKind::kTensors, "tensors"};
    case fields::attribute::kSparseTensors:
      return {AttributeKind::kSparseTensors, "sparse_tensors"};
    case fields::attribute::kGraphs:
      return {AttributeKind::kGraphs, "graphs"};
    case fields::attribute::kTypeProtos:
      return {AttributeKind::kTypes, "type_protos"};
    default:
      return {};
  }
}

std::string_view KindName(AttributeKind kind) {
  constexpr std::string_view kNames[] = {"undefined",      "float",         "int",     "string",
                                         "tensor",         "sparse tensor", "graph",   "type",
                                         "floats",         "ints",          "strings", "tensors",
                                         "sparse tensors", "graphs",        "types"};
  return kNames[static_cast<size_t>(kind)];
}

bool IsList(AttributeKind kind) { return kind >= AttributeKind::kFloats; }

Status CheckAttributeNames(const ir::Node& node) {
  if (node.attributes().size() < 2) return OkStatus();
  std::vector<ir::Name> names;
  names.reserve(node.attributes().size());
  for (const ir::Attribute& attribute : node.attributes()) names.push_back(attribute.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return OkStatus();
  return InvalidInput("attribute '{}': is stated twice", node.model().Text(*twice));
}

std::string_view TextOf(Message message) {
  return {reinterpret_cast<const char*>(message.data()), message.size()};
}

}  // namespace

struct GraphReader::NodeProto {
  std::string_view name, op, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<Message> attributes;
  ir::NodeNotes notes;
};

struct GraphReader::AttributeProto {
  std::string_view name, reference, doc;
  AttributeKind kind = AttributeKind::kUndefined;
  bool has_value = false;
  uint8_t spelling = 0;
  float float_value = 0;
  int64_t int_value = 0;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  // Values that are bytes or messages.
  std::vector<Message> parts;
};

Status GraphReader::CollectNode(Message message, NodeProto* proto) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    std::string_view text;
    Message part;
    switch (field.number) {
      case fields::node::kInput:
        LATHE_RETURN_IF_ERROR(ReadText(field, "input", &text));
        proto->inputs.push_back(text);
        break;
      case fields::node::kOutput:
        LATHE_RETURN_IF_ERROR(ReadText(field, "output", &text));
        proto->outputs.push_back(text);
        break;
      case fields::node::kName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "name", &proto->name));
        if (proto->name.empty()) proto->notes.spelling |= ir::kEmptyName;
        break;
      case fields::node::kOpType:
        LATHE_RETURN_IF_ERROR(ReadText(field, "op_type", &proto->op));
        break;
      case fields::node::kDomain:
        LATHE_RETURN_IF_ERROR(ReadText(field, "domain", &proto->domain));
        if (proto->domain.empty()) proto->notes.spelling |= ir::kEmptyDomain;
        break;
      case fields::node::kOverload:
        LATHE_RETURN_IF_ERROR(ReadText(field, "overload", &proto->overload));
        if (proto->overload.empty()) proto->notes.spelling |= ir::kEmptyOverload;
        break;
      case fields::node::kAttribute:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "attribute", &part));
        proto->attributes.push_back(part);
        break;
      case fields::node::kDoc:
        LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &text));
        proto->notes.doc = text;
        if (text.empty()) proto->notes.spelling |= ir::kEmptyDoc;
        break;
      case fields::node::kMetadata:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
        LATHE_RETURN_IF_ERROR(ReadEntry(part, &proto->notes.metadata));
        break;
      case fields::node::kDeviceConfigurations:
        LATHE_RETURN_IF_ERROR(ReadText(field, "device_configurations", &text));
        proto->notes.device_configurations.emplace_back(text);
        break;
    }
  }
  return reader.status();
}

Status GraphReader::ReadNodes(Scope& scope, const DeclaredTypes& types) {
  size_t index = 0;
  WireReader reader(scope.message);
  for (WireField field; reader.Next(&field);) {
    if (field.number != scope.node_field) continue;
    NodeProto proto;
    Message part;
    LATHE_RETURN_IF_ERROR(ReadMessage(field, "node", &part));
    Status status = CollectNode(part, &proto);
    if (status.ok()) status = ReadNode(proto, index, scope, types);
    if (!status.ok()) {
      return AtPlace(status, proto.name.empty()
                                 ? fmt::format("node #{} ({})", index, proto.op)
                                 : fmt::format("node '{}' (#{})", proto.name, index));
    }
    ++index;
  }
  return reader.status();
}

Status GraphReader::ReadNode(const NodeProto& proto, size_t index, Scope& scope,
                             const DeclaredTypes& types) {
  if (proto.op.empty()) return InvalidInput("has no operator");
  ir::Node& node = rewriter_.InsertNode(*scope.graph, nullptr, model_.Intern(proto.op),
                                        model_.Intern(proto.domain), model_.Intern(proto.name));
  if (!proto.overload.empty()) rewriter_.SetOverload(node, model_.Intern(proto.overload));
  rewriter_.SetOrigin(
      node, model_.OriginOf(proto.name.empty() ? model_.Intern(fmt::format("node_{}", index))
                                               : node.name()));
  const ir::NodeNotes& notes = proto.notes;
  if (!notes.doc.empty() || !notes.metadata.empty() || !notes.device_configurations.empty() ||
      notes.spelling != 0) {
    rewriter_.SetNotes(node, notes);
  }
  std::vector<ir::Value*> inputs;
  inputs.reserve(proto.inputs.size());
  for (const std::string_view input : proto.inputs) {
    inputs.push_back(input.empty() ? nullptr : Find(rewriter_, scope, model_.Intern(input)));
    if (inputs.back() == nullptr && !input.empty()) {
      return AtPlace(ExplainUndefined(scope, index, input),
                     fmt::format("input {}", inputs.size() - 1));
    }
  }
  rewriter_.SetInputs(node, inputs);
  for (const Message attribute : proto.attributes) {
    LATHE_RETURN_IF_ERROR(ReadNodeAttribute(attribute, node, scope));
  }
  LATHE_RETURN_IF_ERROR(CheckAttributeNames(node));
  for (const std::string_view output : proto.outputs) {
    const ir::Name name = model_.Intern(output);
    const auto type = types.find(name);
    ir::Value& value =
        rewriter_.AddOutput(node, name, type != types.end() ? type->second : model_.unknown_type());
    if (!name.empty()) LATHE_RETURN_IF_ERROR(Define(scope, value));
  }
  return OkStatus();
}

// --- Attributes

Status GraphReader::CollectAttribute(Message message, AttributeProto* proto) {
  std::optional<int64_t> stated;
  AttributeKind found = AttributeKind::kUndefined;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    const ValueField value = ValueFieldOf(field.number);
    if (value.kind != AttributeKind::kUndefined) {
      if (found != AttributeKind::kUndefined && found != value.kind) {
        return InvalidInput("has values of two kinds, {} and {}", KindName(found),
                            KindName(value.kind));
      }
      found = value.kind;
      proto->has_value = true;
    }
    switch (value.kind) {
      case AttributeKind::kUndefined:
        break;
      case AttributeKind::kFloat:
        LATHE_RETURN_IF_ERROR(ReadFloat(field, value.name, &proto->float_value));
        continue;
      case AttributeKind::kInt:
        LATHE_RETURN_IF_ERROR(ReadInt(field, value.name, &proto->int_value));
        continue;
      case AttributeKind::kFloats:
        LATHE_RETURN_IF_ERROR(ReadFloats(field, value.name, &proto->floats));
        continue;
      case AttributeKind::kInts:
        LATHE_RETURN_IF_ERROR(ReadInts(field, value.name, &proto->ints));
        continue;
      default: {
        Message part;
        LATHE_RETURN_IF_ERROR(ReadMessage(field, value.name, &part));
        if (!IsList(value.kind) && !proto->parts.empty()) {
          return InvalidInput("has two values of kind {}", KindName(value.kind));
        }
        proto->parts.push_back(part);
        continue;
      }
    }
    int64_t number = 0;
    switch (field.number) {
      case fields::attribute::kName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "name", &proto->name));
        break;
      case fields::attribute::kRefAttrName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "ref_attr_name", &proto->reference));
        break;
      case fields::attribute::kDoc:
        LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &proto->doc));
        if (proto->doc.empty()) proto->spelling |= ir::kEmptyDoc;
        break;
      case fields::attribute::kType:
        LATHE_RETURN_IF_ERROR(ReadInt(field, "type", &number));
        if (number < 0 || number >= static_cast<int64_t>(std::size(kAttributeKinds))) {
          return InvalidInput("ONNX has no attribute type {}", number);
        }
        stated = number;
        break;
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  if (proto->name.empty()) return InvalidInput("has no name");
  if (stated.value_or(0) == 0) {
    proto->kind = found;
    if (!stated) proto->spelling |= ir::kTypeLeftOut;
    return OkStatus();
  }
  proto->kind = kAttributeKinds[*stated];
  if (proto->has_value && found != proto->kind) {
    return InvalidInput("is declared as {} but has a value of kind {}", KindName(proto->kind),
                        KindName(found));
  }
  return OkStatus();
}

Status GraphReader::ReadAttributeValue(const AttributeProto& proto, ir::Attribute* attribute) {
  attribute->name = model_.Intern(proto.name);
  attribute->doc = model_.Intern(proto.doc);
  attribute->spelling = proto.spelling;
  if (!proto.reference.empty()) {
    if (proto.has_value) return InvalidInput("has a value and refers to another attribute");
    attribute->reference = model_.Intern(proto.reference);
    attribute->reference_kind = proto.kind;
    return OkStatus();
  }
  if (!proto.has_value && !IsList(proto.kind) && proto.kind != AttributeKind::kUndefined) {
    if (proto.kind > AttributeKind::kString) {
      return InvalidInput("is declared as {} but has no value", KindName(proto.kind));
    }
    attribute->spelling |= ir::kValueLeftOut;
  }
  switch (proto.kind) {
    case AttributeKind::kUndefined:
    case AttributeKind::kGraph:
    case AttributeKind::kGraphs:
      break;
    case AttributeKind::kFloat:
      attribute->value = proto.float_value;
      break;
    case AttributeKind::kInt:
      attribute->value = proto.int_value;
      break;
    case AttributeKind::kString:
      attribute->value =
          std::string(proto.parts.empty() ? std::string_view() : TextOf(proto.parts.front()));
      break;
    case AttributeKind::kFloats:
      attribute->value = proto.floats;
      break;
    case AttributeKind::kInts:
      attribute->value = proto.ints;
      break;
    case AttributeKind::kStrings: {
      std::vector<std::string> strings;
      for (const Message part : proto.parts) strings.emplace_back(TextOf(part));
      attribute->value = std::move(strings);
      break;
    }
    case AttributeKind::kTensor: {
      LATHE_ASSIGN_OR_RETURN(attribute->value, tensors_.Read(proto.parts.front()));
      break;
    }
    case AttributeKind::kSparseTensor: {
      LATHE_ASSIGN_OR_RETURN(attribute->value, tensors_.ReadSparse(proto.parts.front()));
      break;
    }
    case AttributeKind::kType: {
      LATHE_ASSIGN_OR_RETURN(attribute->value, ReadType(model_, proto.parts.front()));
      break;
    }
    case AttributeKind::kTensors: {
      std::vector<ir::Tensor> tensors;
      for (const Message part : proto.parts) {
        LATHE_ASSIGN_OR_RETURN(ir::Tensor tensor, tensors_.Read(part));
        tensors.push_back(std::move(tensor));
      }
      attribute->value = std::move(tensors);
      break;
    }
    case AttributeKind::kSparseTensors: {
      std::vector<ir::SparseTensor> tensors;
      for (const Message part : proto.parts) {
        LATHE_ASSIGN_OR_RETURN(ir::SparseTensor tensor, tensors_.ReadSparse(part));
        tensors.push_back(std::move(tensor));
      }
      attribute->value = std::move(tensors);
      break;
    }
    case AttributeKind::kTypes: {
      std::vector<const ir::Type*> types;
      for (const Message part : proto.parts) {
        LATHE_ASSIGN_OR_RETURN(const ir::Type* const type, ReadType(model_, part));
        types.push_back(type);
      }
      attribute->value = std::move(types);
      break;
    }
  }
  return OkStatus();
}

StatusOr<ir::Attribute> GraphReader::ReadPlainAttribute(Message message) {
  AttributeProto proto;
  ir::Attribute attribute;
  Status status = CollectAttribute(message, &proto);
  if (status.ok()) status = ReadAttributeValue(proto, &attribute);
  if (status.ok() && proto.reference.empty() &&
      (proto.kind == AttributeKind::kGraph || proto.kind == AttributeKind::kGraphs)) {
    status = Unsupported("graphs as defaults of a function's attributes are not supported");
  }
  if (!status.ok()) return AtPlace(status, fmt::format("attribute '{}'", proto.name));
  return attribute;
}

Status GraphReader::ReadNodeAttribute(Message message, ir::Node& node, Scope& scope) {
  AttributeProto proto;
  ir::Attribute attribute;
  Status status = CollectAttribute(message, &proto);
  if (status.ok()) status = ReadAttributeValue(proto, &attribute);
  if (status.ok()) {
    const ir::Name name = attribute.name;
    const bool is_list = IsList(proto.kind);
    const bool has_bodies = attribute.reference.empty() && (proto.kind == AttributeKind::kGraph ||
                                                            proto.kind == AttributeKind::kGraphs);
    if (has_bodies && is_list) attribute.value = std::vector<ir::GraphPtr>();
    rewriter_.AddAttribute(node, std::move(attribute));
    for (size_t i = 0; has_bodies && status.ok() && i < proto.parts.size(); ++i) {
      status = ReadGraph(proto.parts[i], rewriter_.AddBody(node, name, is_list), &scope);
    }
  }
  return status.ok() ? status : AtPlace(status, fmt::format("attribute '{}'", proto.name));
}

}  // namespace lathe::frontends
