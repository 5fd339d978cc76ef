// How the values of a contiguous weight tensor map to quantisation channels, so that scales are
// found and applied in place, without a permuted copy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lathe::quant {

// The tensor is read as [groups, outer, local, inner], last index fastest; the value at (g, o, l,
// i) belongs to channel g * local + l. Every kind of weight that is quantised has this form.
struct WeightLayout {
  int64_t groups = 1;
  int64_t outer = 1;
  int64_t local = 1;
  int64_t inner = 1;

  constexpr int64_t channels() const { return groups * local; }
  constexpr int64_t size() const { return groups * outer * local * inner; }

  // One channel for all values: Gemm, MatMul, and everything that is not channel-wise.
  static constexpr WeightLayout PerTensor(int64_t size) { return {1, 1, 1, size}; }

  // Channels along one axis, with the product of the dimensions before and after it.
  // Conv [Cout, Cin/g, k...]: before = 1. Gates of an RNN [1, gates * hidden, n]: before = 1,
  // channels = gates.
  static constexpr WeightLayout AlongAxis(int64_t before, int64_t channels, int64_t after) {
    return {1, before, channels, after};
  }

  // ConvTranspose [Cin, Cout/g, k...]: channel c = group * (Cout/g) + local (the reference's 5.3).
  // `kernel` is the product of the spatial dimensions.
  static constexpr WeightLayout ConvTranspose(int64_t cin, int64_t cout_per_group, int64_t kernel,
                                              int64_t groups) {
    return {groups, cin / groups, cout_per_group, kernel};
  }
};

// Calls visit(channel, begin, length) for each run of neighbouring values of one channel, in memory
// order.
template <typename Visit>
void ForEachRun(const WeightLayout& layout, const Visit& visit) {
  int64_t begin = 0;
  for (int64_t group = 0; group < layout.groups; ++group) {
    for (int64_t outer = 0; outer < layout.outer; ++outer) {
      for (int64_t local = 0; local < layout.local; ++local) {
        visit(static_cast<size_t>(group * layout.local + local), static_cast<size_t>(begin),
              static_cast<size_t>(layout.inner));
        begin += layout.inner;
      }
    }
  }
}

}  // namespace lathe::quant
