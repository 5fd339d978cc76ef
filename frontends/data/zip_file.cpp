#include "lathe/frontends/data/zip_file.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "lathe/frontends/data/internal/inflate.h"
#include "lathe/support/quoted.h"

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
  if (file.size() < kEndSize) return InvalidInput("not a zip archive: too short");
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
  return InvalidInput("not a zip archive: no zip directory at its end");
}

// Takes the numbers that did not fit from the zip64 extra field, which gives them in this order.
Status ReadZip64(Bytes extra, ZipFile::Entry& entry, uint64_t& local) {
  while (extra.size() >= 4) {
    const size_t size = U16(extra, 2);
    if (size > extra.size() - 4) break;
    if (U16(extra, 0) == kZip64Extra) {
      Bytes numbers = extra.subspan(4, size);
      for (uint64_t* number : {&entry.size, &entry.packed_size, &local}) {
        if (*number != 0xffffffff) continue;
        if (numbers.size() < 8) {
          return InvalidInput("{}: its zip64 field is cut short", Quoted(entry.name));
        }
        *number = U64(numbers, 0);
        numbers = numbers.subspan(8);
      }
    }
    extra = extra.subspan(4 + size);
  }
  return OkStatus();
}

// The directory entry at the front of `rest`, taken off; `local` is where the entry itself begins.
StatusOr<ZipFile::Entry> TakeEntry(Bytes& rest, uint64_t number, uint64_t& local) {
  if (rest.size() < kCentralSize || U32(rest, 0) != kCentralHeader) {
    return InvalidInput("entry {} of the zip directory is damaged", number);
  }
  const size_t name_size = U16(rest, 28), extra_size = U16(rest, 30), note_size = U16(rest, 32);
  if (rest.size() < kCentralSize + name_size + extra_size + note_size) {
    return InvalidInput("entry {} of the zip directory is cut short", number);
  }
  ZipFile::Entry entry;
  entry.name.assign(reinterpret_cast<const char*>(rest.data()) + kCentralSize, name_size);
  const uint16_t flags = U16(rest, 8), method = U16(rest, 10);
  if (flags & kEncrypted) return Unsupported("{} is encrypted", Quoted(entry.name));
  if (method != kStored && method != kDeflated) {
    return Unsupported("{} is compressed by method {} (known: stored, deflate)", Quoted(entry.name),
                       method);
  }
  entry.deflated = method == kDeflated;
  entry.crc = U32(rest, 16);
  entry.packed_size = U32(rest, 20);
  entry.size = U32(rest, 24);
  local = U32(rest, 42);
  LATHE_RETURN_IF_ERROR(
      ReadZip64(rest.subspan(kCentralSize + name_size, extra_size), entry, local));
  rest = rest.subspan(kCentralSize + name_size + extra_size + note_size);
  return entry;
}

// Finds the entry's data behind its own header.
Status Locate(Bytes file, uint64_t local, ZipFile::Entry& entry) {
  if (local > file.size() || file.size() - local < kLocalSize || U32(file, local) != kLocalHeader) {
    return InvalidInput("{}: its zip header is damaged", Quoted(entry.name));
  }
  // The header's own name and extra field come before the data.
  entry.offset = local + kLocalSize + U16(file, local + 26) + U16(file, local + 28);
  if (entry.offset > file.size() || entry.packed_size > file.size() - entry.offset) {
    return InvalidInput("{}: its data lies outside the file", Quoted(entry.name));
  }
  if (entry.deflated ? entry.size / kTightestDeflate > entry.packed_size
                     : entry.size != entry.packed_size) {
    return InvalidInput("{}: {} bytes cannot unpack to {}", Quoted(entry.name), entry.packed_size,
                        entry.size);
  }
  return OkStatus();
}

// Entries that share bytes are how a small archive claims to hold much.
struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
  size_t entry = 0;
};
Status CheckDisjoint(std::vector<Extent> extents, const std::vector<ZipFile::Entry>& entries) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      return InvalidInput("{} and {} overlap in the zip archive",
                          Quoted(entries[extents[i - 1].entry].name),
                          Quoted(entries[extents[i].entry].name));
    }
  }
  return OkStatus();
}

}  // namespace

StatusOr<ZipFile> ZipFile::Open(std::shared_ptr<const MappedFile> file) {
  ZipFile zip(std::move(file));
  LATHE_RETURN_IF_ERROR(zip.ReadDirectory());
  return zip;
}

Status ZipFile::ReadDirectory() {
  LATHE_ASSIGN_OR_RETURN(const Bytes file, file_->Range(0, file_->size()));
  LATHE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  Bytes rest = file.subspan(directory.offset, directory.size);
  std::vector<Extent> extents;
  for (uint64_t i = 0; i < directory.count; ++i) {
    uint64_t local = 0;
    LATHE_ASSIGN_OR_RETURN(Entry entry, TakeEntry(rest, i, local));
    LATHE_RETURN_IF_ERROR(Locate(file, local, entry));
    extents.push_back({local, entry.offset + entry.packed_size, entries_.size()});
    entries_.push_back(std::move(entry));
  }
  absl::flat_hash_set<std::string_view> names;
  for (const Entry& entry : entries_) {
    if (!names.insert(entry.name).second) {
      return InvalidInput("{} is there twice in the zip archive", Quoted(entry.name));
    }
  }
  return CheckDisjoint(std::move(extents), entries_);
}

const ZipFile::Entry* ZipFile::Find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

StatusOr<Bytes> ZipFile::PackedBytes(const Entry& entry) const {
  return file_->Range(entry.offset, entry.packed_size);
}

StatusOr<std::vector<std::byte>> ZipFile::UnpackedFront(const Entry& entry, uint64_t limit) const {
  LATHE_ASSIGN_OR_RETURN(const Bytes packed, PackedBytes(entry));
  std::vector<std::byte> front(std::min(entry.size, limit));
  LATHE_ASSIGN_OR_RETURN(const size_t made, internal::Inflate(packed, front, true));
  front.resize(made);
  return front;
}

StatusOr<std::vector<std::byte>> ZipFile::Unpacked(const Entry& entry) const {
  LATHE_ASSIGN_OR_RETURN(const Bytes packed, PackedBytes(entry));
  std::vector<std::byte> bytes(entry.size);
  LATHE_RETURN_IF_ERROR(internal::Inflate(packed, bytes, false).status());
  if (internal::Crc32(bytes) != entry.crc) return InvalidInput("its check sum is wrong");
  return bytes;
}

Status ZipFile::CheckStored(const Entry& entry) const {
  LATHE_ASSIGN_OR_RETURN(const Bytes bytes, PackedBytes(entry));
  if (internal::Crc32(bytes) != entry.crc) return InvalidInput("its check sum is wrong");
  return OkStatus();
}

}  // namespace lathe::frontends
