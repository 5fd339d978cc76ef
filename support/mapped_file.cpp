#include "lathe/support/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "lathe/support/mapped_pages.h"

namespace lathe {

StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const auto fail = [&](std::string_view what) {
    return WithContext(IoError("{}", what), ErrorContext::kFile, path);
  };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail(fmt::format("cannot open: {}", std::strerror(errno)));
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return fail("is not a regular file");
  }
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  const void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
      const std::string reason = std::strerror(errno);
      ::close(descriptor);
      return fail(fmt::format("cannot map: {}", reason));
    }
  }
  if (data != nullptr) AddMapping(static_cast<const std::byte*>(data), size);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, descriptor, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    RemoveMapping(data_);
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
  ::close(descriptor_);
}

StatusOr<std::span<const std::byte>> MappedFile::Range(uint64_t offset, uint64_t size) const {
  if (offset > size_ || size > size_ - offset) {
    return WithContext(InvalidInput("bytes {} to {} lie outside the file of {} bytes", offset,
                                    offset + size, size_),
                       ErrorContext::kFile, path_);
  }
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || static_cast<uint64_t>(info.st_size) < offset + size) {
    return WithContext(IoError("the file was shortened while it was in use"), ErrorContext::kFile,
                       path_);
  }
  return std::span<const std::byte>(data_ + offset, size);
}

}  // namespace lathe
