#include "lathe/frontends/checkpoint/internal/pickle_bytes.h"

namespace lathe::frontends::internal {

StatusOr<uint64_t> PickleBytes::Number(size_t width) {
  LATHE_ASSIGN_OR_RETURN(const std::string_view bytes, Text(width));
  uint64_t number = 0;
  for (size_t i = 0; i < width; ++i) {
    number |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return number;
}

StatusOr<std::string_view> PickleBytes::Text(uint64_t size) {
  if (size > rest().size()) {
    return InvalidInput("the pickle is cut short: {} bytes claimed, {} are left", size,
                        rest().size());
  }
  const std::string_view text = rest().substr(0, size);
  position_ += size;
  return text;
}

StatusOr<std::string_view> PickleBytes::Line() {
  const size_t end = rest().find('\n');
  if (end == std::string_view::npos) {
    return InvalidInput("the pickle is cut short: a line without an end");
  }
  const std::string_view line = rest().substr(0, end);
  position_ += end + 1;
  return line;
}

}  // namespace lathe::frontends::internal
