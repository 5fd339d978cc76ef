#include "lathe/frontends/onnx/convert_opset.h"

#include <algorithm>
#include <exception>

#include <onnx/onnx_pb.h>
#include <onnx/version_converter/convert.h>

namespace lathe::frontends {
namespace {

// The IR version that came with an operator set (onnx's table of releases).
int64_t IrVersionOf(int64_t opset) {
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  if (opset >= 15) return 8;
  if (opset >= 12) return 7;
  return 6;
}

void ExternalInitializersToInputs(onnx::GraphProto& graph) {
  google::protobuf::RepeatedPtrField<onnx::TensorProto> kept;
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) {
      kept.Add(std::move(tensor));
      continue;
    }
    onnx::ValueInfoProto& input = *graph.add_input();
    input.set_name(tensor.name());
    onnx::TypeProto::Tensor& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(tensor.data_type());
    onnx::TensorShapeProto& shape = *type.mutable_shape();
    for (const int64_t dim : tensor.dims()) shape.add_dim()->set_dim_value(dim);
  }
  graph.mutable_initializer()->Swap(&kept);
}

}  // namespace

StatusOr<std::string> ConvertOpsetMessage(std::string_view message, int64_t target) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return InternalError("the model's own message does not parse");
  }
  ExternalInitializersToInputs(*model.mutable_graph());
  // The converter's graph form needs them to be inputs or initializers, not both ways of IR
  // version 3.
  model.set_ir_version(std::max(model.ir_version(), IrVersionOf(target)));
  try {
    const onnx::ModelProto converted =
        onnx::version_conversion::ConvertVersion(model, static_cast<int>(target));
    std::string result;
    if (!converted.SerializeToString(&result))
      return InternalError("the converted model is too large");
    return result;
  } catch (const std::exception& failure) {
    return Unsupported("cannot convert the operator set to {}: {}", target, failure.what());
  }
}

}  // namespace lathe::frontends
