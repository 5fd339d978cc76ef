// The models of ../shared, for tests that look at every model at hand.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace lathe::ir {

inline std::filesystem::path SharedFolder() {
  const char* folder = std::getenv("LATHE_SHARED_DIR");
  return folder != nullptr ? folder : std::filesystem::path(LATHE_SOURCE_DIR) / ".." / "shared";
}

// Every .onnx file, sorted; none when the folder is missing.
inline std::vector<std::filesystem::path> SharedModels() {
  std::vector<std::filesystem::path> paths;
  if (!std::filesystem::exists(SharedFolder())) return paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedFolder())) {
    if (entry.path().extension() == ".onnx") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace lathe::ir
