// NumPy's .npz files: zip archives of .npy files, stored or deflated, zip64 included.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/data/zip_file.h"

namespace lathe::frontends {

class NpzFile {
 public:
  struct Entry {
    // The array's name: the file's without ".npy".
    std::string name;
    NpyHeader header;
    ZipFile::Entry file;
  };

  // Reads the archive's directory and the headers of its arrays. Errors carry the file and name the
  // array: not a zip file, damaged, encrypted, another compression, a name twice, an array that
  // ReadNpy would refuse. Cost: the directory and the first bytes of each array.
  static StatusOr<NpzFile> Open(const std::string& path);
  static StatusOr<NpzFile> Open(std::shared_ptr<const MappedFile> file);

  // In the archive's order.
  const std::vector<Entry>& entries() const { return entries_; }
  // Null when there is none of that name.
  const Entry* Find(std::string_view name) const;

  // Whether the check sum of a stored array is verified, which reads all of it. Those of deflated
  // arrays always are.
  enum class Stored { kVerify, kTrust };

  // The array. A stored one stays in the file, a deflated one is unpacked into memory: O(bytes) for
  // what is verified, else O(header).
  StatusOr<ir::Tensor> Read(const Entry& entry, Stored stored = Stored::kVerify) const;

 private:
  explicit NpzFile(ZipFile zip) : zip_(std::move(zip)) {}
  Status ReadHeaders();
  Status ReadHeader(Entry& entry) const;

  ZipFile zip_;
  std::vector<Entry> entries_;
};

}  // namespace lathe::frontends
