// How much of a checkpoint may be copied into memory. A few bytes of a hostile file can describe
// terabytes: an extent with stride 0, zeros that were compressed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lathe/support/status.h"

namespace lathe::frontends::internal {

class CopyBudget {
 public:
  explicit CopyBudget(uint64_t file_size)
      : limit_(std::max(kLeast, std::min(file_size, UINT64_MAX / kTimes) * kTimes)),
        left_(limit_) {}

  // Counts `bytes` as copied; an error when that is more than is left.
  Status Take(uint64_t bytes) {
    if (bytes > left_) {
      return InvalidInput(
          "more than {} bytes would have to be copied into memory ({} times the file)", limit_,
          kTimes);
    }
    left_ -= bytes;
    return OkStatus();
  }

 private:
  static constexpr uint64_t kLeast = 64 << 20;
  static constexpr uint64_t kTimes = 64;
  uint64_t limit_;
  uint64_t left_;
};

}  // namespace lathe::frontends::internal
