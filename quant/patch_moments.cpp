#include "lathe/quant/patch_moments.h"

#include <algorithm>

#include "lathe/quant/matrix_product.h"

namespace lathe::quant {
namespace {

// Positions whose patches are laid out at once; short enough for sums in float32.
constexpr int64_t kPositions = 240;
// Rows of products that one piece of work computes: a multiple of what the product's kernel takes
// at once.
constexpr int64_t kRows = 96;
// More positions of one sample say little that is new.
constexpr int64_t kEnoughPositions = 4096;

}  // namespace

// The output positions that are looked at.
struct PatchMoments::Places {
  const LayerShape& shape;
  std::span<const float> input;
  // Every so many rows of the output.
  int64_t step = 1;

  int64_t rows() const { return (shape.out_h + step - 1) / step; }
  int64_t count() const { return shape.samples * rows() * shape.out_w; }

  // patches [row, kPositions]: one row of the patches of places [begin, begin + count).
  void Fill(const PatchRow& row, int64_t begin, int64_t count, float* patches) const {
    for (int64_t done = 0; done < count;) {
      const int64_t place = begin + done;
      const int64_t line = place / shape.out_w;
      const int64_t x = place % shape.out_w;
      const int64_t run = std::min(shape.out_w - x, count - done);
      FillPatchRun(shape, input, row, {line / rows(), line % rows() * step, x, run},
                   patches + done);
      done += run;
    }
  }
};

PatchMoments::PatchMoments(int64_t groups, int64_t patch)
    : groups_(groups),
      patch_(patch),
      sums_(static_cast<size_t>(groups * patch)),
      products_(static_cast<size_t>(groups * patch * patch)) {}

size_t PatchMoments::Bytes(int64_t groups, int64_t patch) {
  return static_cast<size_t>(groups * patch * (patch + 1)) * sizeof(double);
}

void PatchMoments::AddBlock(const Places& places, int64_t group, int64_t first_row, int64_t rows) {
  // The lower triangle: columns up to the block's last row.
  const int64_t columns = first_row + rows;
  std::vector<float> patches(static_cast<size_t>(columns * kPositions));
  std::vector<float> block(static_cast<size_t>(rows * columns));
  PackedMatrix packed;
  for (int64_t begin = 0; begin < places.count(); begin += kPositions) {
    const int64_t count = std::min(kPositions, places.count() - begin);
    for (int64_t r = 0; r < columns; ++r) {
      places.Fill({group, r}, begin, count, patches.data() + r * kPositions);
    }
    packed.Pack(static_cast<size_t>(count), static_cast<size_t>(columns),
                {patches.data(), 1, kPositions});
    const float* mine = patches.data() + first_row * kPositions;
    Multiply(static_cast<size_t>(rows), {mine, kPositions, 1}, packed, block.data(),
             static_cast<size_t>(columns), false);
    for (int64_t r = 0; r < rows; ++r) {
      double* sums = products_.data() + (group * patch_ + first_row + r) * patch_;
      for (int64_t c = 0; c < columns; ++c) {
        sums[c] += double{block[static_cast<size_t>(r * columns + c)]};
      }
      double& sum = sums_[static_cast<size_t>(group * patch_ + first_row + r)];
      for (int64_t i = 0; i < count; ++i) sum += double{mine[r * kPositions + i]};
    }
  }
}

void PatchMoments::Add(const LayerShape& shape, std::span<const float> input, ThreadPool& pool) {
  Places places{shape, input};
  places.step =
      std::max<int64_t>(1, std::min(shape.out_h, shape.out_positions() / kEnoughPositions));
  const int64_t blocks = (patch_ + kRows - 1) / kRows;
  pool.ParallelFor(static_cast<size_t>(groups_ * blocks), [&](size_t i, int) {
    const int64_t first = static_cast<int64_t>(i) % blocks * kRows;
    AddBlock(places, static_cast<int64_t>(i) / blocks, first, std::min(kRows, patch_ - first));
  });
  count_ += places.count();
}

std::vector<double> PatchMoments::Means(int64_t group) const {
  std::vector<double> means(static_cast<size_t>(patch_));
  if (count_ == 0) return means;
  for (int64_t r = 0; r < patch_; ++r) {
    means[static_cast<size_t>(r)] =
        sums_[static_cast<size_t>(group * patch_ + r)] / static_cast<double>(count_);
  }
  return means;
}

std::vector<double> PatchMoments::Products(int64_t group) const {
  std::vector<double> products(static_cast<size_t>(patch_ * patch_));
  if (count_ == 0) return products;
  for (int64_t r = 0; r < patch_; ++r) {
    for (int64_t c = 0; c <= r; ++c) {
      const double mean = products_[static_cast<size_t>((group * patch_ + r) * patch_ + c)] /
                          static_cast<double>(count_);
      products[static_cast<size_t>(r * patch_ + c)] = mean;
      products[static_cast<size_t>(c * patch_ + r)] = mean;
    }
  }
  return products;
}

}  // namespace lathe::quant
