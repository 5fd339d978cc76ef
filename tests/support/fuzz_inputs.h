// Fuzz tests: how many inputs they try, and damaged files.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

namespace lathe::test {

// What LATHE_FUZZ_ITERATIONS says, else `normal`.
inline int FuzzIterations(int normal) {
  const char* text = std::getenv("LATHE_FUZZ_ITERATIONS");
  return text != nullptr ? std::atoi(text) : normal;
}

// One to four edits of a file's bytes.
inline std::string Damage(std::string bytes, std::mt19937& random) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  for (uint64_t edits = 1 + below(4); edits > 0; --edits) {
    const size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(at, 1 + below(8), static_cast<char>(random()));
        break;
      case 3:
        bytes.erase(at, 1 + below(8));
        break;
      case 4:
        // A piece again elsewhere.
        bytes.insert(below(bytes.size()), bytes.substr(at, 1 + below(40)));
        break;
      default:
        // Lengths and offsets at their limits.
        for (size_t i = at; i < std::min(bytes.size(), at + 1 + below(8)); ++i) bytes[i] = '\xff';
    }
  }
  return bytes;
}

}  // namespace lathe::test
