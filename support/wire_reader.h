// Protobuf's wire format, read in place: a cursor over the fields of one message. Nothing is copied
// and nothing is trusted; every length is checked against the bytes that are left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lathe/support/status.h"

namespace lathe {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5,
};

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  // Of varint and fixed fields.
  uint64_t value = 0;
  // Of kBytes: a part of the message.
  std::span<const std::byte> bytes;
};

class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message) : rest_(message) {}

  // Steps to the next field. False at the end of the message and at the first error; status() then
  // tells which.
  bool Next(WireField* field);
  const Status& status() const { return status_; }

  // A varint at the front of `bytes`, taken off. False if it is cut off or longer than 10 bytes.
  static bool TakeVarint(std::span<const std::byte>* bytes, uint64_t* value);

 private:
  bool Fail(Status status);

  std::span<const std::byte> rest_;
  Status status_;
};

// The value of a field, whose `name` is for messages. Errors: the field has another wire type.
Status ReadText(const WireField& field, std::string_view name, std::string_view* value);
Status ReadMessage(const WireField& field, std::string_view name,
                   std::span<const std::byte>* value);
Status ReadInt(const WireField& field, std::string_view name, int64_t* value);
Status ReadFloat(const WireField& field, std::string_view name, float* value);
// One occurrence of a repeated field, packed or not, is appended.
Status ReadInts(const WireField& field, std::string_view name, std::vector<int64_t>* values);
Status ReadFloats(const WireField& field, std::string_view name, std::vector<float>* values);

}  // namespace lathe
