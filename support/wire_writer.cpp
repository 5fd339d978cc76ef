#include "lathe/support/wire_writer.h"

#include <bit>

namespace lathe {
namespace {

// Below this a payload is copied and a child's text is joined to its parent's: a piece of its own
// would cost as much.
constexpr size_t kSmall = 4096;

constexpr uint32_t kVarint = 0;
constexpr uint32_t kBytes = 2;
constexpr uint32_t kFixed32 = 5;

}  // namespace

void WireMessage::AppendVarint(uint64_t value, std::string* text) {
  while (value >= 0x80) {
    text->push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  text->push_back(static_cast<char>(value));
}

std::string& WireMessage::Tail() {
  if (pieces_.empty() || !pieces_.back().payload.empty()) pieces_.emplace_back();
  return pieces_.back().text;
}

void WireMessage::Append(std::string_view text) {
  Tail().append(text);
  size_ += text.size();
}

void WireMessage::AddVarint(uint64_t value) {
  std::string& tail = Tail();
  const size_t before = tail.size();
  AppendVarint(value, &tail);
  size_ += tail.size() - before;
}

void WireMessage::AddTag(uint32_t number, uint32_t wire_type) {
  AddVarint(static_cast<uint64_t>(number) << 3 | wire_type);
}

void WireMessage::AddInt(uint32_t number, int64_t value) {
  AddTag(number, kVarint);
  AddVarint(static_cast<uint64_t>(value));
}

void WireMessage::AddFloat(uint32_t number, float value) {
  AddTag(number, kFixed32);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) Tail().push_back(static_cast<char>(bits >> shift));
  size_ += sizeof(bits);
}

void WireMessage::AddBytes(uint32_t number, std::string_view bytes) {
  AddTag(number, kBytes);
  AddVarint(bytes.size());
  Append(bytes);
}

void WireMessage::AddMessage(uint32_t number, WireMessage message) {
  AddTag(number, kBytes);
  AddVarint(message.size());
  for (Piece& piece : message.pieces_) {
    if (piece.text.size() < kSmall) {
      Tail().append(piece.text);
    } else {
      pieces_.push_back({std::move(piece.text), {}, nullptr});
    }
    pieces_.back().payload = piece.payload;
    pieces_.back().owner = std::move(piece.owner);
  }
  size_ += message.size();
}

void WireMessage::AddPayload(uint32_t number, std::span<const std::byte> payload,
                             std::shared_ptr<const void> owner) {
  if (payload.size() < kSmall) {
    AddBytes(number, {reinterpret_cast<const char*>(payload.data()), payload.size()});
    return;
  }
  AddTag(number, kBytes);
  AddVarint(payload.size());
  Piece& piece = pieces_.back();
  piece.payload = payload;
  piece.owner = std::move(owner);
  size_ += payload.size();
}

std::string WireMessage::Join() const {
  std::string result;
  result.reserve(static_cast<size_t>(size_));
  for (const Piece& piece : pieces_) {
    result += piece.text;
    result.append(reinterpret_cast<const char*>(piece.payload.data()), piece.payload.size());
  }
  return result;
}

}  // namespace lathe
