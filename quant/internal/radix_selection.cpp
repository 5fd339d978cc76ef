#include "lathe/quant/internal/radix_selection.h"

#include <algorithm>

#include "lathe/quant/internal/value_range.h"

namespace lathe::quant::internal {
namespace {

uint32_t UnsignedKey(float value) { return static_cast<uint32_t>(OrderedKey(value)) ^ 0x80000000u; }

// Index of the bin that holds rank `rank` (from 1), which becomes the rank inside that bin.
// counts.size() when there are not so many.
size_t FindRank(std::span<const uint64_t> counts, uint64_t& rank) {
  size_t bin = 0;
  while (bin < counts.size() && counts[bin] < rank) rank -= counts[bin++];
  return bin;
}

}  // namespace

void RadixSelection::Count(std::span<const float> values, std::vector<uint64_t>& partial) const {
  partial.resize(counts_.size());
  for (const float value : values) {
    const uint32_t key = UnsignedKey(value);
    if (!second_pass_) {
      ++partial[key >> 16];
      continue;
    }
    for (size_t i = 0; i < upper_.size(); ++i) {
      if (key >> 16 == upper_[i]) ++partial[i * kHalf + (key & 0xffffu)];
    }
  }
}

void RadixSelection::Add(std::vector<uint64_t>& partial) {
  for (size_t i = 0; i < partial.size(); ++i) counts_[i] += partial[i];
  partial.clear();
}

void RadixSelection::StartSecondPass(std::array<uint64_t, 2> ranks) {
  for (size_t i = 0; i < ranks.size(); ++i) {
    upper_[i] = static_cast<uint32_t>(FindRank(counts_, ranks[i]));
  }
  ranks_ = ranks;
  counts_.assign(2 * kHalf, 0);
  second_pass_ = true;
}

bool RadixSelection::Finish(std::array<float, 2>& values) const {
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t rank = ranks_[i];
    const size_t lower = FindRank(std::span(counts_).subspan(i * kHalf, kHalf), rank);
    if (lower == kHalf) return false;
    const uint32_t key = (upper_[i] << 16 | static_cast<uint32_t>(lower)) ^ 0x80000000u;
    values[i] = FromOrderedKey(static_cast<int32_t>(key));
  }
  return true;
}

}  // namespace lathe::quant::internal
