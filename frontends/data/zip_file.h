// Zip archives: stored and deflated entries, zip64 included. .npz files and PyTorch's checkpoints
// are such archives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

class ZipFile {
 public:
  struct Entry {
    std::string name;
    // Of the entry's data in the archive.
    uint64_t offset = 0;
    uint64_t packed_size = 0;
    // Of the data unpacked; a stored entry's two sizes are equal.
    uint64_t size = 0;
    uint32_t crc = 0;
    bool deflated = false;
  };

  // Reads the archive's directory. Errors name the entry: not a zip archive, damaged, encrypted,
  // another compression, a name twice, data outside the file, entries whose data overlap, a size
  // that deflate cannot reach. O(directory), plus sorting it.
  static StatusOr<ZipFile> Open(std::shared_ptr<const MappedFile> file);

  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  // In the directory's order.
  const std::vector<Entry>& entries() const { return entries_; }
  // Null when there is none of that name. Linear in the number of entries.
  const Entry* Find(std::string_view name) const;

  // The data as it stands in the file.
  StatusOr<std::span<const std::byte>> PackedBytes(const Entry& entry) const;
  // The first bytes of a deflated entry: at most `limit`.
  StatusOr<std::vector<std::byte>> UnpackedFront(const Entry& entry, uint64_t limit) const;
  // A deflated entry unpacked, and its check sum verified: O(size).
  StatusOr<std::vector<std::byte>> Unpacked(const Entry& entry) const;
  // Verifies the check sum of a stored entry: O(size).
  Status CheckStored(const Entry& entry) const;

 private:
  explicit ZipFile(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}
  Status ReadDirectory();

  std::shared_ptr<const MappedFile> file_;
  std::vector<Entry> entries_;
};

}  // namespace lathe::frontends
