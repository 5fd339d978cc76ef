// All instruction sets must give the same bits, and the plain meaning.
#include "lathe/quant/internal/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::quant::internal {
namespace {

class KernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    kernels_ = KernelsFor(GetParam());
    if (!kernels_) GTEST_SKIP() << "this machine does not have the instruction set";
  }

  // Lengths that leave every kind of rest.
  static std::vector<float> Values(size_t count, float scale) {
    std::mt19937_64 random(count);
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(count);
    for (float& x : values) x = random() % 7 == 0 ? 0.0f : normal(random);
    return values;
  }

  const Kernels* kernels_ = nullptr;
};

const size_t kLengths[] = {0, 1, 7, 15, 16, 17, 63, 100, 511, 512, 513, 1000, 4095, 4096};

TEST_P(KernelsTest, FindRange) {
  for (const size_t length : kLengths) {
    const std::vector<float> values = Values(length, 3.0f);
    const ValueRange range = kernels_->find_range(values.data(), length);
    EXPECT_TRUE(range.finite());
    EXPECT_EQ(range.empty(), length == 0);
    if (length == 0) continue;
    EXPECT_EQ(range.min(), *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(range.max(), *std::max_element(values.begin(), values.end()));
  }
}

TEST_P(KernelsTest, FindRangeSeesWhatIsNotFinite) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float bad : {kInf, -kInf, std::nanf(""), -std::nanf("")}) {
    for (const size_t place : {0u, 31u, 98u}) {
      std::vector<float> values(99, 1.0f);
      values[place] = bad;
      EXPECT_FALSE(kernels_->find_range(values.data(), values.size()).finite());
    }
  }
  const std::vector values{std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()};
  EXPECT_TRUE(kernels_->find_range(values.data(), 2).finite());
}

TEST_P(KernelsTest, Accumulate) {
  for (const size_t length : kLengths) {
    const std::vector<float> values = Values(length, 10.0f);
    std::vector<uint64_t> words(2 * kTableSize);
    std::vector<uint64_t> expected(2 * kTableSize);
    kernels_->accumulate(values.data(), length, 512.0f, words.data());
    for (const float x : values) {
      const double position = std::abs(double{x}) * 512.0;
      const auto bin = static_cast<size_t>(position);
      const auto fraction = static_cast<uint64_t>((position - static_cast<double>(bin)) * 0x1p20);
      if (bin >= kFirstBin)
        expected[(x < 0 ? kTableSize : 0) + bin] += (uint64_t{1} << kSumBits) + fraction;
    }
    for (size_t bin = 0; bin < words.size(); ++bin) {
      if (bin % kTableSize < kFirstBin) continue;
      ASSERT_EQ(words[bin], expected[bin]) << bin;
    }
  }
}

TEST_P(KernelsTest, ScoreIsExact) {
  for (const size_t length : kLengths) {
    const std::vector<float> values = Values(length, 10.0f);
    const ScoreParams params{-12.0f, 17.0f, 0.37f, 0x1p12f};
    const ScoreSum sum = kernels_->score(values.data(), length, params);
    long double exact = 0;
    for (const float x : values) {
      const float error =
          params.scale * std::nearbyint(std::clamp(x, -12.0f, 17.0f) / params.scale) - x;
      exact += static_cast<long double>(error * error);
    }
    const long double got = static_cast<long double>(sum.high) * 0x1p-28L + sum.low * 0x1p-68L;
    EXPECT_NEAR(static_cast<double>(got - exact), 0.0, static_cast<double>(exact) * 0x1p-60);
    EXPECT_EQ(sum.high,
              KernelsFor(InstructionSet::kPortable)->score(values.data(), length, params).high);
    EXPECT_EQ(sum.low,
              KernelsFor(InstructionSet::kPortable)->score(values.data(), length, params).low);
  }
}

TEST_P(KernelsTest, ScoreIsTheSameForAnySplit) {
  const std::vector<float> values = Values(4096, 1.0f);
  const ScoreParams params{-1.5f, 2.0f, 0.01f, 0x1p6f};
  const ScoreSum whole = kernels_->score(values.data(), 4096, params);
  const ScoreSum left = kernels_->score(values.data(), 1001, params);
  const ScoreSum right = kernels_->score(values.data() + 1001, 4096 - 1001, params);
  EXPECT_EQ(whole.high, left.high + right.high);
  EXPECT_EQ(whole.low, left.low + right.low);
}

TEST_P(KernelsTest, Quantize) {
  for (const int num_bits : {4, 6, 7, 8}) {
    const float highest = static_cast<float>((1 << (num_bits - 1)) - 1);
    for (const size_t length : kLengths) {
      std::vector<float> values = Values(length, 10.0f);
      if (length > 4) {
        values[0] = 0.15f;  // rounding edges
        values[1] = 0.45f;
        values[2] = -0.75f;
        values[3] = std::numeric_limits<float>::max();
        values[4] = std::numeric_limits<float>::lowest();
      }
      std::vector<int8_t> integers(length);
      std::vector<float> fake(length);
      kernels_->quantize(values.data(), length, 0.3f, num_bits, integers.data());
      kernels_->fake_quantize(values.data(), length, 0.3f, num_bits, fake.data());
      for (size_t i = 0; i < length; ++i) {
        const float expected =
            std::clamp(std::nearbyint(values[i] / 0.3f), -highest - 1.0f, highest);
        ASSERT_EQ(integers[i], expected) << values[i];
        ASSERT_EQ(std::bit_cast<uint32_t>(fake[i]), std::bit_cast<uint32_t>(expected * 0.3f))
            << values[i];
      }
    }
  }
}

std::string SetName(const testing::TestParamInfo<InstructionSet>& info) {
  constexpr const char* kNames[] = {"Portable", "Avx2", "Avx512"};
  return kNames[static_cast<size_t>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, KernelsTest,
                         testing::Values(InstructionSet::kPortable, InstructionSet::kAvx2,
                                         InstructionSet::kAvx512),
                         SetName);

}  // namespace
}  // namespace lathe::quant::internal
