#include "lathe/quant/search_n.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::quant {
namespace {

constexpr int32_t kLowest = std::numeric_limits<int16_t>::min();
constexpr int32_t kHighest = std::numeric_limits<int16_t>::max();

bool IsScale(float scale) { return scale > 0.0f && std::isfinite(scale); }

// Sums beyond int32 are what the accelerator's accumulator clips.
int32_t ToSum(float value, float deq_scale) {
  const float steps = std::round(value / deq_scale);
  if (steps >= 0x1p31f) return std::numeric_limits<int32_t>::max();
  if (steps <= -0x1p31f) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(steps);
}

int64_t Shifted(SearchNVersion version, int32_t sum, int shift) {
  // A shift of a negative number is a division downwards.
  const int64_t divided =
      version == SearchNVersion::kV1 ? int64_t{sum} / (int64_t{1} << shift) : int64_t{sum} >> shift;
  return std::clamp<int64_t>(divided, kLowest, kHighest);
}

}  // namespace

void AddShiftErrors(SearchNVersion version, std::span<const int32_t> sums, ShiftErrors& errors) {
  for (int shift = kMinShift; shift <= kMaxShift; ++shift) {
    double& error = errors[static_cast<size_t>(shift - kMinShift)];
    for (const int32_t sum : sums) {
      const int64_t back = Shifted(version, sum, shift) * (int64_t{1} << shift);
      const auto difference = static_cast<double>(back - sum);
      error += difference * difference;
    }
  }
}

int BestShift(const ShiftErrors& errors) {
  return kMinShift + static_cast<int>(std::ranges::min_element(errors) - errors.begin());
}

StatusOr<SearchNObserver> SearchNObserver::Create(const SearchNOptions& options) {
  if (options.channels < 1) return InvalidInput("a shift is searched for at least one channel");
  const auto scales = static_cast<int64_t>(options.deq_scales.size());
  if (scales != 1 && scales != options.channels) {
    return InvalidInput("{} scales are given for {} channels", scales, options.channels);
  }
  for (size_t channel = 0; channel < options.deq_scales.size(); ++channel) {
    if (IsScale(options.deq_scales[channel])) continue;
    return InvalidInput("deq_scale of channel {} is {}; it must be positive and finite", channel,
                        options.deq_scales[channel]);
  }
  if (options.broadcast && options.version == SearchNVersion::kV1) {
    return InvalidInput("only version 2 of searchN finds one shift for all channels");
  }
  return SearchNObserver(options);
}

Status SearchNObserver::Observe(std::span<const float> values, const WeightLayout& layout) {
  if (values.size() != static_cast<size_t>(layout.size())) {
    return InvalidInput("{} values are given where the shape needs {}", values.size(),
                        layout.size());
  }
  if (layout.channels() != options_.channels) {
    return InvalidInput("the layer's output has {} channels, {} are searched", layout.channels(),
                        options_.channels);
  }
  const auto bad = std::ranges::find_if(values, [](float value) { return std::isnan(value); });
  if (bad != values.end()) {
    return InvalidInput("the output value at index {} is not a number", bad - values.begin());
  }
  std::vector<int32_t> sums;
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    const float scale = options_.deq_scales[options_.deq_scales.size() == 1 ? 0 : channel];
    sums.resize(length);
    for (size_t i = 0; i < length; ++i) sums[i] = ToSum(values[begin + i], scale);
    AddShiftErrors(options_.version, sums, errors_[channel]);
  });
  seen_ |= !values.empty();
  return OkStatus();
}

void SearchNObserver::Add(const SearchNObserver& other) {
  for (size_t channel = 0; channel < errors_.size(); ++channel) {
    for (size_t i = 0; i < errors_[channel].size(); ++i) {
      errors_[channel][i] += other.errors_[channel][i];
    }
  }
  seen_ |= other.seen_;
}

StatusOr<std::vector<uint32_t>> SearchNObserver::Finish() const {
  if (!seen_) return InvalidInput("no data was seen");
  std::vector<uint32_t> shifts;
  if (options_.broadcast) {
    ShiftErrors all = {};
    for (const ShiftErrors& errors : errors_) {
      for (size_t i = 0; i < all.size(); ++i) all[i] += errors[i];
    }
    shifts.assign(errors_.size(), static_cast<uint32_t>(BestShift(all)));
    return shifts;
  }
  for (const ShiftErrors& errors : errors_) {
    shifts.push_back(static_cast<uint32_t>(BestShift(errors)));
  }
  return shifts;
}

}  // namespace lathe::quant
