// The streaming IFMR against the one that keeps everything, on generated tensors of every kind.
#include <cmath>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "ifmr_oracle.h"
#include "lathe/quant/ifmr.h"

namespace lathe::quant {
namespace {

using Random = std::mt19937_64;

enum class Kind {
  kNormal,
  kRelu,
  kRelu6,
  kUniform,
  kHeavyTailed,
  kConstant,
  kZero,
  kSparse,
  kTiny,
  kVanishing,
  kHuge,
  kLattice,
  kAllNegative,
  kOutliers,
  kManyMagnitudes,
  kFewDistinct,
  kCount
};

std::vector<float> Generate(Kind kind, Random& random) {
  std::vector<float> values(1 + random() % 20000);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  const float shift = normal(random);
  const float scale = std::exp(normal(random));
  const float step = std::ldexp(1.0f, -static_cast<int>(random() % 8));
  for (float& x : values) {
    const float z = normal(random);
    switch (kind) {
      case Kind::kNormal:
        x = scale * (z + shift);
        break;
      case Kind::kRelu:
        x = std::max(0.0f, scale * (z + 0.5f * shift));
        break;
      case Kind::kRelu6:
        x = std::clamp(scale * 3.0f * z, 0.0f, 6.0f);
        break;
      case Kind::kUniform:
        x = scale * (uniform(random) + 0.3f * shift);
        break;
      case Kind::kHeavyTailed:
        x = scale * z / std::max(uniform(random), 1e-4f);
        break;
      case Kind::kConstant:
        x = shift;
        break;
      case Kind::kZero:
        x = z < 0.0f ? -0.0f : 0.0f;
        break;
      case Kind::kSparse:
        x = uniform(random) < 0.98f ? 0.0f : scale * z;
        break;
      case Kind::kTiny:
        x = 1e-5f * scale * z;
        break;
      case Kind::kVanishing:
        x = 1e-12f * z;
        break;
      case Kind::kHuge:
        x = 1e17f * std::clamp(z, -4.0f, 4.0f);
        break;
      case Kind::kLattice:
        x = std::round(8.0f * z) * step;
        break;
      case Kind::kAllNegative:
        x = -scale * std::abs(z) - 0.1f;
        break;
      case Kind::kOutliers:
        x = uniform(random) < 0.0002f ? 300.0f * z : z;
        break;
      case Kind::kManyMagnitudes:
        x = z * std::exp(6.0f * normal(random));
        break;
      case Kind::kFewDistinct:
        x = static_cast<float>(random() % 5) * scale - shift;
        break;
      case Kind::kCount:
        break;
    }
  }
  return values;
}

struct Outcome {
  ActivationRange range;
  int passes = 0;
  size_t survivors = 0;
};

// Feeds random pieces in random order, alternating between two scratches, with some other
// observer's data between.
Outcome Stream(const IfmrOptions& options, const std::vector<float>& values, Random& random) {
  auto observer = IfmrObserver::Create(options, values.size());
  EXPECT_TRUE(observer.ok());
  Outcome outcome;
  IfmrScratch scratches[2];
  for (;;) {
    std::vector<std::pair<size_t, size_t>> pieces;
    for (size_t begin = 0; begin < values.size();) {
      const size_t length = std::min<size_t>(1 + random() % 9000, values.size() - begin);
      pieces.emplace_back(begin, length);
      begin += length;
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    for (const auto& [begin, length] : pieces) {
      EXPECT_TRUE((*observer)
                      ->Observe(std::span(values).subspan(begin, length), scratches[random() % 2])
                      .ok());
    }
    ++outcome.passes;
    const StatusOr<bool> decided = (*observer)->FinishPass();
    EXPECT_TRUE(decided.ok()) << decided.status();
    if (!decided.ok() || *decided) break;
    outcome.survivors = (*observer)->survivors();
  }
  outcome.range = (*observer)->result();
  return outcome;
}

class IfmrProperty : public testing::TestWithParam<int> {};

TEST_P(IfmrProperty, ChoosesWhatTheOracleChooses) {
  const Kind kind = static_cast<Kind>(GetParam());
  Random random(1000 + static_cast<uint64_t>(GetParam()));
  int one_pass = 0;
  constexpr int kTensors = 30;
  for (int tensor = 0; tensor < kTensors; ++tensor) {
    const std::vector<float> values = Generate(kind, random);
    const double percentiles[] = {1.0, 0.999999, 0.9999, 0.99, 0.7};
    IfmrOptions options;
    options.num_bits = std::array{8, 8, 8, 4, 16}[random() % 5];
    options.asymmetric = random() % 2 == 0;
    options.max_percentile = percentiles[random() % 5];
    options.min_percentile = percentiles[random() % 5];
    if (random() % 4 == 0) {
      options.search_range_start = 0.8;
      options.search_range_end = 1.2;
      options.search_step = 0.02;
    }
    const OracleChoice expected = ChooseIfmr(options, values);
    const Outcome first = Stream(options, values, random);
    const Outcome second = Stream(options, values, random);
    EXPECT_EQ(first.range, expected.range)
        << "tensor " << tensor << " of " << values.size() << ", bits " << options.num_bits
        << ", asymmetric " << options.asymmetric << ", percentiles " << options.max_percentile
        << " " << options.min_percentile << ", ratio " << expected.ratio << ", scale "
        << first.range.params.scale << " instead of " << expected.range.params.scale;
    EXPECT_EQ(first.range, second.range);
    EXPECT_EQ(first.passes, second.passes);
    EXPECT_EQ(first.survivors, second.survivors);
    one_pass += first.passes == 1;
  }
  RecordProperty("decided_in_one_pass", one_pass);
}

std::string KindName(const testing::TestParamInfo<int>& info) {
  constexpr const char* kNames[] = {"Normal",      "Relu",      "Relu6",          "Uniform",
                                    "HeavyTailed", "Constant",  "Zero",           "Sparse",
                                    "Tiny",        "Vanishing", "Huge",           "Lattice",
                                    "AllNegative", "Outliers",  "ManyMagnitudes", "FewDistinct"};
  return kNames[info.param];
}

INSTANTIATE_TEST_SUITE_P(Kinds, IfmrProperty, testing::Range(0, static_cast<int>(Kind::kCount)),
                         KindName);

}  // namespace
}  // namespace lathe::quant
