#include "lathe/frontends/data/npz.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <utility>
#include <zlib.h>

namespace lathe::frontends {
namespace {

using Bytes = std::span<const std::byte>;

// Signatures and sizes of the fixed parts, from the zip format's description.
constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56,
                 kLocatorSize = 20;
constexpr uint16_t kEncrypted = 1, kStored = 0, kDeflated = 8, kZip64Extra = 1;
// Deflate never packs tighter than 1032 to 1; a larger claim is a lie that would cost memory.
constexpr uint64_t kTightestDeflate = 1032;

uint64_t LittleEndian(Bytes bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= static_cast<uint64_t>(bytes[at + i]) << (8 * i);
  return value;
}
uint16_t U16(Bytes bytes, size_t at) { return static_cast<uint16_t>(LittleEndian(bytes, at, 2)); }
uint32_t U32(Bytes bytes, size_t at) { return static_cast<uint32_t>(LittleEndian(bytes, at, 4)); }
uint64_t U64(Bytes bytes, size_t at) { return LittleEndian(bytes, at, 8); }

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t count = 0;
};

// Finds the end record, which a comment of up to 64 KB may follow.
StatusOr<Directory> FindDirectory(Bytes file) {
  if (file.size() < kEndSize) return InvalidInput("not an .npz file: too short for a zip archive");
  const size_t last = file.size() - kEndSize;
  const size_t first = last > 0xffff ? last - 0xffff : 0;
  for (size_t at = last + 1; at-- > first;) {
    if (U32(file, at) != kEnd || U16(file, at + 20) != file.size() - at - kEndSize) continue;
    Directory directory{U32(file, at + 16), U32(file, at + 12), U16(file, at + 10)};
    if (at >= kLocatorSize && U32(file, at - kLocatorSize) == kEnd64Locator) {
      const uint64_t end64 = U64(file, at - kLocatorSize + 8);
      if (at < kEnd64Size || end64 > at - kEnd64Size || U32(file, end64) != kEnd64) {
        return InvalidInput("the zip64 end record is damaged");
      }
      directory = {U64(file, end64 + 48), U64(file, end64 + 40), U64(file, end64 + 32)};
    }
    if (directory.offset > at || directory.size > at - directory.offset) {
      return InvalidInput("the zip directory lies outside the file");
    }
    return directory;
  }
  return InvalidInput("not an .npz file: no zip directory at its end");
}

// Unpacks into `out`; stops quietly when `out` is full and `prefix_only`. Returns the bytes made.
StatusOr<size_t> Inflate(Bytes packed, std::span<std::byte> out, bool prefix_only) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return InternalError("zlib did not start");
  size_t made = 0, taken = 0;
  int result = Z_OK;
  // zlib counts in 32 bits.
  constexpr size_t kStep = 1 << 30;
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

uint32_t Crc(Bytes bytes) {
  uLong crc = crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min<size_t>(bytes.size(), 1 << 30));
    crc = crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    bytes = bytes.subspan(piece.size());
  }
  return static_cast<uint32_t>(crc);
}

Status AboutArray(const Status& status, std::string_view name) {
  if (status.ok()) return status;
  return Status(status.code(),
                fmt::format("array '{}': {}", name,
                            std::string_view(status.message().data(), status.message().size())));
}

}  // namespace

StatusOr<NpzFile> NpzFile::Open(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  NpzFile npz(std::move(file));
  if (Status status = npz.ReadDirectory(); !status.ok()) {
    return WithContext(std::move(status), ErrorContext::kFile, path);
  }
  return npz;
}

Status NpzFile::ReadDirectory() {
  LATHE_ASSIGN_OR_RETURN(const Bytes file, file_->Range(0, file_->size()));
  LATHE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  Bytes rest = file.subspan(directory.offset, directory.size);
  std::set<std::string, std::less<>> names;
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (rest.size() < kCentralSize || U32(rest, 0) != kCentralHeader) {
      return InvalidInput("entry {} of the zip directory is damaged", i);
    }
    const size_t name_size = U16(rest, 28), extra_size = U16(rest, 30), note_size = U16(rest, 32);
    if (rest.size() < kCentralSize + name_size + extra_size + note_size) {
      return InvalidInput("entry {} of the zip directory is cut short", i);
    }
    Entry entry;
    entry.name.assign(reinterpret_cast<const char*>(rest.data()) + kCentralSize, name_size);
    const std::string file_name = entry.name;
    if (!entry.name.ends_with(".npy")) {
      return InvalidInput("'{}' is not an .npy file; an .npz holds nothing else", file_name);
    }
    entry.name.resize(entry.name.size() - 4);
    if (!names.insert(entry.name).second) {
      return InvalidInput("array '{}' is there twice", entry.name);
    }
    const uint16_t flags = U16(rest, 8), method = U16(rest, 10);
    if (flags & kEncrypted) return Unsupported("array '{}' is encrypted", entry.name);
    if (method != kStored && method != kDeflated) {
      return Unsupported("array '{}' is compressed by method {} (known: stored, deflate)",
                         entry.name, method);
    }
    entry.deflated = method == kDeflated;
    entry.crc = U32(rest, 16);
    entry.compressed_size = U32(rest, 20);
    entry.size = U32(rest, 24);
    uint64_t local = U32(rest, 42);
    // Zip64: an extra field gives, in this order, the numbers that did not fit.
    Bytes extra = rest.subspan(kCentralSize + name_size, extra_size);
    while (extra.size() >= 4) {
      const size_t size = U16(extra, 2);
      if (size > extra.size() - 4) break;
      if (U16(extra, 0) == kZip64Extra) {
        Bytes numbers = extra.subspan(4, size);
        for (uint64_t* number : {&entry.size, &entry.compressed_size, &local}) {
          if (*number != 0xffffffff) continue;
          if (numbers.size() < 8) {
            return InvalidInput("array '{}': its zip64 field is cut short", entry.name);
          }
          *number = U64(numbers, 0);
          numbers = numbers.subspan(8);
        }
      }
      extra = extra.subspan(4 + size);
    }
    if (local > file.size() || file.size() - local < kLocalSize ||
        U32(file, local) != kLocalHeader) {
      return InvalidInput("array '{}': its zip header is damaged", entry.name);
    }
    // The local header's own name and extra field come before the data.
    entry.offset = local + kLocalSize + U16(file, local + 26) + U16(file, local + 28);
    if (entry.offset > file.size() || entry.compressed_size > file.size() - entry.offset) {
      return InvalidInput("array '{}': its data lies outside the file", entry.name);
    }
    if (entry.deflated ? entry.size / kTightestDeflate > entry.compressed_size
                       : entry.size != entry.compressed_size) {
      return InvalidInput("array '{}': {} bytes cannot unpack to {}", entry.name,
                          entry.compressed_size, entry.size);
    }
    LATHE_RETURN_IF_ERROR(AboutArray(ReadHeader(entry), entry.name));
    entries_.push_back(std::move(entry));
    rest = rest.subspan(kCentralSize + name_size + extra_size + note_size);
  }
  return OkStatus();
}

Status NpzFile::ReadHeader(Entry& entry) const {
  LATHE_ASSIGN_OR_RETURN(const Bytes packed, file_->Range(entry.offset, entry.compressed_size));
  const auto parse = [&](Bytes front) -> Status {
    LATHE_ASSIGN_OR_RETURN(entry.header, ParseNpyHeader(front));
    return OkStatus();
  };
  if (!entry.deflated) {
    LATHE_RETURN_IF_ERROR(parse(packed));
  } else {
    // NumPy pads headers to 64 bytes; a thousand bytes hold any ordinary one.
    Status status;
    for (const uint64_t size : {uint64_t{1} << 10, uint64_t{1} << 21}) {
      std::vector<std::byte> front(std::min(entry.size, size));
      LATHE_ASSIGN_OR_RETURN(const size_t made, Inflate(packed, front, true));
      status = parse(Bytes(front).first(made));
      if (status.ok()) break;
    }
    LATHE_RETURN_IF_ERROR(status);
  }
  const uint64_t have = entry.size - std::min(entry.size, entry.header.data_offset);
  if (entry.header.data_bytes > have) {
    return InvalidInput("it has {} bytes of elements, its header says {}", have,
                        entry.header.data_bytes);
  }
  return OkStatus();
}

const NpzFile::Entry* NpzFile::Find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

StatusOr<ir::Tensor> NpzFile::Read(const Entry& entry) const {
  const auto read = [&]() -> StatusOr<ir::Tensor> {
    LATHE_ASSIGN_OR_RETURN(const Bytes packed, file_->Range(entry.offset, entry.compressed_size));
    if (!entry.deflated) {
      if (Crc(packed) != entry.crc) return InvalidInput("its check sum is wrong");
      return ReadNpy(file_, entry.offset, entry.size);
    }
    const auto unpacked = std::make_shared<std::vector<std::byte>>(entry.size);
    LATHE_RETURN_IF_ERROR(Inflate(packed, *unpacked, false).status());
    if (Crc(*unpacked) != entry.crc) return InvalidInput("its check sum is wrong");
    return DecodeNpy(unpacked);
  };
  auto tensor = read();
  if (!tensor.ok()) {
    return WithContext(AboutArray(tensor.status(), entry.name), ErrorContext::kFile, file_->path());
  }
  return tensor;
}

}  // namespace lathe::frontends
