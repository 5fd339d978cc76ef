// A histogram fine enough to tell scale candidates apart, whose content depends only on the values,
// not on their order or on how they were cut into pieces.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "lathe/quant/internal/kernels.h"

namespace lathe::quant::internal {

enum class Sign { kPositive = 0, kNegative = 1 };

struct FreeWords {
  void operator()(uint64_t* words) const { std::free(words); }
};
using Words = std::unique_ptr<uint64_t[], FreeWords>;

// What a FineHistogram takes when all its bins are filled.
inline constexpr size_t kFineHistogramBytes = size_t{2} << 20;

// Words that a thread adds to before they go to a histogram. 1 MB.
class FineHistogramScratch {
 public:
  FineHistogramScratch();

  bool allocated() const { return words_ != nullptr; }

 private:
  friend class FineHistogram;
  // kTableSize words for positive values, then as many for negative ones; all zero between two
  // uses.
  Words words_;
};

// For each sign, 2^16 bins of width w = 2^exponent over the magnitudes, each with the count of its
// values and the exact sum of what they exceed the bin's begin by, in units of w * 2^-20.
//
// The exponent is the smallest that holds the largest magnitude. When it grows, neighbouring bins
// are merged. All values in one bin but the lowest have one binary exponent, so their fractions are
// multiples of one unit, and nothing is lost: bins from kFirstBin on are exact, those below are not
// kept.
//
// Memory: 2 MB, committed by the system only where values fall.
class FineHistogram {
 public:
  FineHistogram();

  // False when there was no memory.
  bool allocated() const;

  int exponent() const { return exponent_; }
  double width() const;

  // The smallest exponent whose histogram holds magnitudes up to `magnitude`, which is finite.
  static int ExponentFor(float magnitude);

  // Adds what `scratch` collected with bins of width 2^exponent, and clears it. `reach` says below
  // which bin each sign's words lie.
  void Take(FineHistogramScratch& scratch, int exponent, std::array<size_t, 2> reach);

  // Adds `values` (at most kMaxChunk, all magnitudes below 2^(exponent + 16)) to `scratch`.
  static void Collect(FineHistogramScratch& scratch, int exponent, std::span<const float> values);

  std::span<const uint64_t> counts(Sign sign) const;
  std::span<const uint64_t> sums(Sign sign) const;

 private:
  struct Side {
    Words counts;
    Words sums;
  };

  void Grow(int exponent);

  std::array<Side, 2> sides_;
  int exponent_;
};

}  // namespace lathe::quant::internal
