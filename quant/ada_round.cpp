#include "lathe/quant/ada_round.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::quant {
namespace {

constexpr float kZeta = 1.1f;
constexpr float kGamma = -0.1f;
constexpr float kLowest = -128.0f;
constexpr float kHighest = 127.0f;
// Weights of one piece of work.
constexpr size_t kPiece = size_t{1} << 14;

float Sigmoid(float alpha) { return 1.0f / (1.0f + std::exp(-alpha)); }
// h before it is clamped.
float Stretched(float sigmoid) { return sigmoid * (kZeta - kGamma) + kGamma; }
float RoundUp(float alpha) { return std::clamp(Stretched(Sigmoid(alpha)), 0.0f, 1.0f); }

size_t Pieces(size_t count) { return (count + kPiece - 1) / kPiece; }

}  // namespace

AdaPenalty AdaPenaltyAt(const AdaRoundOptions& options, int64_t iteration) {
  const double all = static_cast<double>(options.num_iteration);
  const double warm = options.warm_start * all;
  const auto now = static_cast<double>(iteration);
  if (now < warm) return {};
  const double progress = (now - warm) / (all - warm);
  return {true, options.beta_end + 0.5 * (options.beta_start - options.beta_end) *
                                       (1 + std::cos(std::numbers::pi * progress))};
}

StatusOr<AdaRounding> AdaRounding::Create(std::span<const float> weights,
                                          const WeightLayout& layout, std::span<const float> scales,
                                          const AdaRoundOptions& options) {
  if (weights.empty() || weights.size() != static_cast<size_t>(layout.size())) {
    return InvalidInput("the weight has {} values where its shape needs {}", weights.size(),
                        layout.size());
  }
  if (scales.size() != static_cast<size_t>(layout.channels())) {
    return InvalidInput("{} weight scales are given for {} channels", scales.size(),
                        layout.channels());
  }
  for (size_t channel = 0; channel < scales.size(); ++channel) {
    if (scales[channel] > 0.0f && std::isfinite(scales[channel])) continue;
    return InvalidInput("the weight scale of channel {} is {}; it must be positive and finite",
                        channel, scales[channel]);
  }
  AdaRounding result(options, layout, {scales.begin(), scales.end()});
  const size_t count = weights.size();
  for (std::vector<float>* each : {&result.floor_, &result.alpha_, &result.soft_}) {
    each->resize(count);
  }
  result.mean_.assign(count, 0.0f);
  result.square_.assign(count, 0.0f);
  bool finite = true;
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    result.channel_of_run_.push_back(static_cast<uint32_t>(channel));
    for (size_t i = begin; i < begin + length; ++i) {
      const float steps = weights[i] / scales[channel];
      finite &= std::isfinite(steps);
      const float down = std::floor(steps);
      result.floor_[i] = down;
      result.alpha_[i] = -std::log((kZeta - kGamma) / ((steps - down) - kGamma) - 1.0f);
    }
  });
  if (!finite) return InvalidInput("a weight is not finite; only finite weights can be quantised");
  result.UpdateSoft(0, count);
  return result;
}

void AdaRounding::UpdateSoft(size_t begin, size_t end) {
  const auto inner = static_cast<size_t>(layout_.inner);
  for (size_t i = begin; i < end; ++i) {
    const float scale = scales_[channel_of_run_[i / inner]];
    soft_[i] = std::clamp(floor_[i] + RoundUp(alpha_[i]), kLowest, kHighest) * scale;
  }
}

double AdaRounding::Penalty() const {
  const AdaPenalty penalty = AdaPenaltyAt(options_, iteration_);
  if (!penalty.active) return 0;
  double sum = 0;
  for (const float alpha : alpha_) {
    sum += 1 - std::pow(std::abs(2.0 * RoundUp(alpha) - 1), penalty.beta);
  }
  return options_.reg_param * sum;
}

void AdaRounding::Step(std::span<const float> gradient, ThreadPool& pool) {
  constexpr double kRate = 1e-3;
  constexpr float kEpsilon = 1e-8f;
  constexpr float kMeanDecay = 0.9f;
  constexpr float kSquareDecay = 0.999f;
  const AdaPenalty penalty = AdaPenaltyAt(options_, iteration_);
  const auto strength = static_cast<float>(options_.reg_param * penalty.beta * 2);
  const auto exponent = static_cast<float>(penalty.beta - 1);
  const auto step = static_cast<double>(iteration_ + 1);
  const auto rate = static_cast<float>(kRate / (1 - std::pow(0.9, step)));
  const auto correction = static_cast<float>(std::sqrt(1 - std::pow(0.999, step)));
  const auto inner = static_cast<size_t>(layout_.inner);
  pool.ParallelFor(Pieces(soft_.size()), [&](size_t piece, int) {
    const size_t begin = piece * kPiece;
    const size_t end = std::min(soft_.size(), begin + kPiece);
    for (size_t i = begin; i < end; ++i) {
      const float sigmoid = Sigmoid(alpha_[i]);
      const float stretched = Stretched(sigmoid);
      const float up = std::clamp(stretched, 0.0f, 1.0f);
      const float value = floor_[i] + up;
      // The clamp lets gradients through up to and at its bounds.
      float slope = value >= kLowest && value <= kHighest
                        ? gradient[i] * scales_[channel_of_run_[i / inner]]
                        : 0.0f;
      if (penalty.active) {
        const float side = 2.0f * up - 1.0f;
        slope -= std::copysign(strength * std::pow(std::abs(side), exponent), side);
      }
      const bool open = stretched >= 0.0f && stretched <= 1.0f;
      const float down = open ? slope * (kZeta - kGamma) * sigmoid * (1.0f - sigmoid) : 0.0f;
      mean_[i] = kMeanDecay * mean_[i] + (1.0f - kMeanDecay) * down;
      square_[i] = kSquareDecay * square_[i] + (1.0f - kSquareDecay) * down * down;
      alpha_[i] -= rate * mean_[i] / (std::sqrt(square_[i]) / correction + kEpsilon);
    }
    UpdateSoft(begin, end);
  });
  ++iteration_;
}

}  // namespace lathe::quant
