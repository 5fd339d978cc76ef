#include "lathe/ir/schema/internal/attribute_proto.h"

#include "lathe/ir/schema/internal/type_proto.h"

namespace lathe::ir {
namespace {

onnx::SparseTensorProto ToSparseProto(const SparseTensor& tensor) {
  onnx::SparseTensorProto message;
  if (tensor.values) *message.mutable_values() = ToTensorProto(tensor.values);
  if (tensor.indices) *message.mutable_indices() = ToTensorProto(tensor.indices);
  for (const int64_t dim : tensor.dims) message.add_dims(dim);
  return message;
}

// Fills the field that fits the member of AttributeValue.
class Filler {
 public:
  explicit Filler(onnx::AttributeProto& message) : message_(message) {}

  void operator()(std::monostate) {}
  void operator()(float value) {
    message_.set_type(onnx::AttributeProto::FLOAT);
    message_.set_f(value);
  }
  void operator()(int64_t value) {
    message_.set_type(onnx::AttributeProto::INT);
    message_.set_i(value);
  }
  void operator()(const std::string& value) {
    message_.set_type(onnx::AttributeProto::STRING);
    message_.set_s(value);
  }
  void operator()(const Tensor& value) {
    message_.set_type(onnx::AttributeProto::TENSOR);
    *message_.mutable_t() = ToTensorProto(value);
  }
  void operator()(const SparseTensor& value) {
    message_.set_type(onnx::AttributeProto::SPARSE_TENSOR);
    *message_.mutable_sparse_tensor() = ToSparseProto(value);
  }
  void operator()(const GraphPtr&) {
    message_.set_type(onnx::AttributeProto::GRAPH);
    message_.mutable_g();
  }
  void operator()(const Type* value) {
    message_.set_type(onnx::AttributeProto::TYPE_PROTO);
    *message_.mutable_tp() = ToTypeProto(*value);
  }
  void operator()(const std::vector<float>& values) {
    message_.set_type(onnx::AttributeProto::FLOATS);
    for (const float value : values) message_.add_floats(value);
  }
  void operator()(const std::vector<int64_t>& values) {
    message_.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) message_.add_ints(value);
  }
  void operator()(const std::vector<std::string>& values) {
    message_.set_type(onnx::AttributeProto::STRINGS);
    for (const std::string& value : values) message_.add_strings(value);
  }
  void operator()(const std::vector<Tensor>& values) {
    message_.set_type(onnx::AttributeProto::TENSORS);
    for (const Tensor& value : values) *message_.add_tensors() = ToTensorProto(value);
  }
  void operator()(const std::vector<SparseTensor>& values) {
    message_.set_type(onnx::AttributeProto::SPARSE_TENSORS);
    for (const SparseTensor& value : values) *message_.add_sparse_tensors() = ToSparseProto(value);
  }
  void operator()(const std::vector<GraphPtr>& values) {
    message_.set_type(onnx::AttributeProto::GRAPHS);
    for (size_t i = 0; i < values.size(); ++i) message_.add_graphs();
  }
  void operator()(const std::vector<const Type*>& values) {
    message_.set_type(onnx::AttributeProto::TYPE_PROTOS);
    for (const Type* value : values) *message_.add_type_protos() = ToTypeProto(*value);
  }

 private:
  onnx::AttributeProto& message_;
};

}  // namespace

onnx::TensorProto ToTensorProto(const Tensor& tensor) {
  onnx::TensorProto message;
  message.set_data_type(static_cast<int32_t>(tensor.element_type()));
  for (const int64_t dim : tensor.dims()) message.add_dims(dim);
  if (tensor.num_elements() > kMaxConstantElements) return message;
  if (tensor.element_type() == ElementType::kString) {
    for (const std::string& text : tensor.strings()) message.add_string_data(text);
  } else if (const auto bytes = tensor.Read(); bytes.ok()) {
    message.set_raw_data(bytes->data(), bytes->size());
  }
  return message;
}

onnx::AttributeProto ToAttributeProto(std::string_view name, const AttributeValue& value) {
  onnx::AttributeProto message;
  message.set_name(std::string(name));
  std::visit(Filler(message), value);
  return message;
}

}  // namespace lathe::ir
