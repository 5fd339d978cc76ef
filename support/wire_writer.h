// Protobuf's wire format, written: a message is built from the inside out as a list of pieces, so
// that large payloads are referred to instead of copied and lengths are known before anything is
// written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

class WireMessage {
 public:
  // Bytes that follow each other in the message: `text`, then `payload`, which `owner` keeps alive.
  struct Piece {
    std::string text;
    std::span<const std::byte> payload;
    std::shared_ptr<const void> owner;
  };

  // Each appends one field. O(bytes copied).
  void AddInt(uint32_t number, int64_t value);
  void AddFloat(uint32_t number, float value);
  void AddBytes(uint32_t number, std::string_view bytes);
  void AddMessage(uint32_t number, WireMessage message);
  // Refers to `payload` where copying would cost more.
  void AddPayload(uint32_t number, std::span<const std::byte> payload,
                  std::shared_ptr<const void> owner);

  uint64_t size() const { return size_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  // All pieces in one string. O(size).
  std::string Join() const;

  static void AppendVarint(uint64_t value, std::string* text);

 private:
  void AddTag(uint32_t number, uint32_t wire_type);
  void AddVarint(uint64_t value);
  void Append(std::string_view text);
  // The text at the end of the message.
  std::string& Tail();

  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace lathe
