#include "lathe/backends/onnx/internal/tensor_writer.h"

#include <cstring>

#include <fmt/format.h>

#include "lathe/support/onnx_fields.h"

namespace lathe::backends {
namespace {

namespace fields = onnx_fields::tensor;
using ir::ElementType;

template <typename T>
T Load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// The elements at `bytes`, each loaded as T, as varints. Signed numbers are extended to 64 bits, as
// protobuf does.
template <typename T>
std::string Varints(std::span<const std::byte> bytes) {
  std::string text;
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    WireMessage::AppendVarint(static_cast<uint64_t>(static_cast<int64_t>(Load<T>(&bytes[i]))),
                              &text);
  }
  return text;
}

// 6-bit elements stand bit by bit behind each other in the payload, and one an entry in int32_data.
std::string SixBitVarints(std::span<const std::byte> bytes, int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    const auto bit = static_cast<size_t>(6 * i);
    auto pair = static_cast<uint32_t>(bytes[bit / 8]);
    if (bit / 8 + 1 < bytes.size()) pair |= static_cast<uint32_t>(bytes[bit / 8 + 1]) << 8;
    WireMessage::AppendVarint((pair >> (bit % 8)) & 63, &text);
  }
  return text;
}

struct TypedField {
  uint32_t number;
  // Set where the field's content is not the payload itself.
  std::optional<std::string> encoded;
};

TypedField EncodeTyped(const ir::Tensor& tensor, std::span<const std::byte> bytes) {
  switch (tensor.element_type()) {
    case ElementType::kFloat32:
    case ElementType::kComplex64:
      return {fields::kFloatData, std::nullopt};
    case ElementType::kFloat64:
    case ElementType::kComplex128:
      return {fields::kDoubleData, std::nullopt};
    case ElementType::kInt64:
      return {fields::kInt64Data, Varints<int64_t>(bytes)};
    case ElementType::kUint64:
      return {fields::kUint64Data, Varints<uint64_t>(bytes)};
    case ElementType::kUint32:
      return {fields::kUint64Data, Varints<uint32_t>(bytes)};
    case ElementType::kInt32:
      return {fields::kInt32Data, Varints<int32_t>(bytes)};
    case ElementType::kInt16:
      return {fields::kInt32Data, Varints<int16_t>(bytes)};
    case ElementType::kInt8:
      return {fields::kInt32Data, Varints<int8_t>(bytes)};
    case ElementType::kUint16:
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      return {fields::kInt32Data, Varints<uint16_t>(bytes)};
    case ElementType::kFloat6E2M3:
    case ElementType::kFloat6E3M2:
      return {fields::kInt32Data, SixBitVarints(bytes, tensor.num_elements())};
    default:
      // One element, or several of less than 8 bits, a byte.
      return {fields::kInt32Data, Varints<uint8_t>(bytes)};
  }
}

void AddExternalEntry(WireMessage& message, std::string_view key, std::string_view value) {
  WireMessage entry;
  entry.AddBytes(onnx_fields::entry::kKey, key);
  entry.AddBytes(onnx_fields::entry::kValue, value);
  message.AddMessage(fields::kExternalData, std::move(entry));
}

}  // namespace

void AddText(WireMessage& message, uint32_t number, std::string_view text, bool state_empty) {
  if (!text.empty() || state_empty) message.AddBytes(number, text);
}

void AddMetadata(WireMessage& message, uint32_t number,
                 const std::vector<std::pair<std::string, std::string>>& metadata) {
  for (const auto& [key, value] : metadata) {
    WireMessage entry;
    entry.AddBytes(onnx_fields::entry::kKey, key);
    entry.AddBytes(onnx_fields::entry::kValue, value);
    message.AddMessage(number, std::move(entry));
  }
}

StatusOr<WireMessage> WriteTensor(const ir::Tensor& tensor, std::optional<std::string_view> name,
                                  DataPlacement& placement) {
  const ir::TensorNotes& notes = tensor.notes();
  const bool is_string = tensor.element_type() == ElementType::kString;
  ir::TensorBytes bytes({}, nullptr);
  if (!is_string) {
    LATHE_ASSIGN_OR_RETURN(bytes, tensor.Read());
  }
  std::optional<DataPlacement::Entry> external;
  // Initializers bring their value's name, tensors of attributes have their own.
  if (!is_string) external = placement.Place(tensor, bytes, !name.has_value());
  std::optional<TypedField> typed;
  if (notes.typed_field && !external && bytes.size() != 0) {
    typed = EncodeTyped(tensor, bytes.bytes());
  }

  WireMessage message;
  const auto add_typed = [&](uint32_t number) {
    if (!typed || typed->number != number) return;
    if (typed->encoded) {
      message.AddBytes(number, *typed->encoded);
    } else {
      message.AddPayload(number, bytes.bytes(), bytes.owner());
    }
  };
  for (const int64_t dim : tensor.dims()) message.AddInt(fields::kDims, dim);
  message.AddInt(fields::kDataType, static_cast<int64_t>(tensor.element_type()));
  add_typed(fields::kFloatData);
  add_typed(fields::kInt32Data);
  for (const std::string& text : tensor.strings()) message.AddBytes(fields::kStringData, text);
  add_typed(fields::kInt64Data);
  AddText(message, fields::kName, name.value_or(notes.name),
          (notes.spelling & ir::kEmptyName) != 0);
  if (!is_string && !notes.typed_field && !external) {
    message.AddPayload(fields::kRawData, bytes.bytes(), bytes.owner());
  }
  add_typed(fields::kDoubleData);
  add_typed(fields::kUint64Data);
  AddText(message, fields::kDoc, notes.doc, (notes.spelling & ir::kEmptyDoc) != 0);
  if (external) {
    AddExternalEntry(message, "location", external->location);
    AddExternalEntry(message, "offset", fmt::format("{}", external->offset));
    AddExternalEntry(message, "length", fmt::format("{}", bytes.size()));
    message.AddInt(fields::kDataLocation, 1);
  }
  AddMetadata(message, fields::kMetadata, notes.metadata);
  return message;
}

StatusOr<WireMessage> WriteSparseTensor(const ir::SparseTensor& tensor,
                                        std::optional<std::string_view> name,
                                        DataPlacement& placement) {
  WireMessage message;
  LATHE_ASSIGN_OR_RETURN(WireMessage values, WriteTensor(tensor.values, name, placement));
  message.AddMessage(onnx_fields::sparse_tensor::kValues, std::move(values));
  if (tensor.indices) {
    LATHE_ASSIGN_OR_RETURN(WireMessage indices,
                           WriteTensor(tensor.indices, std::nullopt, placement));
    message.AddMessage(onnx_fields::sparse_tensor::kIndices, std::move(indices));
  }
  for (const int64_t dim : tensor.dims) message.AddInt(onnx_fields::sparse_tensor::kDims, dim);
  return message;
}

namespace {

WireMessage WriteShape(const ir::Shape& shape) {
  WireMessage message;
  for (const ir::Dim& dim : shape) {
    WireMessage part;
    if (dim.is_known()) part.AddInt(onnx_fields::shape::kDimValue, dim.extent());
    if (dim.is_symbol()) part.AddBytes(onnx_fields::shape::kDimParam, dim.symbol());
    AddText(part, onnx_fields::shape::kDimDenotation, dim.denotation(), false);
    message.AddMessage(onnx_fields::shape::kDim, std::move(part));
  }
  return message;
}

// TypeProto.Tensor, TypeProto.Sequence, ...
WireMessage WriteTypeBody(const ir::Type& type) {
  namespace fields = onnx_fields::type;
  WireMessage body;
  switch (type.kind) {
    case ir::Type::Kind::kTensor:
    case ir::Type::Kind::kSparseTensor:
      if (type.element != ElementType::kUndefined) {
        body.AddInt(fields::kElemType, static_cast<int64_t>(type.element));
      }
      if (type.shape) body.AddMessage(fields::kShape, WriteShape(*type.shape));
      break;
    case ir::Type::Kind::kSequence:
    case ir::Type::Kind::kOptional:
      if (type.nested != nullptr) body.AddMessage(fields::kNested, WriteType(*type.nested));
      break;
    case ir::Type::Kind::kMap:
      if (type.element != ElementType::kUndefined) {
        body.AddInt(fields::kMapKey, static_cast<int64_t>(type.element));
      }
      if (type.nested != nullptr) body.AddMessage(fields::kMapValue, WriteType(*type.nested));
      break;
    case ir::Type::Kind::kOpaque:
      AddText(body, fields::kOpaqueDomain, type.opaque_domain, false);
      AddText(body, fields::kOpaqueName, type.opaque_name, false);
      break;
    case ir::Type::Kind::kUnknown:
      break;
  }
  return body;
}

uint32_t FieldOf(ir::Type::Kind kind) {
  switch (kind) {
    case ir::Type::Kind::kTensor:
      return onnx_fields::type::kTensor;
    case ir::Type::Kind::kSparseTensor:
      return onnx_fields::type::kSparseTensor;
    case ir::Type::Kind::kSequence:
      return onnx_fields::type::kSequence;
    case ir::Type::Kind::kOptional:
      return onnx_fields::type::kOptional;
    case ir::Type::Kind::kMap:
      return onnx_fields::type::kMap;
    case ir::Type::Kind::kOpaque:
      return onnx_fields::type::kOpaque;
    case ir::Type::Kind::kUnknown:
      break;
  }
  return 0;
}

}  // namespace

WireMessage WriteType(const ir::Type& type) {
  WireMessage message;
  const uint32_t field = FieldOf(type.kind);
  const bool before_denotation = field < onnx_fields::type::kDenotation;
  if (field != 0 && before_denotation) message.AddMessage(field, WriteTypeBody(type));
  AddText(message, onnx_fields::type::kDenotation, type.denotation, false);
  if (field != 0 && !before_denotation) message.AddMessage(field, WriteTypeBody(type));
  return message;
}

}  // namespace lathe::backends
