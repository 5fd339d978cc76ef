#include "lathe/support/wire_reader.h"

#include <bit>
#include <cstring>

namespace lathe {
namespace {

constexpr size_t kLongestVarint = 10;

std::string_view WireTypeName(WireType type) {
  switch (type) {
    case WireType::kVarint:
      return "a varint";
    case WireType::kFixed64:
      return "8 bytes";
    case WireType::kBytes:
      return "bytes with a length";
    case WireType::kFixed32:
      return "4 bytes";
  }
  return "unknown";
}

Status WrongType(const WireField& field, std::string_view name) {
  return InvalidInput("field '{}' is stored as {}, which it never is", name,
                      WireTypeName(field.type));
}

template <typename T>
T Load(const std::byte* bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

}  // namespace

bool WireReader::TakeVarint(std::span<const std::byte>* bytes, uint64_t* value) {
  uint64_t result = 0;
  const size_t end = std::min(bytes->size(), kLongestVarint);
  for (size_t i = 0; i < end; ++i) {
    const auto byte = static_cast<uint64_t>((*bytes)[i]);
    result |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      *value = result;
      *bytes = bytes->subspan(i + 1);
      return true;
    }
  }
  return false;
}

bool WireReader::Fail(Status status) {
  status_ = std::move(status);
  return false;
}

bool WireReader::Next(WireField* field) {
  if (rest_.empty() || !status_.ok()) return false;
  uint64_t tag = 0;
  if (!TakeVarint(&rest_, &tag)) return Fail(InvalidInput("a field's number is damaged"));
  const uint64_t number = tag >> 3;
  if (number == 0 || number > 0x1fffffff) {
    return Fail(InvalidInput("field number {} is out of range", number));
  }
  field->number = static_cast<uint32_t>(number);
  field->type = static_cast<WireType>(tag & 7);
  field->bytes = {};
  field->value = 0;
  switch (field->type) {
    case WireType::kVarint:
      if (!TakeVarint(&rest_, &field->value)) {
        return Fail(InvalidInput("the number in field {} is cut off or too long", number));
      }
      return true;
    case WireType::kFixed64:
      if (rest_.size() < 8) return Fail(InvalidInput("field {} is cut off", number));
      field->value = Load<uint64_t>(rest_.data());
      rest_ = rest_.subspan(8);
      return true;
    case WireType::kFixed32:
      if (rest_.size() < 4) return Fail(InvalidInput("field {} is cut off", number));
      field->value = Load<uint32_t>(rest_.data());
      rest_ = rest_.subspan(4);
      return true;
    case WireType::kBytes: {
      uint64_t length = 0;
      if (!TakeVarint(&rest_, &length)) {
        return Fail(InvalidInput("the length of field {} is cut off or too long", number));
      }
      if (length > rest_.size()) {
        return Fail(InvalidInput("field {} claims {} bytes, only {} are left", number, length,
                                 rest_.size()));
      }
      field->bytes = rest_.first(static_cast<size_t>(length));
      rest_ = rest_.subspan(static_cast<size_t>(length));
      return true;
    }
  }
  return Fail(InvalidInput("field {} has wire type {}, which is not in use", number, tag & 7));
}

Status ReadText(const WireField& field, std::string_view name, std::string_view* value) {
  if (field.type != WireType::kBytes) return WrongType(field, name);
  *value = {reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()};
  return OkStatus();
}

Status ReadMessage(const WireField& field, std::string_view name,
                   std::span<const std::byte>* value) {
  if (field.type != WireType::kBytes) return WrongType(field, name);
  *value = field.bytes;
  return OkStatus();
}

Status ReadInt(const WireField& field, std::string_view name, int64_t* value) {
  if (field.type != WireType::kVarint) return WrongType(field, name);
  *value = static_cast<int64_t>(field.value);
  return OkStatus();
}

Status ReadFloat(const WireField& field, std::string_view name, float* value) {
  if (field.type != WireType::kFixed32) return WrongType(field, name);
  *value = std::bit_cast<float>(static_cast<uint32_t>(field.value));
  return OkStatus();
}

Status ReadInts(const WireField& field, std::string_view name, std::vector<int64_t>* values) {
  if (field.type == WireType::kVarint) {
    values->push_back(static_cast<int64_t>(field.value));
    return OkStatus();
  }
  if (field.type != WireType::kBytes) return WrongType(field, name);
  std::span<const std::byte> rest = field.bytes;
  while (!rest.empty()) {
    uint64_t value = 0;
    if (!WireReader::TakeVarint(&rest, &value)) {
      return InvalidInput("a number of '{}' is cut off or too long", name);
    }
    values->push_back(static_cast<int64_t>(value));
  }
  return OkStatus();
}

Status ReadFloats(const WireField& field, std::string_view name, std::vector<float>* values) {
  if (field.type == WireType::kFixed32) {
    values->push_back(std::bit_cast<float>(static_cast<uint32_t>(field.value)));
    return OkStatus();
  }
  if (field.type != WireType::kBytes) return WrongType(field, name);
  if (field.bytes.size() % sizeof(float) != 0) {
    return InvalidInput("'{}' has {} bytes, not a multiple of 4", name, field.bytes.size());
  }
  for (size_t i = 0; i < field.bytes.size(); i += sizeof(float)) {
    values->push_back(Load<float>(field.bytes.data() + i));
  }
  return OkStatus();
}

}  // namespace lathe
