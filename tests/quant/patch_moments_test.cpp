#include "lathe/quant/patch_moments.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

std::vector<float> Random(int64_t count) {
  std::mt19937 generator(3);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(generator() % 1000) / 500.0f - 0.7f;
  return values;
}

// What weight (channel, ky, kx) of a convolution meets, by the definition.
float At(const LayerShape& s, std::span<const float> x, int64_t sample, int64_t channel, int64_t y,
         int64_t x_place, int64_t tap) {
  const int64_t in_y = y * s.stride_h - s.pad_top + tap / s.kernel_w * s.dilation_h;
  const int64_t in_x = x_place * s.stride_w - s.pad_left + tap % s.kernel_w * s.dilation_w;
  if (in_y < 0 || in_y >= s.in_h || in_x < 0 || in_x >= s.in_w) return 0;
  const int64_t channels = s.groups * s.cin;
  return x[static_cast<size_t>(((sample * channels + channel) * s.in_h + in_y) * s.in_w + in_x)];
}

// The patch of each output position of a group, one after the other.
std::vector<std::vector<double>> Patches(const LayerShape& s, std::span<const float> x,
                                         int64_t group) {
  std::vector<std::vector<double>> patches;
  const int64_t taps = s.kernel_h * s.kernel_w;
  for (int64_t place = 0; place < s.samples * s.out_positions(); ++place) {
    const int64_t sample = place / s.out_positions();
    const int64_t position = place % s.out_positions();
    std::vector<double>& patch = patches.emplace_back();
    for (int64_t i = 0; i < s.patch(); ++i) {
      patch.push_back(double{At(s, x, sample, group * s.cin + i / taps, position / s.out_w,
                                position % s.out_w, i % taps)});
    }
  }
  return patches;
}

void ExpectMoments(const PatchMoments& moments, int64_t group,
                   const std::vector<std::vector<double>>& patches) {
  const auto patch = static_cast<size_t>(moments.patch());
  const std::vector<double> means = moments.Means(group);
  const std::vector<double> products = moments.Products(group);
  ASSERT_EQ(products.size(), patch * patch);
  for (size_t i = 0; i < patch; ++i) {
    double mean = 0;
    for (const auto& each : patches) mean += each[i];
    EXPECT_NEAR(means[i], mean / static_cast<double>(patches.size()), 1e-6);
    for (size_t j = 0; j < patch; ++j) {
      double product = 0;
      for (const auto& each : patches) product += each[i] * each[j];
      EXPECT_NEAR(products[i * patch + j], product / static_cast<double>(patches.size()), 1e-6);
    }
  }
}

LayerShape GroupedConv() {
  return {.samples = 2,
          .groups = 2,
          .cin = 13,
          .cout = 3,
          .in_h = 9,
          .in_w = 11,
          .out_h = 5,
          .out_w = 5,
          .kernel_h = 3,
          .kernel_w = 3,
          .stride_h = 2,
          .stride_w = 2,
          .dilation_w = 2,
          .pad_top = 1,
          .pad_left = 1};
}

TEST(PatchMoments, AreThoseOfTheDefinition) {
  ThreadPool pool(2);
  const LayerShape s = GroupedConv();
  const std::vector<float> x = Random(s.samples * 26 * 99);
  PatchMoments moments(s.groups, s.patch());
  moments.Add(s, x, pool);
  for (const int64_t group : {0, 1}) ExpectMoments(moments, group, Patches(s, x, group));
}

TEST(PatchMoments, AddUpOverBatchesOfAnyExtent) {
  ThreadPool pool(1);
  LayerShape s{.cin = 3, .cout = 1, .in_h = 4, .in_w = 4, .out_h = 4, .out_w = 4};
  const std::vector<float> first = Random(3 * 16);
  PatchMoments moments(1, s.patch());
  moments.Add(s, first, pool);
  std::vector<std::vector<double>> patches = Patches(s, first, 0);
  s.in_h = s.out_h = 7;
  const std::vector<float> second = Random(3 * 28);
  moments.Add(s, second, pool);
  for (auto& patch : Patches(s, second, 0)) patches.push_back(std::move(patch));
  ExpectMoments(moments, 0, patches);
}

TEST(PatchMoments, OfMatrixProductsAreThoseOfTheRows) {
  ThreadPool pool(1);
  const LayerShape s{
      .samples = 2, .cin = 4, .cout = 5, .in_w = 3, .out_w = 3, .channels_last = true};
  const std::vector<float> x = Random(2 * 3 * 4);
  PatchMoments moments(1, 4);
  moments.Add(s, x, pool);
  std::vector<std::vector<double>> rows;
  for (size_t row = 0; row < 6; ++row) {
    rows.emplace_back(x.begin() + static_cast<int64_t>(row * 4),
                      x.begin() + static_cast<int64_t>(row * 4 + 4));
  }
  ExpectMoments(moments, 0, rows);
}

TEST(PatchMoments, LooksAtEvenlySpacedRowsOfLargeOutputs) {
  ThreadPool pool(1);
  // Row y holds y, and of 128 rows every second is taken.
  const LayerShape s{.cin = 1, .cout = 1, .in_h = 128, .in_w = 64, .out_h = 128, .out_w = 64};
  std::vector<float> x(128 * 64);
  for (size_t row = 0; row < 128; ++row) {
    std::fill_n(x.begin() + static_cast<int64_t>(row * 64), 64, static_cast<float>(row));
  }
  PatchMoments moments(1, 1);
  moments.Add(s, x, pool);
  EXPECT_DOUBLE_EQ(moments.Means(0)[0], 63);
}

TEST(PatchMoments, AreTheSameBitsForAnyNumberOfThreads) {
  const LayerShape s = GroupedConv();
  const std::vector<float> x = Random(s.samples * 26 * 99);
  PatchMoments one(s.groups, s.patch());
  PatchMoments three(s.groups, s.patch());
  ThreadPool pool_of_one(1);
  ThreadPool pool_of_three(3);
  one.Add(s, x, pool_of_one);
  three.Add(s, x, pool_of_three);
  EXPECT_EQ(one.Products(1), three.Products(1));
  EXPECT_EQ(one.Means(0), three.Means(0));
}

TEST(PatchMoments, OfNothingAreZero) {
  EXPECT_EQ(PatchMoments(1, 2).Products(0), std::vector<double>(4));
  EXPECT_EQ(PatchMoments(1, 2).Means(0), std::vector<double>(2));
  EXPECT_EQ(PatchMoments::Bytes(2, 3), 2 * 3 * 4 * sizeof(double));
}

}  // namespace
}  // namespace lathe::quant
