// A cursor over the bytes of pickles. Every length is checked against the bytes that are left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lathe/support/status.h"

namespace lathe::frontends::internal {

class PickleBytes {
 public:
  explicit PickleBytes(std::span<const std::byte> bytes)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  size_t position() const { return position_; }
  // What is left.
  std::string_view rest() const { return text_.substr(position_); }

  // A little-endian number of `width` bytes, at most 8.
  StatusOr<uint64_t> Number(size_t width);
  StatusOr<std::string_view> Text(uint64_t size);
  // Up to the next line feed, which is taken as well.
  StatusOr<std::string_view> Line();

 private:
  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace lathe::frontends::internal
