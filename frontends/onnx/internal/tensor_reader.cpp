#include "lathe/frontends/onnx/internal/tensor_reader.h"

#include <charconv>
#include <cstring>

#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields::tensor;
using ir::ElementType;

std::string_view DataFieldName(uint32_t field) {
  switch (field) {
    case fields::kFloatData:
      return "float_data";
    case fields::kInt32Data:
      return "int32_data";
    case fields::kStringData:
      return "string_data";
    case fields::kInt64Data:
      return "int64_data";
    case fields::kDoubleData:
      return "double_data";
    default:
      return "uint64_data";
  }
}

// The field that holds elements of this type when raw_data does not.
uint32_t DataFieldOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
    case ElementType::kComplex64:
      return fields::kFloatData;
    case ElementType::kFloat64:
    case ElementType::kComplex128:
      return fields::kDoubleData;
    case ElementType::kInt64:
      return fields::kInt64Data;
    case ElementType::kUint32:
    case ElementType::kUint64:
      return fields::kUint64Data;
    case ElementType::kString:
      return fields::kStringData;
    default:
      return fields::kInt32Data;
  }
}

// Collects the numbers of int32_data, int64_data or uint64_data as bytes in ONNX's raw layout.
class NumberDecoder {
 public:
  NumberDecoder(ElementType type, uint32_t field) : type_(type), field_(field) {}

  Status Add(uint64_t number) {
    const int bits = ir::ElementBits(type_);
    switch (field_) {
      case fields::kInt64Data:
        return Append(number, 8);
      case fields::kUint64Data:
        if (bits == 32 && number > UINT32_MAX) return OutOfRange(fmt::format("{}", number));
        return Append(number, static_cast<size_t>(bits / 8));
      default:
        break;
    }
    // Protobuf reads an int32 from the low 32 bits.
    const auto value = static_cast<int32_t>(number);
    if (bits == 6) {
      if (value < 0 || value > 63) return OutOfRange(fmt::format("{}", value));
      return AppendSixBits(static_cast<uint8_t>(value));
    }
    // An entry is one element or, below 8 bits, a byte of them; it may be written signed or
    // unsigned.
    const int width = std::max(bits, 8);
    if (width < 32 && (value < -(1 << (width - 1)) || value >= (1 << width))) {
      return OutOfRange(fmt::format("{}", value));
    }
    return Append(static_cast<uint32_t>(value), static_cast<size_t>(width / 8));
  }

  void Reserve(size_t bytes) { bytes_.reserve(bytes); }
  std::vector<std::byte> TakeBytes() { return std::move(bytes_); }

 private:
  Status OutOfRange(std::string_view number) const {
    return InvalidInput("{} holds {}, which is no {}", DataFieldName(field_), number,
                        ir::ElementTypeName(type_));
  }

  Status Append(uint64_t number, size_t width) {
    for (size_t i = 0; i < width; ++i) bytes_.push_back(static_cast<std::byte>(number >> (8 * i)));
    return OkStatus();
  }

  Status AppendSixBits(uint8_t value) {
    // Elements follow each other bit by bit, the first in the low bits: `free` bits of the last
    // byte are unused.
    const int free = static_cast<int>(8 * bytes_.size() - 6 * count_);
    if (free > 0) bytes_.back() |= static_cast<std::byte>(value << (8 - free));
    if (free < 6) bytes_.push_back(static_cast<std::byte>(value >> free));
    ++count_;
    return OkStatus();
  }

  ElementType type_;
  uint32_t field_;
  std::vector<std::byte> bytes_;
  size_t count_ = 0;
};

StatusOr<uint64_t> ParseNumber(std::string_view key, std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidInput("{} '{}' of external data is not a number", key, text);
  }
  return number;
}

}  // namespace

struct TensorReader::Proto {
  std::vector<int64_t> dims;
  ElementType type = ElementType::kUndefined;
  ir::TensorNotes notes;
  std::optional<Message> raw;
  // The typed data field that occurs, how often, its last occurrence, and the bytes of all.
  uint32_t typed_field = 0;
  size_t typed_count = 0;
  WireField typed;
  size_t typed_bytes = 0;
  Metadata external;
};

Status TensorReader::Collect(Message message, Proto* proto) {
  std::string_view text;
  Message part;
  int64_t number = 0;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    switch (field.number) {
      case fields::kDims:
        LATHE_RETURN_IF_ERROR(ReadInts(field, "dims", &proto->dims));
        break;
      case fields::kDataType: {
        LATHE_RETURN_IF_ERROR(ReadInt(field, "data_type", &number));
        const auto type = ir::ElementTypeFromOnnx(number);
        if (!type) return InvalidInput("ONNX has no element type {}", number);
        proto->type = *type;
        break;
      }
      case fields::kSegment:
        return Unsupported("tensors in segments are not supported");
      case fields::kName:
        LATHE_RETURN_IF_ERROR(ReadText(field, "name", &text));
        proto->notes.name = text;
        if (text.empty()) proto->notes.spelling |= ir::kEmptyName;
        break;
      case fields::kDoc:
        LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &text));
        proto->notes.doc = text;
        if (text.empty()) proto->notes.spelling |= ir::kEmptyDoc;
        break;
      case fields::kMetadata:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
        LATHE_RETURN_IF_ERROR(ReadEntry(part, &proto->notes.metadata));
        break;
      case fields::kExternalData:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "external_data", &part));
        LATHE_RETURN_IF_ERROR(ReadEntry(part, &proto->external));
        break;
      case fields::kDataLocation:
        LATHE_RETURN_IF_ERROR(ReadInt(field, "data_location", &number));
        if (number != 0 && number != 1) return InvalidInput("data_location is {}", number);
        proto->notes.external = number == 1;
        break;
      case fields::kRawData:
        LATHE_RETURN_IF_ERROR(ReadMessage(field, "raw_data", &part));
        proto->raw = part;
        break;
      case fields::kFloatData:
      case fields::kInt32Data:
      case fields::kStringData:
      case fields::kInt64Data:
      case fields::kDoubleData:
      case fields::kUint64Data:
        if (proto->typed_field != 0 && proto->typed_field != field.number) {
          return InvalidInput("tensor has both {} and {}", DataFieldName(proto->typed_field),
                              DataFieldName(field.number));
        }
        proto->typed_field = field.number;
        ++proto->typed_count;
        proto->typed_bytes += field.bytes.size();
        proto->typed = field;
        break;
      default:
        break;
    }
  }
  return reader.status();
}

StatusOr<ir::Tensor> TensorReader::Read(Message message) const {
  Proto proto;
  LATHE_RETURN_IF_ERROR(Collect(message, &proto));
  const std::string name = proto.notes.name;
  StatusOr<ir::Tensor> tensor = Build(message, std::move(proto));
  if (tensor.ok() || name.empty()) return tensor;
  return AtPlace(tensor.status(), fmt::format("tensor '{}'", name));
}

StatusOr<ir::Tensor> TensorReader::Build(Message message, Proto proto) const {
  if (proto.type == ElementType::kUndefined) return InvalidInput("tensor has no element type");
  LATHE_ASSIGN_OR_RETURN(const size_t want, ir::CheckedByteSize(proto.type, proto.dims));
  if (proto.typed_field != 0 && proto.typed_field != DataFieldOf(proto.type)) {
    return InvalidInput("tensor of type {} has its data in {}", ir::ElementTypeName(proto.type),
                        DataFieldName(proto.typed_field));
  }
  if (proto.notes.external) {
    if (proto.raw || proto.typed_field != 0) {
      return InvalidInput("tensor has data in the model and external data");
    }
    return FromExternal(std::move(proto));
  }
  if (proto.raw) {
    if (proto.typed_field != 0) {
      return InvalidInput("tensor has both raw_data and {}", DataFieldName(proto.typed_field));
    }
    if (proto.type == ElementType::kString) return InvalidInput("strings cannot be in raw_data");
    const Message payload = *proto.raw;
    return FromRange(std::move(proto), payload);
  }
  WireReader reader(message);
  if (proto.type == ElementType::kString) {
    std::vector<std::string> strings;
    for (WireField field; reader.Next(&field);) {
      if (field.number != fields::kStringData) continue;
      std::string_view text;
      LATHE_RETURN_IF_ERROR(ReadText(field, "string_data", &text));
      strings.emplace_back(text);
    }
    return ir::Tensor::FromStrings(std::move(proto.dims), std::move(strings),
                                   std::move(proto.notes));
  }
  proto.notes.typed_field = true;
  const bool fixed =
      proto.typed_field == fields::kFloatData || proto.typed_field == fields::kDoubleData;
  if (fixed && proto.typed_count == 1 && proto.typed.type == WireType::kBytes) {
    const Message payload = proto.typed.bytes;
    return FromRange(std::move(proto), payload);
  }
  if (fixed) {
    // Not packed, or in several parts: joined.
    const bool wide = proto.typed_field == fields::kDoubleData;
    std::vector<std::byte> bytes;
    for (WireField field; reader.Next(&field);) {
      if (field.number != proto.typed_field) continue;
      Message part = field.bytes;
      if (field.type != WireType::kBytes) {
        if (field.type != (wide ? WireType::kFixed64 : WireType::kFixed32)) {
          return InvalidInput("{} is not stored as floating-point numbers",
                              DataFieldName(proto.typed_field));
        }
        part = std::as_bytes(std::span(&field.value, 1)).first(wide ? 8 : 4);
      }
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return ir::Tensor::FromVector(proto.type, std::move(proto.dims), std::move(bytes),
                                  std::move(proto.notes));
  }
  NumberDecoder decoder(proto.type, proto.typed_field);
  // A number takes at least one byte in the file, so what the shape claims is not trusted.
  decoder.Reserve(std::min(want, 8 * (proto.typed_bytes + proto.typed_count)));
  for (WireField field; reader.Next(&field);) {
    if (field.number != proto.typed_field) continue;
    if (field.type == WireType::kVarint) {
      LATHE_RETURN_IF_ERROR(decoder.Add(field.value));
      continue;
    }
    if (field.type != WireType::kBytes) {
      return InvalidInput("{} is not stored as integers", DataFieldName(proto.typed_field));
    }
    Message rest = field.bytes;
    while (!rest.empty()) {
      uint64_t number = 0;
      if (!WireReader::TakeVarint(&rest, &number)) {
        return InvalidInput("a number of {} is cut off or too long",
                            DataFieldName(proto.typed_field));
      }
      LATHE_RETURN_IF_ERROR(decoder.Add(number));
    }
  }
  return ir::Tensor::FromVector(proto.type, std::move(proto.dims), decoder.TakeBytes(),
                                std::move(proto.notes));
}

StatusOr<ir::Tensor> TensorReader::FromRange(Proto proto, Message payload) const {
  LATHE_ASSIGN_OR_RETURN(const size_t want, ir::CheckedByteSize(proto.type, proto.dims));
  if (payload.size() != want) {
    return InvalidInput("tensor data has {} bytes, its shape needs {}", payload.size(), want);
  }
  if (source_.file != nullptr) {
    const auto offset = static_cast<uint64_t>(payload.data() - source_.bytes.data());
    return ir::Tensor::FromFile(proto.type, std::move(proto.dims), source_.file,
                                want == 0 ? 0 : offset, std::move(proto.notes));
  }
  return ir::Tensor::FromBytes(proto.type, std::move(proto.dims),
                               ir::TensorBytes(payload, source_.owner), std::move(proto.notes));
}

StatusOr<ir::Tensor> TensorReader::FromExternal(Proto proto) const {
  if (proto.type == ElementType::kString) return InvalidInput("strings cannot be external data");
  LATHE_ASSIGN_OR_RETURN(const size_t want, ir::CheckedByteSize(proto.type, proto.dims));
  std::string_view location;
  uint64_t offset = 0;
  uint64_t length = want;
  for (const auto& [key, value] : proto.external) {
    if (key == "location") location = value;
    if (key == "offset") {
      LATHE_ASSIGN_OR_RETURN(offset, ParseNumber(key, value));
    }
    if (key == "length") {
      LATHE_ASSIGN_OR_RETURN(length, ParseNumber(key, value));
    }
  }
  if (length != want) {
    return InvalidInput("tensor data has {} bytes, its shape needs {}", length, want);
  }
  LATHE_ASSIGN_OR_RETURN(auto file, external_->Open(location));
  StatusOr<ir::Tensor> tensor = ir::Tensor::FromFile(
      proto.type, std::move(proto.dims), std::move(file), offset, std::move(proto.notes));
  if (tensor.ok()) return tensor;
  return AtPlace(tensor.status(), fmt::format("external data '{}'", location));
}

StatusOr<ir::SparseTensor> TensorReader::ReadSparse(Message message) const {
  ir::SparseTensor sparse;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    Message part;
    if (field.number == onnx_fields::sparse_tensor::kValues) {
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "values", &part));
      LATHE_ASSIGN_OR_RETURN(sparse.values, Read(part));
    } else if (field.number == onnx_fields::sparse_tensor::kIndices) {
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "indices", &part));
      LATHE_ASSIGN_OR_RETURN(sparse.indices, Read(part));
    } else if (field.number == onnx_fields::sparse_tensor::kDims) {
      LATHE_RETURN_IF_ERROR(ReadInts(field, "dims", &sparse.dims));
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  if (!sparse.values) return InvalidInput("sparse tensor has no values");
  LATHE_RETURN_IF_ERROR(ir::CheckedElementCount(sparse.dims).status());
  return sparse;
}

}  // namespace lathe::frontends
