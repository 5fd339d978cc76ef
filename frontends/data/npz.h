// NumPy's .npz files: zip archives of .npy files, stored or deflated, zip64 included.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/frontends/data/npy.h"

namespace lathe::frontends {

class NpzFile {
 public:
  struct Entry {
    // The array's name: the file's without ".npy".
    std::string name;
    NpyHeader header;
    // Of the entry's data in the archive.
    uint64_t offset = 0;
    uint64_t compressed_size = 0;
    uint64_t size = 0;
    uint32_t crc = 0;
    bool deflated = false;
  };

  // Reads the archive's directory and the headers of its arrays. Errors carry the file and name the
  // array: not a zip file, damaged, encrypted, another compression, a name twice, an array that
  // ReadNpy would refuse. Cost: the directory and the first bytes of each array.
  static StatusOr<NpzFile> Open(const std::string& path);

  // In the archive's order.
  const std::vector<Entry>& entries() const { return entries_; }
  // Null when there is none of that name.
  const Entry* Find(std::string_view name) const;

  // The array. A stored one stays in the file, a deflated one is unpacked into memory. The check
  // sum is verified: O(bytes).
  StatusOr<ir::Tensor> Read(const Entry& entry) const;

 private:
  explicit NpzFile(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}
  Status ReadDirectory();
  Status ReadHeader(Entry& entry) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<Entry> entries_;
};

}  // namespace lathe::frontends
