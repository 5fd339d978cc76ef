#include "lathe/quant/internal/fine_histogram.h"

#include <algorithm>
#include <cmath>

namespace lathe::quant::internal {
namespace {

// Finer than this, bins are of no use: no scale is below kMinScale. And 2^-kMinExponent is a finite
// float.
constexpr int kMinExponent = -60;

// calloc of this size gives pages that the system commits only when they are written.
uint64_t* AllocateZeros(size_t count) {
  return static_cast<uint64_t*>(std::calloc(count, sizeof(uint64_t)));
}

// What the values of bin `bin`, with these count and sum, exceed the begin of a bin 2^shift as wide
// by. Exact for a new bin of at least kFirstBin, because then the fractions are multiples of
// 2^shift.
uint64_t WidenSum(uint64_t sum, uint64_t count, size_t bin, int shift) {
  const uint64_t below = bin & ((size_t{1} << shift) - 1);
  return (sum >> shift) + ((below * count) << (kFractionBits - shift));
}

// Bins whose counts or sums fill one page of memory. Pages without values are not touched.
constexpr size_t kPageBins = 512;
static_assert(kTableSize % kPageBins == 0);

// Without a branch, so that compilers do several at once: most of what taking a histogram costs.
void AddPage(std::span<const uint64_t, kPageBins> words, uint64_t* counts, uint64_t* sums) {
  for (size_t i = 0; i < kPageBins; ++i) {
    counts[i] += words[i] >> kSumBits;
    sums[i] += words[i] & kSumMask;
  }
}

// Adds the bins from `begin` on to bins 2^shift as wide.
void AddNarrower(std::span<const uint64_t, kPageBins> words, size_t begin, int shift,
                 uint64_t* counts, uint64_t* sums) {
  for (size_t i = 0; i < kPageBins; ++i) {
    const size_t target = (begin + i) >> shift;
    if (words[i] == 0 || target < kFirstBin) continue;
    const uint64_t count = words[i] >> kSumBits;
    counts[target] += count;
    sums[target] += WidenSum(words[i] & kSumMask, count, begin + i, shift);
  }
}

}  // namespace

FineHistogramScratch::FineHistogramScratch() : words_(AllocateZeros(2 * kTableSize)) {}

FineHistogram::FineHistogram() : exponent_(kMinExponent) {
  for (Side& side : sides_) {
    side.counts.reset(AllocateZeros(kTableSize));
    side.sums.reset(AllocateZeros(kTableSize));
  }
}

bool FineHistogram::allocated() const {
  return std::all_of(sides_.begin(), sides_.end(),
                     [](const Side& side) { return side.counts && side.sums; });
}

double FineHistogram::width() const { return std::ldexp(1.0, exponent_); }

int FineHistogram::ExponentFor(float magnitude) {
  if (magnitude == 0.0f) return kMinExponent;
  return std::max(std::ilogb(magnitude) + 1 - kTableBits, kMinExponent);
}

void FineHistogram::Collect(FineHistogramScratch& scratch, int exponent,
                            std::span<const float> values) {
  const float inverse_width = std::ldexp(1.0f, -exponent);
  BestKernels().accumulate(values.data(), values.size(), inverse_width, scratch.words_.get());
}

void FineHistogram::Grow(int exponent) {
  const int shift = std::min(exponent - exponent_, kTableBits);
  exponent_ = exponent;
  for (Side& side : sides_) {
    uint64_t* counts = side.counts.get();
    uint64_t* sums = side.sums.get();
    for (size_t bin = kFirstBin; bin < kTableSize; ++bin) {
      // Pages that were never written stay so.
      if (counts[bin] == 0) continue;
      const uint64_t count = counts[bin];
      const uint64_t sum = WidenSum(sums[bin], count, bin, shift);
      counts[bin] = 0;
      sums[bin] = 0;
      const size_t target = bin >> shift;
      if (target < kFirstBin) continue;
      counts[target] += count;
      sums[target] += sum;
    }
  }
}

void FineHistogram::Take(FineHistogramScratch& scratch, int exponent, std::array<size_t, 2> reach) {
  if (exponent > exponent_) Grow(exponent);
  const int shift = std::min(exponent_ - exponent, kTableBits);
  for (const size_t side : {size_t{0}, size_t{1}}) {
    uint64_t* words = scratch.words_.get() + side * kTableSize;
    uint64_t* counts = sides_[side].counts.get();
    uint64_t* sums = sides_[side].sums.get();
    std::fill(words, words + kFirstBin, 0);
    for (size_t begin = 0; begin < reach[side]; begin += kPageBins) {
      const std::span<uint64_t, kPageBins> page(words + begin, kPageBins);
      if (std::ranges::all_of(page, [](uint64_t word) { return word == 0; })) continue;
      if (shift == 0) {
        AddPage(page, counts + begin, sums + begin);
      } else {
        AddNarrower(page, begin, shift, counts, sums);
      }
      std::ranges::fill(page, 0);
    }
  }
}

std::span<const uint64_t> FineHistogram::counts(Sign sign) const {
  return {sides_[static_cast<size_t>(sign)].counts.get(), kTableSize};
}

std::span<const uint64_t> FineHistogram::sums(Sign sign) const {
  return {sides_[static_cast<size_t>(sign)].sums.get(), kTableSize};
}

}  // namespace lathe::quant::internal
