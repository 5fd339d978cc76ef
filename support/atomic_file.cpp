#include "lathe/support/atomic_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

namespace lathe {
namespace {

constexpr size_t kBufferSize = 1 << 18;

Status Fail(const std::string& path, std::string_view what) {
  return WithContext(IoError("{}: {}", what, std::strerror(errno)), ErrorContext::kFile, path);
}

// A name beside `path` that no other thread or process uses.
std::string NameBeside(const std::string& path) {
  static std::atomic<uint64_t> counter = 0;
  const size_t slash = path.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.lathe-{}-{}", path.substr(0, name), ::getpid(), counter++);
}

}  // namespace

AtomicFileSet::File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status AtomicFileSet::File::Write(const std::byte* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, bytes, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return Fail(path_, "cannot write");
    }
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return OkStatus();
}

Status AtomicFileSet::File::Flush() {
  LATHE_RETURN_IF_ERROR(Write(reinterpret_cast<const std::byte*>(buffer_.data()), buffer_.size()));
  buffer_.clear();
  return OkStatus();
}

Status AtomicFileSet::File::Append(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferSize) LATHE_RETURN_IF_ERROR(Flush());
  if (bytes.size() > kBufferSize) return Write(bytes.data(), bytes.size());
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return OkStatus();
}

Status AtomicFileSet::File::Append(std::string_view text) {
  return Append(std::as_bytes(std::span(text.data(), text.size())));
}

Status AtomicFileSet::File::Close() {
  LATHE_RETURN_IF_ERROR(Flush());
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) return Fail(path_, "cannot write");
  return OkStatus();
}

AtomicFileSet::~AtomicFileSet() {
  for (const auto& file : files_) {
    if (!file->temporary_.empty()) ::unlink(file->temporary_.c_str());
  }
}

StatusOr<AtomicFileSet::File*> AtomicFileSet::Add(const std::string& path) {
  const auto same = [&](const auto& file) { return file->path() == path; };
  if (std::ranges::any_of(files_, same)) {
    return WithContext(InvalidInput("would be written twice"), ErrorContext::kFile, path);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return Fail(path, "cannot write");
  }
  std::string temporary = NameBeside(path);
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return Fail(path, "cannot create");
  files_.push_back(std::unique_ptr<File>(new File(path, std::move(temporary), descriptor)));
  return files_.back().get();
}

StatusOr<std::optional<std::string>> AtomicFileSet::Staged(const std::string& path) {
  const auto file =
      std::ranges::find_if(files_, [&](const auto& each) { return each->path() == path; });
  if (file == files_.end()) return std::optional<std::string>();
  LATHE_RETURN_IF_ERROR((*file)->Flush());
  return std::optional((*file)->temporary_);
}

Status AtomicFileSet::PutInPlace(File& file) {
  struct stat info {};
  if (::lstat(file.path_.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return Fail(file.path_, "cannot replace");
  }
  // A hard link keeps the old file in its place until the new one replaces it; file systems without
  // hard links get a rename.
  std::string backup = NameBeside(file.path_);
  if (::link(file.path_.c_str(), backup.c_str()) == 0 ||
      (errno != ENOENT && std::rename(file.path_.c_str(), backup.c_str()) == 0)) {
    file.backup_ = std::move(backup);
  } else if (errno != ENOENT) {
    return Fail(file.path_, "cannot replace");
  }
  if (std::rename(file.temporary_.c_str(), file.path_.c_str()) != 0) {
    Status status = Fail(file.path_, "cannot replace");
    if (!file.backup_.empty()) std::rename(file.backup_.c_str(), file.path_.c_str());
    // Where the backup is a hard link on the file itself, rename leaves both names.
    if (!file.backup_.empty()) ::unlink(file.backup_.c_str());
    return status;
  }
  file.temporary_.clear();
  return OkStatus();
}

void AtomicFileSet::TakeBack(File& file) {
  if (file.backup_.empty()) {
    ::unlink(file.path_.c_str());
  } else {
    std::rename(file.backup_.c_str(), file.path_.c_str());
  }
}

Status AtomicFileSet::Commit() {
  for (const auto& file : files_) LATHE_RETURN_IF_ERROR(file->Close());
  for (size_t i = 0; i < files_.size(); ++i) {
    if (Status status = PutInPlace(*files_[i]); !status.ok()) {
      while (i > 0) TakeBack(*files_[--i]);
      return status;
    }
  }
  for (const auto& file : files_) {
    if (!file->backup_.empty()) ::unlink(file->backup_.c_str());
  }
  return OkStatus();
}

Status WriteFileAtomically(const std::string& path, std::string_view text) {
  AtomicFileSet files;
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File* const file, files.Add(path));
  LATHE_RETURN_IF_ERROR(file->Append(text));
  return files.Commit();
}

}  // namespace lathe
