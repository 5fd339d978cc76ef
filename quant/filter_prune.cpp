#include "lathe/quant/filter_prune.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lathe::quant {

std::vector<double> FilterNorms(std::span<const float> weight, const WeightLayout& layout) {
  std::vector<double> norms(static_cast<size_t>(layout.channels()));
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    double sum = 0;
    for (size_t i = begin; i < begin + length; ++i) {
      sum += static_cast<double>(weight[i]) * static_cast<double>(weight[i]);
    }
    norms[channel] += sum;
  });
  const double elements = static_cast<double>(weight.size()) / static_cast<double>(norms.size());
  for (double& norm : norms) {
    norm = std::isnan(norm) ? std::numeric_limits<double>::infinity() : std::sqrt(norm) / elements;
  }
  return norms;
}

int64_t CountPrunedFilters(const FilterCut& cut) {
  constexpr int64_t kAlignment = 16;
  const auto asked =
      static_cast<int64_t>(std::nearbyint(static_cast<double>(cut.channels) * cut.ratio));
  int64_t remain = cut.channels - asked;
  if (cut.ascend_optimized) {
    remain = std::max((remain + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  }
  if (cut.group > 1) remain = remain / cut.group * cut.group;
  if (remain <= 0) remain = cut.group;
  return std::max<int64_t>(cut.channels - remain, 0);
}

std::vector<int64_t> ChoosePrunedFilters(std::span<const double> norms, int64_t count,
                                         int64_t group) {
  const auto chunk = static_cast<int64_t>(norms.size()) / group;
  std::vector<int64_t> chosen;
  chosen.reserve(static_cast<size_t>(count));
  std::vector<int64_t> order(static_cast<size_t>(chunk));
  for (int64_t begin = 0; begin < chunk * group; begin += chunk) {
    std::iota(order.begin(), order.end(), begin);
    std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
      return norms[static_cast<size_t>(a)] < norms[static_cast<size_t>(b)];
    });
    chosen.insert(chosen.end(), order.begin(), order.begin() + count / group);
  }
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace lathe::quant
