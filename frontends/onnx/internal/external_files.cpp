#include "lathe/frontends/onnx/internal/external_files.h"

#include <algorithm>
#include <filesystem>

namespace lathe::frontends {

namespace fs = std::filesystem;

StatusOr<std::shared_ptr<const MappedFile>> ExternalFiles::Open(std::string_view location) {
  if (const auto it = files_.find(location); it != files_.end()) return it->second;
  if (const auto it = elsewhere_.find(location); it != elsewhere_.end()) {
    LATHE_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> opened, MappedFile::Open(it->second));
    return files_.emplace(location, std::move(opened)).first->second;
  }
  if (location.empty()) return InvalidInput("external data has no location");
  if (location.find('\0') != std::string_view::npos) {
    return InvalidInput("external data location contains a zero byte");
  }
  if (folder_.empty()) {
    return InvalidInput("external data '{}' cannot be found: the model is not read from a file",
                        location);
  }
  const fs::path relative(location);
  if (relative.is_absolute() || std::ranges::count(relative, fs::path("..")) != 0) {
    return InvalidInput("external data '{}' lies outside the model's folder", location);
  }
  std::error_code error;
  const fs::path folder = fs::canonical(folder_, error);
  if (error) return IoError("folder '{}' of external data: {}", folder_, error.message());
  const fs::path file = fs::canonical(folder / relative, error);
  if (error) return IoError("external data '{}': {}", location, error.message());
  // Symbolic links are resolved in both by now.
  if (std::ranges::mismatch(folder, file).in1 != folder.end()) {
    return InvalidInput("external data '{}' lies outside the model's folder: it is a link to '{}'",
                        location, file.string());
  }
  LATHE_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> opened, MappedFile::Open(file.string()));
  return files_.emplace(location, std::move(opened)).first->second;
}

}  // namespace lathe::frontends
