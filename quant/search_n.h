// searchN: the right shift by which a chip brings a layer's int32 sums into int16 (the ONNX
// flavour's reference, section 2). N comes from calibration data and goes into bits 32 to 39 of the
// dequantisation word (dequant_word.h).
//
// A sum is what stands behind an output value: s32 = round(x / deq_scale), half away from zero. For
// N = 1..16 its shifted value is s16 = clip(s32 / 2^N, -32768, 32767), and the error of N is the
// sum over all data of (s16 * 2^N - s32)^2. The smallest error wins, of equal ones the smallest N.
// The two versions divide differently: the first towards zero, the second downwards.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::quant {

inline constexpr int kMinShift = 1;
inline constexpr int kMaxShift = 16;

enum class SearchNVersion {
  kV1 = 1,  // division towards zero
  kV2 = 2,  // division downwards
};

// One channel's errors for N = 1..16.
using ShiftErrors = std::array<double, kMaxShift>;

// The errors that integers add to `errors`, one after the other.
void AddShiftErrors(SearchNVersion version, std::span<const int32_t> sums, ShiftErrors& errors);

// The N of the smallest error, of equal ones the smallest.
int BestShift(const ShiftErrors& errors);

struct SearchNOptions {
  SearchNVersion version = SearchNVersion::kV2;
  // scale_d * scale_w: one, or one a channel.
  std::vector<float> deq_scales;
  int64_t channels = 1;
  // Version 2: errors of all channels together decide one N, which each channel gets.
  bool broadcast = false;
};

// The search over one layer's outputs. Memory: the errors; no data is kept (the reference's first
// version keeps all of it, to the same end).
class SearchNObserver {
 public:
  // Errors: no channels; neither one scale nor one a channel; a scale that is not positive and
  // finite (names the channel); broadcast in version 1.
  static StatusOr<SearchNObserver> Create(const SearchNOptions& options);

  // Takes in one batch of the layer's float output. Errors: values.size() is not layout.size(); the
  // layout has another number of channels. Sums beyond int32 saturate; NaN is an error.
  Status Observe(std::span<const float> values, const WeightLayout& layout);

  // Takes in what another observer with the same options has seen of another layer: both get one N.
  void Add(const SearchNObserver& other);

  // One N a channel. Error: no data.
  StatusOr<std::vector<uint32_t>> Finish() const;

 private:
  explicit SearchNObserver(const SearchNOptions& options)
      : options_(options), errors_(static_cast<size_t>(options.channels)) {}

  SearchNOptions options_;
  std::vector<ShiftErrors> errors_;
  bool seen_ = false;
};

}  // namespace lathe::quant
