// AdaRound: the scales it starts from, its schedule, its gradient, and what it is for.
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/quant/ada_layer.h"
#include "lathe/quant/ada_round.h"
#include "lathe/quant/ada_scale.h"
#include "lathe/quant/arq.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;
using testing::FloatEq;

std::vector<float> Random(int64_t count, uint32_t seed, float width = 1.0f) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    value = width * (static_cast<float>(generator() >> 8) / 8388608.0f - 1.0f);
  }
  return values;
}

TEST(KlScales, TheReferencesVector) {
  std::vector<float> values;
  for (int k = -50; k <= 50; ++k) values.push_back(static_cast<float>(k) / 50.0f);
  values[0] = -3.0f;
  const auto scales = KlScales(values, WeightLayout::PerTensor(101));
  ASSERT_TRUE(scales.ok());
  EXPECT_THAT(*scales, ElementsAre(FloatEq(0.0234375f)));
}

TEST(KlScales, ChannelsAreScaledOneByOne) {
  std::vector<float> values = Random(3 * 40, 1);
  std::fill(values.begin() + 40, values.begin() + 80, 0.0f);
  for (size_t i = 80; i < 120; ++i) values[i] *= 1e-9f;
  const auto scales = KlScales(values, WeightLayout::AlongAxis(1, 3, 40));
  ASSERT_TRUE(scales.ok());
  EXPECT_EQ((*scales)[0], (*KlScales(std::span(values).first(40), WeightLayout::PerTensor(40)))[0]);
  EXPECT_EQ((*scales)[1], 1.0f);  // zeros
  EXPECT_EQ((*scales)[2], 1.0f);  // too small
  // [2, 3 channels, 20]: the runs of a channel are apart.
  std::vector<float> apart;
  for (size_t outer = 0; outer < 2; ++outer) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < 20; ++i) apart.push_back(values[c * 40 + outer * 20 + i]);
    }
  }
  EXPECT_EQ(*KlScales(apart, WeightLayout::AlongAxis(2, 3, 20)), *scales);
}

TEST(KlScales, Refuses) {
  EXPECT_EQ(
      KlScales(std::vector{1.0f, std::nanf("")}, WeightLayout::PerTensor(2)).status().message(),
      "the weight value at index 1 is nan; only finite weights can be quantised");
  EXPECT_EQ(KlScales(std::vector{1.0f}, WeightLayout::PerTensor(2)).status().message(),
            "the weight has 1 values where its shape needs 2");
}

TEST(AdaPenalty, IsTheReferences) {
  const AdaRoundOptions options;
  EXPECT_FALSE(AdaPenaltyAt(options, 1999).active);
  EXPECT_TRUE(AdaPenaltyAt(options, 2000).active);
  EXPECT_DOUBLE_EQ(AdaPenaltyAt(options, 2000).beta, 20);
  EXPECT_DOUBLE_EQ(AdaPenaltyAt(options, 6000).beta, 11);
  EXPECT_NEAR(AdaPenaltyAt(options, 9999).beta, 2, 1e-5);
}

TEST(AdaRounding, StartsFromTheWeightsClippedToTheirRange) {
  const std::vector<float> weights = {0.5f, -1.0f, 0.26f, 1.3f, -1.5f, 0.0f};
  const auto rounding =
      AdaRounding::Create(weights, WeightLayout::PerTensor(6), std::vector{1.0f / 128}, {});
  ASSERT_TRUE(rounding.ok());
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(rounding->weights()[i], std::clamp(weights[i], -1.0f, 127.0f / 128), 1e-6f) << i;
  }
}

TEST(AdaRounding, Refuses) {
  const std::vector<float> scale{1.0f};
  const auto create = [&](std::vector<float> weights, std::vector<float> scales) {
    return std::string(
        AdaRounding::Create(weights, WeightLayout::PerTensor(2), scales, {}).status().message());
  };
  EXPECT_EQ(create({1, 2, 3}, scale), "the weight has 3 values where its shape needs 2");
  EXPECT_EQ(create({1, 2}, {1, 1}), "2 weight scales are given for 1 channels");
  EXPECT_EQ(create({1, 2}, {0}),
            "the weight scale of channel 0 is 0; it must be positive and finite");
  EXPECT_EQ(create({1, std::nanf("")}, scale),
            "a weight is not finite; only finite weights can be quantised");
}

// The layer computed as the definition says, one output value at a time, in double.
double SlowLoss(const LayerShape& s, std::span<const float> x, std::span<const float> t,
                std::span<const float> w, std::span<const float> bias,
                const std::function<double(double)>& activate, double positions) {
  double loss = 0;
  const int64_t cout = s.groups * s.cout;
  const int64_t cin = s.groups * s.cin;
  const auto at = [](std::span<const float> values, int64_t i) {
    return double{values[static_cast<size_t>(i)]};
  };
  for (int64_t n = 0; n < s.samples; ++n) {
    for (int64_t c = 0; c < cout; ++c) {
      for (int64_t y = 0; y < s.out_h; ++y) {
        for (int64_t z = 0; z < s.out_w; ++z) {
          double sum = bias.empty() ? 0 : at(bias, c);
          const int64_t group = c / s.cout;
          for (int64_t i = 0; i < s.cin; ++i) {
            for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
              for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
                int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
                int64_t ix = z * s.stride_w - s.pad_left + kx * s.dilation_w;
                if (s.transposed) {
                  iy = y + s.pad_top - ky * s.dilation_h;
                  ix = z + s.pad_left - kx * s.dilation_w;
                  if (iy % s.stride_h != 0 || ix % s.stride_w != 0) continue;
                  iy /= s.stride_h;
                  ix /= s.stride_w;
                }
                if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                const int64_t channel = group * s.cin + i;
                const int64_t place = s.channels_last
                                          ? ((n * s.in_h + iy) * s.in_w + ix) * cin + channel
                                          : ((n * cin + channel) * s.in_h + iy) * s.in_w + ix;
                sum += at(x, place) *
                       at(w, (c * s.cin + i) * s.kernel_h * s.kernel_w + ky * s.kernel_w + kx);
              }
            }
          }
          const int64_t place = s.channels_last ? ((n * s.out_h + y) * s.out_w + z) * cout + c
                                                : ((n * cout + c) * s.out_h + y) * s.out_w + z;
          const double error = activate(sum) - at(t, place);
          loss += error * error;
        }
      }
    }
  }
  return loss / (static_cast<double>(s.samples) * positions);
}

struct Kind {
  AdaActivation activation;
  std::function<double(double)> value;
};

std::vector<Kind> Kinds() {
  return {
      {AdaActivation::kNone, [](double z) { return z; }},
      {AdaActivation::kRelu, [](double z) { return std::max(z, 0.0); }},
      {AdaActivation::kSigmoid, [](double z) { return 1 / (1 + std::exp(-z)); }},
      {AdaActivation::kTanh, [](double z) { return std::tanh(z); }},
      {AdaActivation::kLeakyRelu, [](double z) { return z > 0 ? z : 0.25 * z; }},
      {AdaActivation::kClip6, [](double z) { return std::clamp(z, 0.0, 6.0); }},
      {AdaActivation::kGelu, [](double z) { return 0.5 * z * (1 + std::erf(z / std::sqrt(2.0))); }},
      {AdaActivation::kTanhGelu,
       [](double z) { return 0.5 * z * (1 + std::tanh(0.79788458 * (z + 0.044715 * z * z * z))); }},
  };
}

std::vector<LayerShape> Shapes() {
  std::vector<LayerShape> shapes;
  shapes.push_back({.samples = 2,
                    .cin = 3,
                    .cout = 5,
                    .in_h = 6,
                    .in_w = 7,
                    .out_h = 6,
                    .out_w = 7,
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .pad_top = 1,
                    .pad_left = 1});
  // Strided, dilated, in groups, with odd pads.
  shapes.push_back({.samples = 2,
                    .groups = 3,
                    .cin = 2,
                    .cout = 4,
                    .in_h = 9,
                    .in_w = 8,
                    .out_h = 4,
                    .out_w = 4,
                    .kernel_h = 3,
                    .kernel_w = 2,
                    .stride_h = 2,
                    .stride_w = 2,
                    .dilation_h = 1,
                    .dilation_w = 2,
                    .pad_top = 0,
                    .pad_left = 1});
  // Depthwise; more positions than are taken at once.
  shapes.push_back({.samples = 3,
                    .groups = 4,
                    .cin = 1,
                    .cout = 1,
                    .in_h = 17,
                    .in_w = 19,
                    .out_h = 17,
                    .out_w = 19,
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .pad_top = 1,
                    .pad_left = 1});
  // Transposed, in groups.
  shapes.push_back({.samples = 2,
                    .groups = 2,
                    .cin = 3,
                    .cout = 2,
                    .in_h = 4,
                    .in_w = 5,
                    .out_h = 8,
                    .out_w = 11,
                    .kernel_h = 4,
                    .kernel_w = 3,
                    .stride_h = 2,
                    .stride_w = 2,
                    .pad_top = 1,
                    .transposed = true});
  // A matrix product over rows, with more channels than a panel has.
  shapes.push_back(
      {.samples = 3, .cin = 37, .cout = 70, .in_w = 5, .out_w = 5, .channels_last = true});
  return shapes;
}

TEST(AdaLayer, LossAndGradientAreThoseOfTheDefinition) {
  ThreadPool pool(2);
  for (const LayerShape& s : Shapes()) {
    const auto x = Random(s.samples * s.groups * s.cin * s.in_h * s.in_w, 1);
    const auto t = Random(s.samples * s.groups * s.cout * s.out_positions(), 2);
    auto w = Random(s.groups * s.cout * s.patch(), 3);
    const auto bias = Random(s.groups * s.cout, 4);
    std::vector<int64_t> all(static_cast<size_t>(s.samples));
    std::iota(all.begin(), all.end(), 0);
    for (const Kind& kind : Kinds()) {
      SCOPED_TRACE(static_cast<int>(kind.activation));
      const std::vector<float> slopes =
          kind.activation == AdaActivation::kLeakyRelu ? std::vector{0.25f} : std::vector<float>{};
      auto layer = AdaLayer::Create(s, x, t, bias, kind.activation, slopes, 7);
      ASSERT_TRUE(layer.ok());
      std::vector<float> gradient(w.size());
      const double loss = layer->Loss(w, all, gradient, pool);
      EXPECT_NEAR(loss, SlowLoss(s, x, t, w, bias, kind.value, 7), 1e-5 * loss);
      for (const size_t i : {size_t{0}, w.size() / 2, w.size() - 1}) {
        constexpr float kStep = 1e-3f;
        const float kept = w[i];
        w[i] = kept + kStep;
        const double above = SlowLoss(s, x, t, w, bias, kind.value, 7);
        w[i] = kept - kStep;
        const double below = SlowLoss(s, x, t, w, bias, kind.value, 7);
        w[i] = kept;
        EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 2e-3 * std::sqrt(loss)) << i;
      }
    }
  }
}

TEST(AdaLayer, TakesTheSamplesItIsGiven) {
  ThreadPool pool(1);
  const LayerShape s = Shapes()[0];
  const auto x = Random(2 * 3 * 42, 1);
  const auto t = Random(2 * 5 * 42, 2);
  const auto w = Random(5 * 27, 3);
  auto both = AdaLayer::Create(s, x, t, {}, AdaActivation::kRelu, {}, 42);
  LayerShape one = s;
  one.samples = 1;
  auto second = AdaLayer::Create(one, std::span(x).subspan(3 * 42), std::span(t).subspan(5 * 42),
                                 {}, AdaActivation::kRelu, {}, 42);
  ASSERT_TRUE(both.ok() && second.ok());
  EXPECT_DOUBLE_EQ(both->Loss(w, std::vector<int64_t>{1}, {}, pool),
                   second->Loss(w, std::vector<int64_t>{0}, {}, pool));
}

TEST(AdaLayer, Refuses) {
  const LayerShape s = Shapes()[4];
  const std::vector<float> x(3 * 5 * 37);
  const std::vector<float> t(3 * 5 * 70);
  EXPECT_EQ(AdaLayer::Create(s, t, t, {}, AdaActivation::kNone, {}, 1).status().message(),
            "1050 inputs and 1050 outputs where the layer's shape needs 555 and 1050");
  EXPECT_EQ(
      AdaLayer::Create(s, x, t, std::vector{1.0f}, AdaActivation::kNone, {}, 1).status().message(),
      "a bias of 1 values for 70 channels");
  EXPECT_EQ(AdaLayer::Create(s, x, t, {}, AdaActivation::kLeakyRelu, std::vector{1.0f, 2.0f}, 1)
                .status()
                .message(),
            "2 slopes for 70 channels");
}

// The point of it: after learning, the rounded weights give the layer's output better than
// rounding to the nearest does, and the bits are those of one thread.
TEST(AdaRound, BeatsRoundingToNearest) {
  LayerShape s{.samples = 24, .cin = 24, .cout = 12, .channels_last = true};
  // Correlated inputs, where neighbours can make up for each other's rounding.
  auto x = Random(s.samples * s.cin, 1);
  for (size_t i = 1; i < x.size(); ++i) x[i] = 0.9f * x[i - 1] + 0.3f * x[i];
  const auto w = Random(s.cout * s.patch(), 2, 0.3f);
  const WeightLayout layout = WeightLayout::AlongAxis(1, s.cout, s.patch());
  // Few steps, so that rounding matters.
  const std::vector<float> scales(static_cast<size_t>(s.cout), 0.05f);
  std::vector<float> t(static_cast<size_t>(s.samples * s.cout));
  for (size_t n = 0; n < 24; ++n) {
    for (size_t c = 0; c < 12; ++c) {
      for (size_t i = 0; i < 24; ++i) t[n * 12 + c] += x[n * 24 + i] * w[c * 24 + i];
    }
  }
  std::vector<int64_t> all(24);
  std::iota(all.begin(), all.end(), 0);
  const auto learn = [&](int threads) {
    ThreadPool pool(threads);
    auto layer = AdaLayer::Create(s, x, t, {}, AdaActivation::kNone, {}, 1);
    auto rounding = AdaRounding::Create(w, layout, scales, {.num_iteration = 2000});
    EXPECT_TRUE(layer.ok() && rounding.ok());
    std::vector<float> gradient(w.size());
    for (int i = 0; i < 2000; ++i) {
      layer->Loss(rounding->weights(), all, gradient, pool);
      rounding->Step(gradient, pool);
    }
    return std::vector<float>(rounding->weights().begin(), rounding->weights().end());
  };
  const std::vector<float> learnt = learn(1);
  EXPECT_EQ(learnt, learn(3));
  ThreadPool pool(1);
  auto layer = AdaLayer::Create(s, x, t, {}, AdaActivation::kNone, {}, 1);
  std::vector<float> nearest(w.size());
  std::vector<float> rounded(w.size());
  ASSERT_TRUE(FakeQuantizeWeights(w, layout, scales, 8, nearest).ok());
  ASSERT_TRUE(FakeQuantizeWeights(learnt, layout, scales, 8, rounded).ok());
  EXPECT_LT(layer->Loss(rounded, all, {}, pool), 0.5 * layer->Loss(nearest, all, {}, pool));
}

}  // namespace
}  // namespace lathe::quant
