// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/support/status.h"

namespace lathe {

// The files of one result. Each is written beside its place under a temporary name; Commit puts all
// of them in place. Until then, and when anything fails, what stood there before stays. The
// destructor removes temporaries.
class AtomicFileSet {
 public:
  class File {
   public:
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // Errors: the system refuses, for instance because the disk is full.
    Status Append(std::span<const std::byte> bytes);
    Status Append(std::string_view text);
    uint64_t size() const { return size_; }
    const std::string& path() const { return path_; }

   private:
    friend class AtomicFileSet;
    File(std::string path, std::string temporary, int descriptor)
        : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
    Status Write(const std::byte* bytes, size_t size);
    Status Flush();
    Status Close();

    std::string path_;
    std::string temporary_;
    // What stood at `path_` before Commit, under another name; empty when nothing did.
    std::string backup_;
    int descriptor_;
    uint64_t size_ = 0;
    std::string buffer_;
  };

  AtomicFileSet() = default;
  ~AtomicFileSet();
  AtomicFileSet(const AtomicFileSet&) = delete;
  AtomicFileSet& operator=(const AtomicFileSet&) = delete;

  // A file that shall stand at `path` (a symbolic link there is replaced), mode 0644 less the
  // umask. The pointer lives as long as the set. Errors: the folder does not exist or cannot be
  // written; `path` is a folder or was added before.
  StatusOr<File*> Add(const std::string& path);
  // Where what was appended to the file of `path` can be read until Commit; nothing when there is
  // no such file. Errors: the system refuses to write what was still buffered.
  StatusOr<std::optional<std::string>> Staged(const std::string& path);
  // Puts all files in place. When one cannot be, those before it are taken back. Call once.
  Status Commit();

 private:
  Status PutInPlace(File& file);
  void TakeBack(File& file);

  std::vector<std::unique_ptr<File>> files_;
};

// One file: Add, Append, Commit.
Status WriteFileAtomically(const std::string& path, std::string_view text);

}  // namespace lathe
