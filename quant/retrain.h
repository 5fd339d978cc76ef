// What training leaves behind as quantisation factors (the reference's 7.7, 7.8).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lathe/quant/affine.h"
#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// The learned range of an activation.
struct Clips {
  float max = 1.0f;
  float min = -1.0f;
  bool operator==(const Clips&) const = default;
};

// What training learned about the quantisers of a layer.
struct RetrainState {
  Clips clips;
  // Those of the forward pass before, where they are known.
  std::optional<Clips> previous;
  // Of ULQ weights: one, or one a channel; else empty.
  std::vector<float> weight_scales;
  // LSTM and GRU: the same of the hidden state and of the recurrence weight, whose channels, like
  // those of the weight, are the rows in ONNX's order of gates.
  Clips hidden_clips;
  std::optional<Clips> hidden_previous;
  std::vector<float> recurrence_scales;
  bool operator==(const RetrainState&) const = default;
};

// The range that a forward pass uses: with `fixed_min` the lower clip is 0; equal clips are
// replaced by the `previous` ones, else a negative upper or a positive lower clip by its previous
// one. Without previous clips the given ones stay. O(1).
Clips UsableClips(Clips clips, const std::optional<Clips>& previous, bool fixed_min);

// Scale and offset of an activation clipped to that range: 7.1, asymmetric.
StatusOr<AffineParams> UlqParams(Clips clips, int num_bits);

// BatchNormalization behind a layer, one value a channel.
struct BatchNorm {
  std::span<const float> gamma;
  std::span<const float> variance;
  float epsilon = 1e-5f;
};

// The scales that are recorded for a weight whose own scales are `scales` (one, or one a channel):
// as they are, or, with BatchNormalization, |scale| * |gamma * (1 / sqrt(variance + epsilon))| for
// each of its channels; where that is below kMinScale, 1. Errors: as many channels as neither 1 nor
// gamma has; a scale that is not finite (names the channel).
StatusOr<std::vector<float>> RecordedWeightScales(std::span<const float> scales,
                                                  const BatchNorm* batch_norm);

// Learned scales as a state holds them: `reciprocal` says that it holds 1/scale.
std::vector<float> LearnedWeightScales(std::span<const float> stored, bool reciprocal);

}  // namespace lathe::quant
