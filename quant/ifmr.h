// IFMR: the activation range whose quantisation loses least (the reference's 7.3), in memory that
// does not grow with the data.
//
// The reference keeps all values and tries about 60 candidate ranges on them. Here a first pass
// over the data keeps a fine histogram with sums, from which the loss of each candidate follows up
// to a bound; candidates that are provably worse than another are dropped. Mostly one is left, and
// it is the reference's. Otherwise the observer asks for the same data again and evaluates the
// survivors exactly:
//
//   observer->Observe(values, scratch) for all data;
//   while (!(decided = observer->FinishPass())) observe all data again;
//   observer->result()
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lathe/quant/activation_range.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct IfmrOptions {
  int num_bits = 8;
  double max_percentile = 0.999999;
  double min_percentile = 0.999999;
  double search_range_start = 0.7;
  double search_range_end = 1.3;
  double search_step = 0.01;
  // With an offset; the configuration's `asymmetric` or `with_offset`.
  bool asymmetric = true;
};

// The factors tried, smallest first: start + i * step for i < ceil((end - start) / step), all in
// double, then rounded to float32. The defaults give 61, 0.7 to 1.3; 0.8, 1.2, 0.02 give 20,
// to 1.18. Errors: numbers that are not positive and finite or an empty range; more than 100000
// factors.
StatusOr<std::vector<float>> IfmrSearchRatios(const IfmrOptions& options);

// Working memory of one thread that observes: 1 MB and more, to be used for any number of observers
// in turn.
class IfmrScratch {
 public:
  IfmrScratch();
  ~IfmrScratch();
  IfmrScratch(const IfmrScratch&) = delete;
  IfmrScratch& operator=(const IfmrScratch&) = delete;

 private:
  friend class IfmrObserver;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One activation tensor. Memory: 2 MB of histogram, committed only where values fall, and up to 4
// MB for the largest and smallest values when a percentile is low; the histogram is freed after the
// first pass.
class IfmrObserver {
 public:
  // `announced_count` is how many values all data together is expected to hold; it decides how many
  // of the largest and smallest are kept. Fewer may come (a last short batch): the percentiles are
  // then those of what came. More may come as long as the percentiles of all need no more values
  // than are kept. Errors: options out of range; no memory.
  static StatusOr<std::unique_ptr<IfmrObserver>> Create(const IfmrOptions& options,
                                                        uint64_t announced_count);
  ~IfmrObserver();

  // The most that one such observer takes, and its part of a scratch, in bytes.
  static uint64_t MemoryBytes(const IfmrOptions& options, uint64_t announced_count);
  static uint64_t ScratchBytes(const IfmrOptions& options, uint64_t announced_count);

  // Takes in a piece of the data. Pieces may come in any order and from several threads at once,
  // each thread with its own scratch: the result is the same, bit by bit. Threads meet only for a
  // moment at the end of a call, so a piece should have some ten thousand values or more. Costs
  // about a nanosecond a value. Error (OutOfRange): the data holds a value that is not finite, or
  // of 2^62 or more.
  Status Observe(std::span<const float> values, IfmrScratch& scratch);

  // Ends a pass over the data; not to be called while a thread observes. True: result() is there.
  // False: all data must be observed once more, and the pass finished again; at most twice, and
  // with percentiles near 1, at most once. Errors: what Observe found; no data; more data than
  // announced could be covered; the data of a later pass is not that of the first.
  StatusOr<bool> FinishPass();

  // How many candidates the next pass would evaluate; 1 when decided, 0 while they are not known.
  size_t survivors() const;

  // Instead of another pass: takes the survivor with the lowest estimated loss. The estimate was
  // right wherever it was checked, but that is no proof. Error: there is no estimate (16 bits; a
  // tail so long that the histogram is too coarse; a percentile so low that it is not known yet).
  Status DecideByEstimate();

  // Once decided.
  const ActivationRange& result() const;

  // Of all data, after the first pass.
  DataRange data_range() const;
  uint64_t count() const;

 private:
  struct Impl;
  explicit IfmrObserver(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace lathe::quant
