#include "lathe/quant/ada_layer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::quant {
namespace {

// Positions whose patches are laid out at once, and rows of patches that one piece of the gradient
// takes: multiples of the rows that the product's kernel takes at once.
constexpr int64_t kPositions = 240;
constexpr int64_t kPatchRows = 24;

struct ActivationValue {
  float value;
  float slope;
};

ActivationValue Activate(AdaActivation activation, float z, float leak) {
  switch (activation) {
    case AdaActivation::kNone:
      break;
    case AdaActivation::kRelu:
      return z > 0 ? ActivationValue{z, 1} : ActivationValue{0, 0};
    case AdaActivation::kSigmoid: {
      const float value = 1.0f / (1.0f + std::exp(-z));
      return {value, value * (1 - value)};
    }
    case AdaActivation::kTanh: {
      const float value = std::tanh(z);
      return {value, 1 - value * value};
    }
    case AdaActivation::kLeakyRelu:
      return z > 0 ? ActivationValue{z, 1} : ActivationValue{z * leak, leak};
    case AdaActivation::kClip6:
      // The bounds themselves pass gradients on, as a clamp of the reference does.
      return {std::clamp(z, 0.0f, 6.0f), z >= 0.0f && z <= 6.0f ? 1.0f : 0.0f};
    case AdaActivation::kGelu: {
      constexpr auto kRoot = static_cast<float>(std::numbers::sqrt2);
      const float share = 0.5f * (1 + std::erf(z / kRoot));
      const float density = std::exp(-0.5f * z * z) *
                            static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
      return {z * share, share + z * density};
    }
    case AdaActivation::kTanhGelu: {
      constexpr float kFactor = 0.79788458f;
      constexpr float kCubic = 0.044715f;
      const float wave = std::tanh(kFactor * (z + kCubic * z * z * z));
      const float inner = kFactor * (1 + 3 * kCubic * z * z);
      return {0.5f * z * (1 + wave), 0.5f * (1 + wave) + 0.5f * z * (1 - wave * wave) * inner};
    }
  }
  return {z, 1};
}

}  // namespace

StatusOr<AdaLayer> AdaLayer::Create(const LayerShape& shape, std::span<const float> input,
                                    std::span<const float> target, std::span<const float> bias,
                                    AdaActivation activation, std::span<const float> slopes,
                                    double positions) {
  const int64_t cin = shape.groups * shape.cin;
  const int64_t cout = shape.groups * shape.cout;
  const auto inputs = static_cast<size_t>(shape.samples * cin * shape.in_h * shape.in_w);
  const auto outputs = static_cast<size_t>(shape.samples * cout * shape.out_positions());
  if (input.size() != inputs || target.size() != outputs) {
    return InvalidInput("{} inputs and {} outputs where the layer's shape needs {} and {}",
                        input.size(), target.size(), inputs, outputs);
  }
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != cout) {
    return InvalidInput("a bias of {} values for {} channels", bias.size(), cout);
  }
  if (slopes.size() > 1 && static_cast<int64_t>(slopes.size()) != cout) {
    return InvalidInput("{} slopes for {} channels", slopes.size(), cout);
  }
  AdaLayer layer;
  layer.shape_ = shape;
  layer.input_ = input;
  layer.target_ = target;
  layer.bias_ = bias;
  layer.slopes_ = slopes;
  layer.activation_ = activation;
  layer.positions_ = positions;
  layer.packed_.resize(static_cast<size_t>(shape.groups));
  layer.slopes_out_.resize(static_cast<size_t>(shape.groups));
  return layer;
}

// patches [rows, kPositions]: rows first_row and on of the chunk's patches.
void AdaLayer::FillPatches(const Chunk& chunk, int64_t group, std::span<const int64_t> samples,
                           int64_t first_row, int64_t rows, float* patches) const {
  for (int64_t r = 0; r < rows; ++r) {
    float* out = patches + r * kPositions;
    for (int64_t done = 0; done < chunk.count;) {
      const int64_t place = chunk.begin + done;
      const int64_t sample = samples[static_cast<size_t>(place / shape_.out_positions())];
      const int64_t position = place % shape_.out_positions();
      const int64_t x = position % shape_.out_w;
      const int64_t run = std::min(shape_.out_w - x, chunk.count - done);
      FillPatchRun(shape_, input_, {group, first_row + r},
                   {sample, position / shape_.out_w, x, run}, out + done);
      done += run;
    }
  }
}

// The chunk's share of the sum of squared errors of one group; its slopes go where the gradient
// reads them.
double AdaLayer::Forward(const Chunk& chunk, int64_t group, std::span<const int64_t> samples,
                         float factor, std::vector<float>& patches, std::vector<float>& sums) {
  const int64_t cout = shape_.cout;
  patches.resize(static_cast<size_t>(shape_.patch() * kPositions));
  sums.resize(static_cast<size_t>(kPositions * cout));
  FillPatches(chunk, group, samples, 0, shape_.patch(), patches.data());
  Multiply(static_cast<size_t>(chunk.count), {patches.data(), 1, kPositions},
           packed_[static_cast<size_t>(group)], sums.data(), static_cast<size_t>(cout), false);
  PackedMatrix& slopes_out = slopes_out_[static_cast<size_t>(group)];
  const int64_t channels = shape_.groups * cout;
  const int64_t area = shape_.out_positions();
  double loss = 0;
  for (int64_t i = 0; i < chunk.count; ++i) {
    const int64_t place = chunk.begin + i;
    const int64_t sample = samples[static_cast<size_t>(place / area)];
    const int64_t position = place % area;
    for (int64_t c = 0; c < cout; ++c) {
      const int64_t channel = group * cout + c;
      const auto at = static_cast<size_t>(shape_.channels_last
                                              ? (sample * area + position) * channels + channel
                                              : (sample * channels + channel) * area + position);
      const float leak = slopes_.empty()       ? 0.0f
                         : slopes_.size() == 1 ? slopes_[0]
                                               : slopes_[static_cast<size_t>(channel)];
      const float bias = bias_.empty() ? 0.0f : bias_[static_cast<size_t>(channel)];
      const float z = sums[static_cast<size_t>(i * cout + c)] + bias;
      const ActivationValue out = Activate(activation_, z, leak);
      const float error = out.value - target_[at];
      loss += double{error} * double{error};
      slopes_out.Set(static_cast<size_t>(place), static_cast<size_t>(c),
                     factor * error * out.slope);
    }
  }
  return loss;
}

double AdaLayer::Loss(std::span<const float> weights, std::span<const int64_t> samples,
                      std::span<float> gradient, ThreadPool& pool) {
  const int64_t patch = shape_.patch();
  const auto group_size = static_cast<size_t>(shape_.cout * patch);
  const int64_t places = static_cast<int64_t>(samples.size()) * shape_.out_positions();
  const auto groups = static_cast<size_t>(shape_.groups);
  const double divisor = static_cast<double>(samples.size()) * positions_;
  pool.ParallelFor(groups, [&](size_t group, int) {
    packed_[group].Pack(static_cast<size_t>(patch), static_cast<size_t>(shape_.cout),
                        {weights.data() + group * group_size, 1, static_cast<size_t>(patch)});
    slopes_out_[group].Reset(static_cast<size_t>(places), static_cast<size_t>(shape_.cout));
  });
  std::vector<Chunk> chunks;
  for (int64_t begin = 0; begin < places; begin += kPositions) {
    chunks.push_back({begin, std::min(kPositions, places - begin)});
  }
  struct Memory {
    std::vector<float> patches;
    std::vector<float> sums;
  };
  std::vector<Memory> memory(static_cast<size_t>(pool.num_threads()));
  std::vector<double> losses(chunks.size() * groups);
  const auto factor = static_cast<float>(2.0 / divisor);
  pool.ParallelFor(losses.size(), [&](size_t i, int thread) {
    Memory& mine = memory[static_cast<size_t>(thread)];
    losses[i] = Forward(chunks[i / groups], static_cast<int64_t>(i % groups), samples, factor,
                        mine.patches, mine.sums);
  });
  double loss = 0;
  for (const double each : losses) loss += each;
  if (gradient.empty()) return loss / divisor;

  const auto blocks = static_cast<size_t>((patch + kPatchRows - 1) / kPatchRows);
  pool.ParallelFor(blocks * groups, [&](size_t i, int thread) {
    Memory& mine = memory[static_cast<size_t>(thread)];
    const size_t group = i / blocks;
    const int64_t first = static_cast<int64_t>(i % blocks) * kPatchRows;
    const int64_t rows = std::min(kPatchRows, patch - first);
    mine.patches.resize(static_cast<size_t>(kPatchRows * kPositions));
    mine.sums.assign(static_cast<size_t>(rows * shape_.cout), 0.0f);
    for (const Chunk& chunk : chunks) {
      FillPatches(chunk, static_cast<int64_t>(group), samples, first, rows, mine.patches.data());
      Multiply(static_cast<size_t>(rows), {mine.patches.data(), kPositions, 1}, slopes_out_[group],
               mine.sums.data(), static_cast<size_t>(shape_.cout), true,
               static_cast<size_t>(chunk.begin), static_cast<size_t>(chunk.count));
    }
    // Back from [patch, cout] to [cout, patch].
    for (int64_t c = 0; c < shape_.cout; ++c) {
      for (int64_t r = 0; r < rows; ++r) {
        gradient[group * group_size + static_cast<size_t>(c * patch + first + r)] =
            mine.sums[static_cast<size_t>(r * shape_.cout + c)];
      }
    }
  });
  return loss / divisor;
}

}  // namespace lathe::quant
