// What rounded weights cost a layer's output, and how that depends on each weight: the loss of
// AdaRound (the reference's 7.6).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/matrix_product.h"
#include "lathe/quant/patches.h"
#include "lathe/support/status.h"
#include "lathe/support/thread_pool.h"

namespace lathe::quant {

// The activation that belongs to a layer's output.
enum class AdaActivation {
  kNone,
  kRelu,
  kSigmoid,
  kTanh,
  kLeakyRelu,  // slope below 0; PRelu: one slope a channel
  kClip6,      // to [0, 6]
  kGelu,
  kTanhGelu,
};

class AdaLayer {
 public:
  // `input` and `target` (after the activation) are whole tensors; `bias` has one value an output
  // channel or none, `slopes` (LeakyRelu) one for all or one an output channel. The loss of a
  // number of samples is the sum of squared errors divided by that number and by `positions`, over
  // how many positions of a sample the reference averages. All must outlive the layer. Errors:
  // sizes that do not fit.
  static StatusOr<AdaLayer> Create(const LayerShape& shape, std::span<const float> input,
                                   std::span<const float> target, std::span<const float> bias,
                                   AdaActivation activation, std::span<const float> slopes,
                                   double positions);

  // The loss of these samples with weights [groups * cout, patch], and its derivative for each
  // weight (`gradient` may be empty: only the loss). Memory: a float for each output value of the
  // samples. Costs two products of the layer. The same bits for any number of threads.
  double Loss(std::span<const float> weights, std::span<const int64_t> samples,
              std::span<float> gradient, ThreadPool& pool);

 private:
  // Neighbouring positions of the chosen samples.
  struct Chunk {
    int64_t begin;
    int64_t count;
  };

  AdaLayer() = default;
  double Forward(const Chunk& chunk, int64_t group, std::span<const int64_t> samples, float factor,
                 std::vector<float>& patches, std::vector<float>& sums);
  void FillPatches(const Chunk& chunk, int64_t group, std::span<const int64_t> samples,
                   int64_t first_row, int64_t rows, float* patches) const;

  LayerShape shape_;
  std::span<const float> input_;
  std::span<const float> target_;
  std::span<const float> bias_;
  std::span<const float> slopes_;
  AdaActivation activation_ = AdaActivation::kNone;
  double positions_ = 1;
  // Of each group: the weights, and the derivative of the loss for each output, position by
  // position.
  std::vector<PackedMatrix> packed_;
  std::vector<PackedMatrix> slopes_out_;
};

}  // namespace lathe::quant
