#include "lathe/frontends/data/internal/inflate.h"

#include <algorithm>
#include <zlib.h>

namespace lathe::frontends::internal {
namespace {

// zlib counts in 32 bits.
constexpr size_t kStep = 1 << 30;

}  // namespace

StatusOr<size_t> Inflate(std::span<const std::byte> packed, std::span<std::byte> out,
                         bool prefix_only) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return InternalError("zlib did not start");
  size_t made = 0, taken = 0;
  int result = Z_OK;
  while (result == Z_OK && made <= out.size()) {
    const size_t give = std::min(kStep, packed.size() - taken);
    // One byte more than there should be shows a stream that is too long.
    std::byte spare;
    const bool full = made == out.size();
    if (full && prefix_only) break;
    const size_t room = full ? 1 : std::min(kStep, out.size() - made);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(full ? &spare : out.data() + made);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    taken += give - stream.avail_in;
    made += room - stream.avail_out;
  }
  inflateEnd(&stream);
  if (made > out.size()) return InvalidInput("it unpacks to more bytes than the directory says");
  if (result != Z_OK && result != Z_STREAM_END) return InvalidInput("its deflate data is damaged");
  if (!prefix_only && (result != Z_STREAM_END || made != out.size())) {
    return InvalidInput("it unpacks to {} bytes, the directory says {}", made, out.size());
  }
  return made;
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  uLong crc = crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kStep));
    crc = crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    bytes = bytes.subspan(piece.size());
  }
  return static_cast<uint32_t>(crc);
}

}  // namespace lathe::frontends::internal
