// The optional folder of golden cases beside the source tree.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lathe::test {

inline std::filesystem::path GoldenFolder() {
  const char* shared = std::getenv("LATHE_SHARED_DIR");
  const std::filesystem::path folder =
      shared != nullptr ? shared : std::filesystem::path(LATHE_SOURCE_DIR) / ".." / "shared";
  return folder / "golden";
}

inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Paths of the files with one of these names in all golden cases whose name begins with `family`,
// sorted.
inline std::vector<std::filesystem::path> GoldenFiles(const std::string& family,
                                                      const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> result;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(GoldenFolder(), ignored)) {
    if (entry.path().filename().string().rfind(family, 0) != 0) continue;
    for (const std::string& name : names) {
      if (std::filesystem::exists(entry.path() / name)) result.push_back(entry.path() / name);
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace lathe::test

// A test without the golden cases proves nothing and says so.
#define LATHE_NEED_GOLDENS()                                                         \
  if (!std::filesystem::exists(::lathe::test::GoldenFolder()))                       \
  GTEST_SKIP() << "NOT TESTED: no golden cases in " << ::lathe::test::GoldenFolder() \
               << "; set LATHE_SHARED_DIR to the folder that holds golden/"
