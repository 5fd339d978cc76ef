// Second moments of the patches that a layer's weights meet: what an error of the weights costs in
// the layer's output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/patches.h"
#include "lathe/support/thread_pool.h"

namespace lathe::quant {

class PatchMoments {
 public:
  // Of a layer with so many groups and weights an output channel. Memory: patch^2 doubles a group.
  PatchMoments(int64_t groups, int64_t patch);
  static size_t Bytes(int64_t groups, int64_t patch);

  // Takes in a whole input of the layer, of which `shape` tells the geometry. Of large outputs it
  // looks at rows evenly spaced, about 4096 positions a sample. Costs patch^2 / 2 multiplications a
  // position. The same bits for any number of threads.
  void Add(const LayerShape& shape, std::span<const float> input, ThreadPool& pool);

  int64_t patch() const { return patch_; }
  // Mean of each value of the group's patches; zeros when nothing was added.
  std::vector<double> Means(int64_t group) const;
  // Mean product of each two of them, [patch, patch].
  std::vector<double> Products(int64_t group) const;

 private:
  struct Places;
  void AddBlock(const Places& places, int64_t group, int64_t first_row, int64_t rows);

  int64_t groups_;
  int64_t patch_;
  int64_t count_ = 0;
  // [groups, patch], and [groups, patch, patch] with only the lower triangle filled.
  std::vector<double> sums_;
  std::vector<double> products_;
};

}  // namespace lathe::quant
