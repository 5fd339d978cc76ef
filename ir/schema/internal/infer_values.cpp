// What an Inferencer knows of values.
#include <fmt/format.h>

#include "lathe/ir/schema/internal/attribute_proto.h"
#include "lathe/ir/schema/internal/inferencer.h"
#include "lathe/ir/schema/internal/merge_types.h"
#include "lathe/ir/schema/internal/type_proto.h"

namespace lathe::ir {

const Type* Inferencer::TypeOf(const Scope& scope, const Value& value) const {
  const Value* resolved = value.Resolve();
  const auto it = scope.types.find(resolved->id());
  return it == scope.types.end() ? resolved->type_ref() : it->second;
}

void Inferencer::SetType(Scope& scope, const Value& value, const Type* type) {
  scope.types[value.Resolve()->id()] = type;
}

void Inferencer::Conflict(const Node& node, std::string message) {
  if (options_.strict && status_.ok()) {
    status_ = WithContext(InvalidInput("{}", message), ErrorContext::kNode, node.display_name());
  }
  result_.conflicts.push_back({node.display_name(), std::move(message)});
}

void Inferencer::Refine(Scope& scope, const Value& value, const Type* inferred, const Node& node) {
  std::string conflict;
  const Type* known = TypeOf(scope, value);
  const Type* merged = MergeTypes(model_, known, inferred, &conflict);
  if (!conflict.empty()) {
    // A function's body may be written for one type and called with another.
    if (scope.is_call) {
      merged = inferred;
    } else {
      Conflict(node, fmt::format("value '{}': {}", value.name_text(), conflict));
    }
  }
  if (merged != known) SetType(scope, value, merged);
}

const onnx::TypeProto* Inferencer::Message(const Type* type) {
  if (type->kind == Type::Kind::kUnknown) return nullptr;
  auto& message = messages_[type];
  if (message == nullptr) message = std::make_unique<onnx::TypeProto>(ToTypeProto(*type));
  return message.get();
}

const onnx::TensorShapeProto* Inferencer::Propagated(Scope& scope, const Value& value) {
  const auto it = scope.propagated.find(value.Resolve()->id());
  return it == scope.propagated.end() ? nullptr : &it->second;
}

// Before IR version 4 every initializer had to be an input as well, so a default says what is
// meant.
Tensor Inferencer::Constant(const Value& value) const {
  const Value* resolved = value.Resolve();
  const bool has_default = resolved->kind() == Value::Kind::kGraphInput && resolved->tensor();
  return has_default && model_.info().ir_version < 4 ? resolved->tensor() : value.ConstantTensor();
}

const onnx::TensorProto* Inferencer::Data(Scope& scope, const Value& value) {
  const Value* resolved = value.Resolve();
  if (const auto it = scope.data.find(resolved->id()); it != scope.data.end()) return &it->second;
  if (const auto it = constants_.find(resolved->id()); it != constants_.end()) {
    return it->second.get();
  }
  if (const Tensor tensor = Constant(value)) {
    auto& message = constants_[resolved->id()];
    if (tensor.num_elements() <= kMaxConstantElements) {
      message = std::make_unique<onnx::TensorProto>(ToTensorProto(tensor));
    }
    return message.get();
  }
  // Integers that are all known are as good as a constant.
  const onnx::TensorShapeProto* propagated = Propagated(scope, value);
  const Type& type = *TypeOf(scope, value);
  if (propagated == nullptr || !type.is_tensor() || !IsShapeElement(type.element) ||
      type.rank() < 0 || type.rank() > 1) {
    return nullptr;
  }
  onnx::TensorProto message;
  message.set_data_type(static_cast<int32_t>(type.element));
  if (type.rank() == 1) message.add_dims(propagated->dim_size());
  if (type.rank() == 0 && propagated->dim_size() != 1) return nullptr;
  for (const auto& dim : propagated->dim()) {
    if (!dim.has_dim_value()) return nullptr;
    if (type.element == ElementType::kInt64) {
      message.add_int64_data(dim.dim_value());
    } else {
      message.add_int32_data(static_cast<int32_t>(dim.dim_value()));
    }
  }
  return &scope.data.emplace(resolved->id(), std::move(message)).first->second;
}

const onnx::TensorShapeProto* Inferencer::ShapeData(Scope& scope, const Value& value) {
  if (const onnx::TensorShapeProto* known = Propagated(scope, value)) return known;
  const ValueId id = value.Resolve()->id();
  if (const Tensor tensor = Constant(value)) {
    if (tensor.rank() > 1 || !IsShapeElement(tensor.element_type()) ||
        tensor.num_elements() > kMaxPropagatedElements) {
      return nullptr;
    }
    const StatusOr<std::vector<int64_t>> extents = tensor.ValuesAsInt64();
    if (!extents.ok()) return nullptr;
    onnx::TensorShapeProto& shape = scope.propagated[id];
    for (const int64_t extent : *extents) shape.add_dim()->set_dim_value(extent);
    return &shape;
  }
  // A vector of known length is that many unknown integers.
  const Type& type = *TypeOf(scope, value);
  if (!type.is_tensor() || !IsShapeElement(type.element) || type.rank() != 1) return nullptr;
  const Dim& length = type.shape->front();
  if (!length.is_known() || length.extent() > kMaxPropagatedElements) return nullptr;
  onnx::TensorShapeProto& shape = scope.propagated[id];
  for (int64_t i = 0; i < length.extent(); ++i) shape.add_dim();
  return &shape;
}

const AttributeValue* Inferencer::Resolve(const Scope& scope, const Node& node,
                                          std::string_view name) const {
  const Attribute* attribute = node.FindAttribute(name);
  if (attribute == nullptr) return nullptr;
  if (attribute->reference.empty()) return &attribute->value;
  const auto it = scope.attributes.find(attribute->reference);
  return it == scope.attributes.end() ? nullptr : it->second;
}

}  // namespace lathe::ir
