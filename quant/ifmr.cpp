#include "lathe/quant/ifmr.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>

#include <absl/numeric/int128.h>

#include "lathe/quant/internal/fine_histogram.h"
#include "lathe/quant/internal/ifmr_candidates.h"
#include "lathe/quant/internal/largest_values.h"
#include "lathe/quant/internal/radix_selection.h"

namespace lathe::quant {
namespace {

using internal::BestKernels;
using internal::FineHistogram;
using internal::IfmrCandidate;
using internal::kMaxChunk;
using internal::LargestValues;
using internal::ValueRange;

// Up to this many largest and smallest values are kept exactly; more are found by radix selection.
constexpr uint64_t kMaxKept = uint64_t{1} << 18;

// With more bits a candidate's step is no wider than a few bins of the histogram, which then says
// nothing.
constexpr int kMaxHistogramBits = 11;

constexpr double kMaxRatios = 100000.0;

enum class Pass { kRanges, kOrderStatistics, kLosses, kDecided };

// Calls visit on pieces of at most kMaxChunk values.
template <typename Visit>
void ForEachChunk(std::span<const float> values, const Visit& visit) {
  for (size_t begin = 0; begin < values.size(); begin += kMaxChunk) {
    visit(values.subspan(begin, std::min(kMaxChunk, values.size() - begin)));
  }
}

float Magnitude(const ValueRange& range) {
  return std::max(std::abs(range.min()), std::abs(range.max()));
}

// The 128-bit sum of a candidate's squared errors, in units of largest_error * 2^-80.
struct ExactLoss {
  absl::int128 units = 0;

  void Add(const internal::ScoreSum& sum) {
    units += (absl::int128(sum.high) << 40) + absl::int128(sum.low);
  }
};

Status CheckOptions(const IfmrOptions& options) {
  if (options.num_bits < 2 || options.num_bits > 16) {
    return InvalidInput("cannot quantise to {} bits; 2 to 16 are possible", options.num_bits);
  }
  for (const double percentile : {options.max_percentile, options.min_percentile}) {
    if (!(percentile > 0.5 && percentile <= 1.0)) {
      return InvalidInput("a percentile of {} is given; it must be above 0.5 and at most 1",
                          percentile);
    }
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::vector<float>> IfmrSearchRatios(const IfmrOptions& options) {
  const double start = options.search_range_start;
  const double end = options.search_range_end;
  const double step = options.search_step;
  if (!(start > 0.0 && end > start && step > 0.0 && std::isfinite(end))) {
    return InvalidInput("the search range [{}, {}] with step {} is empty or not positive", start,
                        end, step);
  }
  const double count = std::ceil((end - start) / step);
  if (!(count <= kMaxRatios)) {
    return InvalidInput(
        "the search range [{}, {}] with step {} has more than {} steps; use a larger step", start,
        end, step, kMaxRatios);
  }
  std::vector<float> ratios(static_cast<size_t>(count));
  for (size_t i = 0; i < ratios.size(); ++i) {
    ratios[i] = static_cast<float>(start + static_cast<double>(i) * step);
  }
  return ratios;
}

struct IfmrScratch::Impl {
  internal::FineHistogramScratch words;
  LargestValues largest;
  LargestValues smallest_negated;
  std::vector<uint64_t> radix_counts;
  std::vector<ExactLoss> losses;
};

IfmrScratch::IfmrScratch() : impl_(std::make_unique<Impl>()) {}
IfmrScratch::~IfmrScratch() = default;

struct IfmrObserver::Impl {
  Status ObserveRanges(std::span<const float> values, IfmrScratch::Impl& scratch);
  void ObserveOrderStatistics(std::span<const float> values, IfmrScratch::Impl& scratch);
  void ObserveLosses(std::span<const float> values, IfmrScratch::Impl& scratch);

  Status FinishRanges();
  Status FinishOrderStatistics();
  Status StartCandidates();
  void FinishLosses();
  void Decide(const IfmrCandidate& winner);

  Status BadData() const {
    if (!range.finite()) return NonFiniteActivation();
    return HugeActivation({range.min(), range.max()});
  }

  IfmrOptions options;
  std::vector<float> ratios;
  uint64_t max_kept = 1;
  uint64_t min_kept = 1;
  bool uses_histogram = true;

  // Changes between passes only.
  Pass pass = Pass::kRanges;
  float smallest = 0.0f;
  float largest = 0.0f;
  std::vector<IfmrCandidate> survivors;
  std::vector<double> estimates;
  float largest_error = 0.0f;
  ActivationRange result;

  // What threads add to.
  std::mutex mutex;
  uint64_t count = 0;
  uint64_t count_of_pass = 0;
  ValueRange range;
  std::optional<FineHistogram> histogram;
  LargestValues largest_values;
  LargestValues smallest_negated;
  std::optional<internal::RadixSelection> radix;
  std::vector<ExactLoss> losses;
};

IfmrObserver::IfmrObserver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IfmrObserver::~IfmrObserver() = default;

StatusOr<std::unique_ptr<IfmrObserver>> IfmrObserver::Create(const IfmrOptions& options,
                                                             uint64_t announced_count) {
  LATHE_RETURN_IF_ERROR(CheckOptions(options));
  auto impl = std::make_unique<Impl>();
  LATHE_ASSIGN_OR_RETURN(impl->ratios, IfmrSearchRatios(options));
  impl->options = options;
  impl->uses_histogram = options.num_bits <= kMaxHistogramBits;
  if (impl->uses_histogram) {
    impl->histogram.emplace();
    if (!impl->histogram->allocated()) {
      return absl::ResourceExhaustedError("no memory for the histogram of an activation");
    }
  }
  // The rank grows with the count, but for the rounding of the product: one more is always enough
  // for less data.
  const uint64_t announced = std::max<uint64_t>(announced_count, 1);
  impl->max_kept = internal::PercentileRank(options.max_percentile, announced) + 1;
  impl->min_kept = internal::PercentileRank(options.min_percentile, announced) + 1;
  if (std::max(impl->max_kept, impl->min_kept) > kMaxKept) {
    impl->radix.emplace();
  } else {
    impl->largest_values = LargestValues(impl->max_kept);
    impl->smallest_negated = LargestValues(impl->min_kept);
  }
  return std::unique_ptr<IfmrObserver>(new IfmrObserver(std::move(impl)));
}

namespace {

// Lists of the largest and the smallest values: each twice its room, and once more while it grows.
// Percentiles that need more are found by counting.
uint64_t ListBytes(const IfmrOptions& options, uint64_t count) {
  const uint64_t max_kept = internal::PercentileRank(options.max_percentile, count) + 1;
  const uint64_t min_kept = internal::PercentileRank(options.min_percentile, count) + 1;
  if (std::max(max_kept, min_kept) > kMaxKept) return 2 * internal::kRadixBytes;
  return 4 * sizeof(float) * (max_kept + min_kept);
}

}  // namespace

uint64_t IfmrObserver::MemoryBytes(const IfmrOptions& options, uint64_t announced_count) {
  const uint64_t histogram =
      options.num_bits <= kMaxHistogramBits ? internal::kFineHistogramBytes : 0;
  return histogram + ListBytes(options, std::max<uint64_t>(announced_count, 1));
}

uint64_t IfmrObserver::ScratchBytes(const IfmrOptions& options, uint64_t announced_count) {
  return internal::kFineHistogramBytes / 2 +
         ListBytes(options, std::max<uint64_t>(announced_count, 1));
}

Status IfmrObserver::Observe(std::span<const float> values, IfmrScratch& scratch) {
  switch (impl_->pass) {
    case Pass::kRanges:
      return impl_->ObserveRanges(values, *scratch.impl_);
    case Pass::kOrderStatistics:
      impl_->ObserveOrderStatistics(values, *scratch.impl_);
      return OkStatus();
    case Pass::kLosses:
      impl_->ObserveLosses(values, *scratch.impl_);
      return OkStatus();
    case Pass::kDecided:
      break;
  }
  return InternalError("an activation range that is decided was given more data");
}

Status IfmrObserver::Impl::ObserveRanges(std::span<const float> values,
                                         IfmrScratch::Impl& scratch) {
  if (uses_histogram && !scratch.words.allocated()) {
    return absl::ResourceExhaustedError("no memory for the working memory of a thread");
  }
  int exponent = 0;
  {
    const std::lock_guard lock(mutex);
    if (histogram) exponent = histogram->exponent();
    scratch.largest.Restart(max_kept, largest_values.threshold());
    scratch.smallest_negated.Restart(min_kept, smallest_negated.threshold());
  }
  ValueRange seen;
  size_t additions = 0;
  std::array<size_t, 2> reach = {};
  // With the mutex held.
  const auto flush = [&] {
    histogram->Take(scratch.words, exponent, reach);
    additions = 0;
    reach = {};
  };
  const auto bin_after = [&](float magnitude) {
    return static_cast<size_t>(std::ldexp(magnitude, -exponent)) + 1;
  };
  bool usable = true;
  ForEachChunk(values, [&](std::span<const float> chunk) {
    if (!usable) return;
    const ValueRange chunk_range = BestKernels().find_range(chunk.data(), chunk.size());
    seen.Widen(chunk_range);
    usable = chunk_range.finite() && Magnitude(chunk_range) < kMaxActivation;
    if (!usable) return;
    if (radix) {
      radix->Count(chunk, scratch.radix_counts);
    } else {
      scratch.largest.Offer(chunk, 1.0f, chunk_range.max());
      scratch.smallest_negated.Offer(chunk, -1.0f, -chunk_range.min());
    }
    if (!uses_histogram) return;
    const int needed = FineHistogram::ExponentFor(Magnitude(chunk_range));
    if (needed > exponent || additions + chunk.size() > internal::kMaxAdditions) {
      if (additions > 0) {
        const std::lock_guard lock(mutex);
        flush();
      }
      exponent = std::max(exponent, needed);
    }
    FineHistogram::Collect(scratch.words, exponent, chunk);
    additions += chunk.size();
    reach[0] = std::max(reach[0], bin_after(std::max(chunk_range.max(), 0.0f)));
    reach[1] = std::max(reach[1], bin_after(std::max(-chunk_range.min(), 0.0f)));
  });

  const std::lock_guard lock(mutex);
  range.Widen(seen);
  count += values.size();
  if (uses_histogram) flush();
  if (radix) {
    radix->Add(scratch.radix_counts);
  } else {
    largest_values.Merge(scratch.largest);
    smallest_negated.Merge(scratch.smallest_negated);
  }
  return usable ? OkStatus() : BadData();
}

void IfmrObserver::Impl::ObserveOrderStatistics(std::span<const float> values,
                                                IfmrScratch::Impl& scratch) {
  radix->Count(values, scratch.radix_counts);
  const std::lock_guard lock(mutex);
  radix->Add(scratch.radix_counts);
  count_of_pass += values.size();
}

void IfmrObserver::Impl::ObserveLosses(std::span<const float> values, IfmrScratch::Impl& scratch) {
  scratch.losses.assign(survivors.size(), {});
  ForEachChunk(values, [&](std::span<const float> chunk) {
    for (size_t i = 0; i < survivors.size(); ++i) {
      const IfmrCandidate& candidate = survivors[i];
      scratch.losses[i].Add(BestKernels().score(
          chunk.data(), chunk.size(),
          {candidate.clip_min, candidate.clip_max, candidate.scale, largest_error}));
    }
  });
  const std::lock_guard lock(mutex);
  for (size_t i = 0; i < losses.size(); ++i) losses[i].units += scratch.losses[i].units;
  count_of_pass += values.size();
}

StatusOr<bool> IfmrObserver::FinishPass() {
  Impl& self = *impl_;
  switch (self.pass) {
    case Pass::kRanges:
      LATHE_RETURN_IF_ERROR(self.FinishRanges());
      break;
    case Pass::kOrderStatistics:
      LATHE_RETURN_IF_ERROR(self.FinishOrderStatistics());
      break;
    case Pass::kLosses:
      if (self.count_of_pass != self.count) {
        return InternalError("{} activation values were observed again, {} at first",
                             self.count_of_pass, self.count);
      }
      self.FinishLosses();
      break;
    case Pass::kDecided:
      break;
  }
  self.count_of_pass = 0;
  return self.pass == Pass::kDecided;
}

Status IfmrObserver::Impl::FinishRanges() {
  if (count == 0) return InvalidInput("no activation values were observed");
  if (!range.finite() || Magnitude(range) >= kMaxActivation) return BadData();
  const uint64_t max_rank = internal::PercentileRank(options.max_percentile, count);
  const uint64_t min_rank = internal::PercentileRank(options.min_percentile, count);
  if (radix) {
    radix->StartSecondPass({min_rank, count - max_rank + 1});
    pass = Pass::kOrderStatistics;
    return OkStatus();
  }
  if (max_rank > max_kept || min_rank > min_kept) {
    return InvalidInput(
        "{} activation values were observed, more than were announced, and the percentiles need "
        "the {} "
        "largest and {} smallest, of which {} and {} were kept; give each batch the size of the "
        "first",
        count, max_rank, min_rank, max_kept, min_kept);
  }
  largest = largest_values.KthLargest(max_rank);
  smallest = -smallest_negated.KthLargest(min_rank);
  return StartCandidates();
}

Status IfmrObserver::Impl::FinishOrderStatistics() {
  std::array<float, 2> found = {};
  if (count_of_pass != count || !radix->Finish(found)) {
    return InternalError("other activation values were observed again than at first");
  }
  smallest = found[0];
  largest = found[1];
  radix.reset();
  return StartCandidates();
}

Status IfmrObserver::Impl::StartCandidates() {
  const std::vector<IfmrCandidate> candidates =
      internal::MakeIfmrCandidates(options, ratios, smallest, largest);
  if (candidates.empty()) {
    return InvalidInput("the search range [{}, {}] is too large for an activation up to {}",
                        options.search_range_start, options.search_range_end, largest);
  }
  if (candidates.size() == 1 || !histogram) {
    survivors = candidates;
  } else {
    const auto bounds = internal::BoundLosses(candidates, *histogram, count);
    double least_upper = std::numeric_limits<double>::infinity();
    for (const auto& loss : bounds) {
      if (loss) least_upper = std::min(least_upper, loss->upper);
    }
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (bounds[i] && bounds[i]->lower > least_upper) continue;
      survivors.push_back(candidates[i]);
      if (bounds[i]) estimates.push_back(bounds[i]->estimate);
    }
  }
  histogram.reset();
  largest_values = LargestValues();
  smallest_negated = LargestValues();
  if (survivors.size() == 1) {
    Decide(survivors.front());
    return OkStatus();
  }
  // No error is larger than the value itself.
  largest_error = std::ldexp(1.0f, 2 * (std::ilogb(Magnitude(range)) + 1));
  losses.assign(survivors.size(), {});
  pass = Pass::kLosses;
  return OkStatus();
}

void IfmrObserver::Impl::FinishLosses() {
  // In double as the reference's sum, so that what is equal there is equal here, and the first one
  // wins.
  const auto winner =
      std::min_element(losses.begin(), losses.end(), [](const ExactLoss& a, const ExactLoss& b) {
        return static_cast<double>(a.units) < static_cast<double>(b.units);
      });
  Decide(survivors[static_cast<size_t>(winner - losses.begin())]);
}

void IfmrObserver::Impl::Decide(const IfmrCandidate& winner) {
  result = internal::IfmrResult(options, winner.scale, smallest);
  survivors = {winner};
  losses.clear();
  pass = Pass::kDecided;
}

size_t IfmrObserver::survivors() const { return impl_->survivors.size(); }

Status IfmrObserver::DecideByEstimate() {
  Impl& self = *impl_;
  if (self.pass == Pass::kDecided) return OkStatus();
  if (self.pass != Pass::kLosses || self.estimates.size() != self.survivors.size()) {
    return absl::FailedPreconditionError(
        "the losses of an activation's candidates cannot be estimated");
  }
  const auto best = std::min_element(self.estimates.begin(), self.estimates.end());
  self.Decide(self.survivors[static_cast<size_t>(best - self.estimates.begin())]);
  return OkStatus();
}

const ActivationRange& IfmrObserver::result() const { return impl_->result; }

DataRange IfmrObserver::data_range() const { return {impl_->range.min(), impl_->range.max()}; }

uint64_t IfmrObserver::count() const { return impl_->count; }

}  // namespace lathe::quant
