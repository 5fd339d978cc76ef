// A read-only mapped file, shared by everything that refers to a range of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lathe/support/status.h"

namespace lathe {

class MappedFile {
 public:
  // Maps the whole file. Costs no memory beyond the pages that are touched. Errors: missing,
  // unreadable, not a regular file.
  static StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // The bytes [offset, offset + size). Asks the system for the file's present length first: a file
  // that was shortened since it was opened is an error here instead of a signal at the access.
  StatusOr<std::span<const std::byte>> Range(uint64_t offset, uint64_t size) const;

 private:
  MappedFile(std::string path, int descriptor, const std::byte* data, uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), data_(data), size_(size) {}

  std::string path_;
  int descriptor_;
  const std::byte* data_;
  uint64_t size_;
};

}  // namespace lathe
