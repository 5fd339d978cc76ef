#include "lathe/ir/schema/internal/type_proto.h"

namespace lathe::ir {
namespace {

template <typename Message>
void SetTensor(const Type& type, Message& message) {
  message.set_elem_type(static_cast<int32_t>(type.element));
  if (!type.shape) return;
  auto& shape = *message.mutable_shape();
  for (const Dim& dim : *type.shape) {
    auto& entry = *shape.add_dim();
    if (dim.is_known()) entry.set_dim_value(dim.extent());
    if (dim.is_symbol()) entry.set_dim_param(dim.symbol());
    if (!dim.denotation().empty()) entry.set_denotation(dim.denotation());
  }
}

ElementType Element(int32_t number) {
  return ElementTypeFromOnnx(number).value_or(ElementType::kUndefined);
}

template <typename Message>
void GetTensor(const Message& message, Type& type) {
  type.element = Element(message.elem_type());
  if (!message.has_shape()) return;
  type.shape.emplace();
  for (const auto& entry : message.shape().dim()) {
    Dim dim;
    if (entry.has_dim_value() && entry.dim_value() >= 0) dim = Dim::Known(entry.dim_value());
    if (entry.has_dim_param() && !entry.dim_param().empty()) dim = Dim::Symbol(entry.dim_param());
    dim.set_denotation(entry.denotation());
    type.shape->push_back(std::move(dim));
  }
}

}  // namespace

onnx::TypeProto ToTypeProto(const Type& type) {
  onnx::TypeProto message;
  if (!type.denotation.empty()) message.set_denotation(type.denotation);
  const auto nested = [&] {
    return type.nested == nullptr ? onnx::TypeProto() : ToTypeProto(*type.nested);
  };
  switch (type.kind) {
    case Type::Kind::kUnknown:
      break;
    case Type::Kind::kTensor:
      SetTensor(type, *message.mutable_tensor_type());
      break;
    case Type::Kind::kSparseTensor:
      SetTensor(type, *message.mutable_sparse_tensor_type());
      break;
    case Type::Kind::kSequence:
      *message.mutable_sequence_type()->mutable_elem_type() = nested();
      break;
    case Type::Kind::kOptional:
      *message.mutable_optional_type()->mutable_elem_type() = nested();
      break;
    case Type::Kind::kMap:
      message.mutable_map_type()->set_key_type(static_cast<int32_t>(type.element));
      *message.mutable_map_type()->mutable_value_type() = nested();
      break;
    case Type::Kind::kOpaque:
      message.mutable_opaque_type()->set_domain(type.opaque_domain);
      message.mutable_opaque_type()->set_name(type.opaque_name);
      break;
  }
  return message;
}

const Type* FromTypeProto(const Model& model, const onnx::TypeProto& message) {
  Type type;
  type.denotation = message.denotation();
  switch (message.value_case()) {
    case onnx::TypeProto::kTensorType:
      type.kind = Type::Kind::kTensor;
      GetTensor(message.tensor_type(), type);
      break;
    case onnx::TypeProto::kSparseTensorType:
      type.kind = Type::Kind::kSparseTensor;
      GetTensor(message.sparse_tensor_type(), type);
      break;
    case onnx::TypeProto::kSequenceType:
      type.kind = Type::Kind::kSequence;
      type.nested = FromTypeProto(model, message.sequence_type().elem_type());
      break;
    case onnx::TypeProto::kOptionalType:
      type.kind = Type::Kind::kOptional;
      type.nested = FromTypeProto(model, message.optional_type().elem_type());
      break;
    case onnx::TypeProto::kMapType:
      type.kind = Type::Kind::kMap;
      type.element = Element(message.map_type().key_type());
      type.nested = FromTypeProto(model, message.map_type().value_type());
      break;
    case onnx::TypeProto::kOpaqueType:
      type.kind = Type::Kind::kOpaque;
      type.opaque_domain = message.opaque_type().domain();
      type.opaque_name = message.opaque_type().name();
      break;
    case onnx::TypeProto::VALUE_NOT_SET:
      break;
  }
  return model.Intern(std::move(type));
}

}  // namespace lathe::ir
