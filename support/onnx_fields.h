// The numbers of ONNX's protobuf fields (onnx.proto, IR version 14), for the reader and the writer,
// which walk the wire format themselves.
#pragma once

#include <cstdint>

namespace lathe::onnx_fields {

namespace model {
inline constexpr uint32_t kIrVersion = 1;
inline constexpr uint32_t kProducerName = 2;
inline constexpr uint32_t kProducerVersion = 3;
inline constexpr uint32_t kDomain = 4;
inline constexpr uint32_t kModelVersion = 5;
inline constexpr uint32_t kDoc = 6;
inline constexpr uint32_t kGraph = 7;
inline constexpr uint32_t kOpsetImport = 8;
inline constexpr uint32_t kMetadata = 14;
inline constexpr uint32_t kTrainingInfo = 20;
inline constexpr uint32_t kFunctions = 25;
inline constexpr uint32_t kConfiguration = 26;
}  // namespace model

namespace opset {
inline constexpr uint32_t kDomain = 1;
inline constexpr uint32_t kVersion = 2;
}  // namespace opset

namespace graph {
inline constexpr uint32_t kNode = 1;
inline constexpr uint32_t kName = 2;
inline constexpr uint32_t kInitializer = 5;
inline constexpr uint32_t kDoc = 10;
inline constexpr uint32_t kInput = 11;
inline constexpr uint32_t kOutput = 12;
inline constexpr uint32_t kValueInfo = 13;
inline constexpr uint32_t kQuantizationAnnotation = 14;
inline constexpr uint32_t kSparseInitializer = 15;
inline constexpr uint32_t kMetadata = 16;
}  // namespace graph

namespace function {
inline constexpr uint32_t kName = 1;
inline constexpr uint32_t kInput = 4;
inline constexpr uint32_t kOutput = 5;
inline constexpr uint32_t kAttribute = 6;
inline constexpr uint32_t kNode = 7;
inline constexpr uint32_t kDoc = 8;
inline constexpr uint32_t kOpsetImport = 9;
inline constexpr uint32_t kDomain = 10;
inline constexpr uint32_t kAttributeProto = 11;
inline constexpr uint32_t kValueInfo = 12;
inline constexpr uint32_t kOverload = 13;
inline constexpr uint32_t kMetadata = 14;
}  // namespace function

namespace node {
inline constexpr uint32_t kInput = 1;
inline constexpr uint32_t kOutput = 2;
inline constexpr uint32_t kName = 3;
inline constexpr uint32_t kOpType = 4;
inline constexpr uint32_t kAttribute = 5;
inline constexpr uint32_t kDoc = 6;
inline constexpr uint32_t kDomain = 7;
inline constexpr uint32_t kOverload = 8;
inline constexpr uint32_t kMetadata = 9;
inline constexpr uint32_t kDeviceConfigurations = 10;
}  // namespace node

namespace attribute {
inline constexpr uint32_t kName = 1;
inline constexpr uint32_t kFloat = 2;
inline constexpr uint32_t kInt = 3;
inline constexpr uint32_t kString = 4;
inline constexpr uint32_t kTensor = 5;
inline constexpr uint32_t kGraph = 6;
inline constexpr uint32_t kFloats = 7;
inline constexpr uint32_t kInts = 8;
inline constexpr uint32_t kStrings = 9;
inline constexpr uint32_t kTensors = 10;
inline constexpr uint32_t kGraphs = 11;
inline constexpr uint32_t kDoc = 13;
inline constexpr uint32_t kTypeProto = 14;
inline constexpr uint32_t kTypeProtos = 15;
inline constexpr uint32_t kType = 20;
inline constexpr uint32_t kRefAttrName = 21;
inline constexpr uint32_t kSparseTensor = 22;
inline constexpr uint32_t kSparseTensors = 23;
}  // namespace attribute

namespace value_info {
inline constexpr uint32_t kName = 1;
inline constexpr uint32_t kType = 2;
inline constexpr uint32_t kDoc = 3;
inline constexpr uint32_t kMetadata = 4;
}  // namespace value_info

// StringStringEntryProto.
namespace entry {
inline constexpr uint32_t kKey = 1;
inline constexpr uint32_t kValue = 2;
}  // namespace entry

namespace tensor {
inline constexpr uint32_t kDims = 1;
inline constexpr uint32_t kDataType = 2;
inline constexpr uint32_t kSegment = 3;
inline constexpr uint32_t kFloatData = 4;
inline constexpr uint32_t kInt32Data = 5;
inline constexpr uint32_t kStringData = 6;
inline constexpr uint32_t kInt64Data = 7;
inline constexpr uint32_t kName = 8;
inline constexpr uint32_t kRawData = 9;
inline constexpr uint32_t kDoubleData = 10;
inline constexpr uint32_t kUint64Data = 11;
inline constexpr uint32_t kDoc = 12;
inline constexpr uint32_t kExternalData = 13;
inline constexpr uint32_t kDataLocation = 14;
inline constexpr uint32_t kMetadata = 16;
}  // namespace tensor

namespace sparse_tensor {
inline constexpr uint32_t kValues = 1;
inline constexpr uint32_t kIndices = 2;
inline constexpr uint32_t kDims = 3;
}  // namespace sparse_tensor

namespace type {
inline constexpr uint32_t kTensor = 1;
inline constexpr uint32_t kSequence = 4;
inline constexpr uint32_t kMap = 5;
inline constexpr uint32_t kDenotation = 6;
inline constexpr uint32_t kOpaque = 7;
inline constexpr uint32_t kSparseTensor = 8;
inline constexpr uint32_t kOptional = 9;
// Of TypeProto.Tensor and TypeProto.SparseTensor.
inline constexpr uint32_t kElemType = 1;
inline constexpr uint32_t kShape = 2;
// Of TypeProto.Sequence and TypeProto.Optional.
inline constexpr uint32_t kNested = 1;
// Of TypeProto.Map.
inline constexpr uint32_t kMapKey = 1;
inline constexpr uint32_t kMapValue = 2;
// Of TypeProto.Opaque.
inline constexpr uint32_t kOpaqueDomain = 1;
inline constexpr uint32_t kOpaqueName = 2;
}  // namespace type

namespace shape {
inline constexpr uint32_t kDim = 1;
// Of TensorShapeProto.Dimension.
inline constexpr uint32_t kDimValue = 1;
inline constexpr uint32_t kDimParam = 2;
inline constexpr uint32_t kDimDenotation = 3;
}  // namespace shape

}  // namespace lathe::onnx_fields
