#include "lathe/runtime/integer/weights.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace lathe::runtime::integer {
namespace {

constexpr size_t kAlignment = 64;

// Where weight `k` of column `c` goes inside its group of the depth, in elements.
size_t PlaceInBytes(size_t c, size_t k) { return c * 4 + k; }
size_t PlaceInPairs(size_t c, size_t k) { return k % 2 * 2 * kPanel + c * 2 + k / 2; }
size_t PlaceInTwos(size_t c, size_t k) { return c * 2 + k; }

template <typename T, typename Place>
void Pack(const LayerWeights& weights, size_t group_depth, Place place, PackedWeights& packed) {
  const size_t group_elements = group_depth * kPanel;
  for (size_t g = 0; g < weights.groups; ++g) {
    for (size_t c = 0; c < weights.columns; ++c) {
      const int16_t* source =
          weights.values.data() + (g * weights.columns + c) * weights.taps * weights.depth;
      T* panel = reinterpret_cast<T*>(packed.bytes.get() +
                                      (g * packed.panels + c / kPanel) * packed.panel_bytes);
      for (size_t tap = 0; tap < weights.taps; ++tap) {
        T* at = panel + tap * packed.depth_groups * group_elements;
        for (size_t k = 0; k < weights.depth; ++k) {
          at[k / group_depth * group_elements + place(c % kPanel, k % group_depth)] =
              static_cast<T>(*source++);
        }
      }
    }
  }
}

template <typename X>
void AddWide(const TileArgs& args, int64_t* sums) {
  std::fill_n(sums, kTileRows * kTileColumns, 0);
  for (size_t p = 0; p < args.panels; ++p) {
    for (size_t r = 0; r < kTileRows; ++r) {
      int64_t* out = sums + r * kTileColumns + p * kPanel;
      const auto* w = reinterpret_cast<const int16_t*>(args.weights + p * args.panel_bytes);
      for (size_t tap = 0; tap < args.taps; ++tap) {
        const std::byte* row = args.rows[tap * kTileRows + r];
        for (size_t g = 0; g < args.groups; ++g, row += 2 * sizeof(X), w += 2 * kPanel) {
          X x[2];
          std::memcpy(x, row, sizeof(x));
          const int64_t x0 = x[0], x1 = x[1];
          for (size_t c = 0; c < kPanel; ++c) {
            out[c] += x0 * w[2 * c] + x1 * w[2 * c + 1];
          }
        }
      }
    }
  }
}

}  // namespace

uint64_t LargestSum(const LayerWeights& weights, const QuantParams& quant) {
  const auto span = static_cast<uint64_t>(
      std::max(std::abs(quant.low - quant.offset), std::abs(quant.high - quant.offset)));
  const size_t length = weights.taps * weights.depth;
  int64_t row_bias = 0;
  for (const int32_t each : weights.row_bias)
    row_bias = std::max(row_bias, std::abs(int64_t{each}));
  uint64_t largest = 0;
  for (size_t c = 0; c < weights.total_columns(); ++c) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; ++i) {
      sum += static_cast<uint64_t>(std::abs(int32_t{weights.values[c * length + i]}));
    }
    const auto bias = static_cast<uint64_t>(std::abs(int64_t{weights.bias[c]}));
    largest = std::max(largest, sum * span + bias + static_cast<uint64_t>(row_bias));
  }
  return largest;
}

Accumulator ChooseAccumulator(const LayerWeights& weights, const QuantParams& quant) {
  const bool fits_bytes =
      std::ranges::all_of(weights.values, [](int16_t w) { return w >= INT8_MIN && w <= INT8_MAX; });
  const bool fits_sums = LargestSum(weights, quant) <= std::numeric_limits<int32_t>::max();
  return fits_bytes && fits_sums ? Accumulator::kInt32 : Accumulator::kInt64;
}

void FreeBytes::operator()(std::byte* bytes) const {
  ::operator delete[](bytes, std::align_val_t{kAlignment});
}

AlignedBytes AllocateAligned(size_t size) {
  AlignedBytes bytes(static_cast<std::byte*>(
      ::operator new[](std::max<size_t>(size, 1), std::align_val_t{kAlignment})));
  std::memset(bytes.get(), 0, std::max<size_t>(size, 1));
  return bytes;
}

PackedWeights PackForTiles(const LayerWeights& weights, Element input, Accumulator accumulator,
                           WeightFormat format8) {
  const bool bytes = input == Element::kInt8 && accumulator == Accumulator::kInt32;
  const size_t group_depth = bytes ? 4 : 2;
  const size_t element = bytes && format8 == WeightFormat::kBytes ? 1 : 2;
  PackedWeights packed;
  packed.depth_groups = (weights.depth + group_depth - 1) / group_depth;
  packed.panel_bytes = weights.taps * packed.depth_groups * group_depth * kPanel * element;
  packed.panels = (weights.columns + kPanel - 1) / kPanel;
  packed.bytes = AllocateAligned(weights.groups * packed.panels * packed.panel_bytes);
  if (!bytes) {
    Pack<int16_t>(weights, group_depth, PlaceInTwos, packed);
  } else if (format8 == WeightFormat::kBytes) {
    Pack<int8_t>(weights, group_depth, PlaceInBytes, packed);
  } else {
    Pack<int16_t>(weights, group_depth, PlaceInPairs, packed);
  }
  return packed;
}

AlignedBytes PackForDepthwise(const LayerWeights& weights) {
  constexpr size_t kTapGroup = 4;
  const size_t tap_groups = (weights.taps + kTapGroup - 1) / kTapGroup;
  AlignedBytes bytes = AllocateAligned(RoundUp(weights.groups, kPanel) * tap_groups * kTapGroup);
  auto* out = reinterpret_cast<int8_t*>(bytes.get());
  for (size_t c = 0; c < weights.groups; ++c) {
    for (size_t tap = 0; tap < weights.taps; ++tap) {
      out[((c / kPanel * tap_groups + tap / kTapGroup) * kPanel + c % kPanel) * kTapGroup +
          tap % kTapGroup] = static_cast<int8_t>(weights.values[c * weights.taps + tap]);
    }
  }
  return bytes;
}

std::vector<int64_t> Corrections(const LayerWeights& weights, const QuantParams& quant,
                                 Element input) {
  const int64_t excess = int64_t{quant.offset} + (input == Element::kInt8 ? 128 : 0);
  const size_t length = weights.taps * weights.depth;
  std::vector<int64_t> corrections(weights.total_columns());
  for (size_t c = 0; c < corrections.size(); ++c) {
    int64_t sum = 0;
    for (size_t i = 0; i < length; ++i) sum += weights.values[c * length + i];
    corrections[c] = weights.bias[c] - excess * sum;
  }
  return corrections;
}

void TileWide(const TileArgs& args, Element input, int64_t* sums) {
  if (input == Element::kInt8) {
    AddWide<uint8_t>(args, sums);
  } else {
    AddWide<int16_t>(args, sums);
  }
}

}  // namespace lathe::runtime::integer
