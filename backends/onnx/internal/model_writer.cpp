#include "lathe/backends/onnx/internal/model_writer.h"

#include <algorithm>

#include "lathe/backends/onnx/internal/tensor_writer.h"
#include "lathe/support/onnx_fields.h"

namespace lathe::backends {
namespace {

namespace fields = onnx_fields;
using ir::AttributeKind;

// AttributeProto.AttributeType, indexed by AttributeKind.
constexpr int kAttributeTypes[] = {0, 1, 2, 3, 4, 11, 5, 13, 6, 7, 8, 9, 12, 10, 14};

class ModelWriter {
 public:
  ModelWriter(const ir::Model& model, DataPlacement& placement)
      : model_(model), placement_(placement) {}

  StatusOr<WireMessage> Write() {
    namespace number = fields::model;
    const ir::ModelInfo& info = model_.info();
    WireMessage message;
    message.AddInt(number::kIrVersion, info.ir_version);
    AddText(message, number::kProducerName, info.producer_name, info.has_producer_name);
    AddText(message, number::kProducerVersion, info.producer_version, info.has_producer_version);
    AddText(message, number::kDomain, info.domain, info.has_domain);
    if (info.has_model_version || info.model_version != 0) {
      message.AddInt(number::kModelVersion, info.model_version);
    }
    AddText(message, number::kDoc, info.doc, info.has_doc);
    LATHE_ASSIGN_OR_RETURN(WireMessage graph, WriteGraph(model_.graph()));
    message.AddMessage(number::kGraph, std::move(graph));
    AddOpsetImports(message, number::kOpsetImport, info.opset_imports);
    AddMetadata(message, number::kMetadata, info.metadata);
    for (const std::string& text : info.training_info) {
      message.AddBytes(number::kTrainingInfo, text);
    }
    for (const auto& function : model_.functions()) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteFunction(*function));
      message.AddMessage(number::kFunctions, std::move(part));
    }
    for (const std::string& text : info.device_configurations) {
      message.AddBytes(number::kConfiguration, text);
    }
    return message;
  }

 private:
  static void AddOpsetImports(WireMessage& message, uint32_t number,
                              const std::vector<ir::OpsetImport>& imports) {
    for (const ir::OpsetImport& import : imports) {
      WireMessage part;
      AddText(part, fields::opset::kDomain, import.domain,
              (import.spelling & ir::kEmptyDomain) != 0);
      part.AddInt(fields::opset::kVersion, import.version);
      message.AddMessage(number, std::move(part));
    }
  }

  std::string_view Text(ir::Name name) const { return model_.Text(name); }
  // A capture has the name of what it stands for.
  std::string_view NameOf(const ir::Value* value) const {
    return value == nullptr ? std::string_view() : Text(value->Resolve()->name());
  }

  // --- Graphs

  StatusOr<WireMessage> WriteGraph(const ir::Graph& graph) {
    namespace number = fields::graph;
    WireMessage message;
    LATHE_RETURN_IF_ERROR(AddNodes(message, number::kNode, graph));
    AddText(message, number::kName, graph.name(), (graph.spelling() & ir::kEmptyName) != 0);
    for (const ir::Value* value : graph.initializers()) {
      if (value->sparse_tensor() != nullptr) continue;
      LATHE_ASSIGN_OR_RETURN(WireMessage part,
                             WriteTensor(value->tensor(), NameOf(value), placement_));
      message.AddMessage(number::kInitializer, std::move(part));
    }
    AddText(message, number::kDoc, graph.doc(), (graph.spelling() & ir::kEmptyDoc) != 0);
    for (const ir::Value* value : graph.inputs()) {
      message.AddMessage(number::kInput, WriteValue(*value));
    }
    for (const ir::Use& use : graph.return_node()->inputs()) {
      const ir::Value& value = *use.value();
      const bool type_left_out =
          value.notes() != nullptr && (value.notes()->spelling & ir::kOutputTypeLeftOut) != 0;
      const ir::Type& type = type_left_out ? *model_.unknown_type() : value.type();
      message.AddMessage(number::kOutput, WriteValueInfo(NameOf(&value), type, value.notes()));
    }
    AddValueInfo(message, number::kValueInfo, graph);
    for (const std::string& text : graph.quantization_annotations()) {
      message.AddBytes(number::kQuantizationAnnotation, text);
    }
    for (const ir::Value* value : graph.initializers()) {
      if (value->sparse_tensor() == nullptr) continue;
      LATHE_ASSIGN_OR_RETURN(WireMessage part,
                             WriteSparseTensor(*value->sparse_tensor(), NameOf(value), placement_));
      message.AddMessage(number::kSparseInitializer, std::move(part));
    }
    AddMetadata(message, number::kMetadata, graph.metadata());
    return message;
  }

  StatusOr<WireMessage> WriteFunction(const ir::Function& function) {
    namespace number = fields::function;
    const ir::Graph& body = function.body();
    WireMessage message;
    message.AddBytes(number::kName, Text(function.name()));
    for (const ir::Value* value : body.inputs()) message.AddBytes(number::kInput, NameOf(value));
    for (const ir::Use& use : body.return_node()->inputs()) {
      message.AddBytes(number::kOutput, NameOf(use.value()));
    }
    for (const ir::Name name : function.attributes()) {
      message.AddBytes(number::kAttribute, Text(name));
    }
    LATHE_RETURN_IF_ERROR(AddNodes(message, number::kNode, body));
    AddText(message, number::kDoc, body.doc(), (body.spelling() & ir::kEmptyDoc) != 0);
    AddOpsetImports(message, number::kOpsetImport, function.opset_imports());
    AddText(message, number::kDomain, Text(function.domain()),
            (body.spelling() & ir::kEmptyDomain) != 0);
    for (const ir::Attribute& attribute : function.attribute_defaults()) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteAttribute(attribute));
      message.AddMessage(number::kAttributeProto, std::move(part));
    }
    AddValueInfo(message, number::kValueInfo, body);
    AddText(message, number::kOverload, Text(function.overload()),
            (body.spelling() & ir::kEmptyOverload) != 0);
    AddMetadata(message, number::kMetadata, body.metadata());
    return message;
  }

  // --- Values

  static WireMessage WriteValueInfo(std::string_view name, const ir::Type& type,
                                    const ir::ValueNotes* notes) {
    namespace number = fields::value_info;
    WireMessage message;
    message.AddBytes(number::kName, name);
    const uint8_t spelling = notes != nullptr ? notes->spelling : uint8_t{0};
    const bool says_something = type.kind != ir::Type::Kind::kUnknown || !type.denotation.empty();
    if (says_something || (spelling & ir::kEmptyType) != 0) {
      message.AddMessage(number::kType, WriteType(type));
    }
    if (notes != nullptr) {
      AddText(message, number::kDoc, notes->doc, (spelling & ir::kEmptyDoc) != 0);
      AddMetadata(message, number::kMetadata, notes->metadata);
    }
    return message;
  }

  WireMessage WriteValue(const ir::Value& value) const {
    return WriteValueInfo(NameOf(&value), value.type(), value.notes());
  }

  void AddValueInfo(WireMessage& message, uint32_t number, const ir::Graph& graph) const {
    for (const ir::ValueInfo& info : graph.value_info()) {
      if (info.value == nullptr) {
        message.AddMessage(number, WriteValueInfo(Text(info.name), *info.type, info.notes.get()));
      } else if (!info.value->erased() && !NameOf(info.value).empty()) {
        // Values that were removed or omitted since leave their entry behind.
        message.AddMessage(number, WriteValue(*info.value));
      }
    }
  }

  // --- Nodes

  Status AddNodes(WireMessage& message, uint32_t number, const ir::Graph& graph) {
    for (const ir::Node& node : graph.nodes()) {
      StatusOr<WireMessage> part = WriteNode(node);
      if (!part.ok()) {
        return WithContext(part.status(), ErrorContext::kNode, node.display_name());
      }
      message.AddMessage(number, *std::move(part));
    }
    return OkStatus();
  }

  StatusOr<WireMessage> WriteNode(const ir::Node& node) {
    namespace number = fields::node;
    static const ir::NodeNotes kNone;
    const ir::NodeNotes& notes = node.notes() != nullptr ? *node.notes() : kNone;
    WireMessage message;
    for (const ir::Use& use : node.inputs()) message.AddBytes(number::kInput, NameOf(use.value()));
    for (const ir::Value* value : node.outputs()) message.AddBytes(number::kOutput, NameOf(value));
    AddText(message, number::kName, node.name_text(), (notes.spelling & ir::kEmptyName) != 0);
    message.AddBytes(number::kOpType, node.op_text());
    for (const ir::Attribute& attribute : node.attributes()) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteAttribute(attribute));
      message.AddMessage(number::kAttribute, std::move(part));
    }
    AddText(message, number::kDoc, notes.doc, (notes.spelling & ir::kEmptyDoc) != 0);
    AddText(message, number::kDomain, node.domain_text(), (notes.spelling & ir::kEmptyDomain) != 0);
    AddText(message, number::kOverload, Text(node.overload()),
            (notes.spelling & ir::kEmptyOverload) != 0);
    AddMetadata(message, number::kMetadata, notes.metadata);
    for (const std::string& text : notes.device_configurations) {
      message.AddBytes(number::kDeviceConfigurations, text);
    }
    return message;
  }

  // --- Attributes

  StatusOr<WireMessage> WriteAttribute(const ir::Attribute& attribute) {
    namespace number = fields::attribute;
    WireMessage message;
    message.AddBytes(number::kName, Text(attribute.name));
    const bool has_value = attribute.reference.empty();
    // The fields of sparse tensors have higher numbers than those below.
    const bool is_sparse = attribute.kind() == AttributeKind::kSparseTensor ||
                           attribute.kind() == AttributeKind::kSparseTensors;
    const bool is_type =
        attribute.kind() == AttributeKind::kType || attribute.kind() == AttributeKind::kTypes;
    if (has_value && !is_sparse && !is_type) {
      LATHE_RETURN_IF_ERROR(AddAttributeValue(message, attribute));
    }
    AddText(message, number::kDoc, Text(attribute.doc), (attribute.spelling & ir::kEmptyDoc) != 0);
    if (has_value && is_type) LATHE_RETURN_IF_ERROR(AddAttributeValue(message, attribute));
    if ((attribute.spelling & ir::kTypeLeftOut) == 0) {
      message.AddInt(number::kType, kAttributeTypes[static_cast<size_t>(attribute.kind())]);
    }
    AddText(message, number::kRefAttrName, Text(attribute.reference), false);
    if (has_value && is_sparse) LATHE_RETURN_IF_ERROR(AddAttributeValue(message, attribute));
    return message;
  }

  Status AddAttributeValue(WireMessage& message, const ir::Attribute& attribute) {
    return std::visit([&](const auto& value) { return AddValue(message, attribute, value); },
                      attribute.value);
  }

  Status AddValue(WireMessage&, const ir::Attribute&, std::monostate) { return OkStatus(); }

  Status AddValue(WireMessage& message, const ir::Attribute& attribute, float value) {
    const bool left_out = (attribute.spelling & ir::kValueLeftOut) != 0 && value == 0;
    if (!left_out) message.AddFloat(fields::attribute::kFloat, value);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute& attribute, int64_t value) {
    const bool left_out = (attribute.spelling & ir::kValueLeftOut) != 0 && value == 0;
    if (!left_out) message.AddInt(fields::attribute::kInt, value);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute& attribute, const std::string& value) {
    AddText(message, fields::attribute::kString, value,
            (attribute.spelling & ir::kValueLeftOut) == 0);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const ir::Tensor& value) {
    LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteTensor(value, std::nullopt, placement_));
    message.AddMessage(fields::attribute::kTensor, std::move(part));
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const ir::SparseTensor& value) {
    LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteSparseTensor(value, std::nullopt, placement_));
    message.AddMessage(fields::attribute::kSparseTensor, std::move(part));
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const ir::GraphPtr& value) {
    LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteGraph(*value));
    message.AddMessage(fields::attribute::kGraph, std::move(part));
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const ir::Type* value) {
    message.AddMessage(fields::attribute::kTypeProto, WriteType(*value));
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const std::vector<float>& values) {
    for (const float value : values) message.AddFloat(fields::attribute::kFloats, value);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&, const std::vector<int64_t>& values) {
    for (const int64_t value : values) message.AddInt(fields::attribute::kInts, value);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&,
                  const std::vector<std::string>& values) {
    for (const std::string& value : values) message.AddBytes(fields::attribute::kStrings, value);
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&,
                  const std::vector<ir::Tensor>& values) {
    for (const ir::Tensor& value : values) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteTensor(value, std::nullopt, placement_));
      message.AddMessage(fields::attribute::kTensors, std::move(part));
    }
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&,
                  const std::vector<ir::SparseTensor>& values) {
    for (const ir::SparseTensor& value : values) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteSparseTensor(value, std::nullopt, placement_));
      message.AddMessage(fields::attribute::kSparseTensors, std::move(part));
    }
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&,
                  const std::vector<ir::GraphPtr>& values) {
    for (const ir::GraphPtr& value : values) {
      LATHE_ASSIGN_OR_RETURN(WireMessage part, WriteGraph(*value));
      message.AddMessage(fields::attribute::kGraphs, std::move(part));
    }
    return OkStatus();
  }

  Status AddValue(WireMessage& message, const ir::Attribute&,
                  const std::vector<const ir::Type*>& values) {
    for (const ir::Type* value : values) {
      message.AddMessage(fields::attribute::kTypeProtos, WriteType(*value));
    }
    return OkStatus();
  }

  const ir::Model& model_;
  DataPlacement& placement_;
};

}  // namespace

StatusOr<WireMessage> WriteModel(const ir::Model& model, DataPlacement& placement) {
  return ModelWriter(model, placement).Write();
}

}  // namespace lathe::backends
