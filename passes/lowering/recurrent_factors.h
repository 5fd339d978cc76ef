// The factors of a marked LSTM or GRU, beside those that every layer has.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/passes/lowering/layer_factors.h"

namespace lathe::passes {

struct RecurrentFactors {
  LayerFactors layer;
  float scale_h = 1.0f;
  int32_t offset_h = 0;

  // Scales of the two halves of the accumulator, one a weight scale (a channel or a gate of each
  // direction): scale_w
  // * scale_d and scale_r * scale_h, each rounded to float32.
  std::vector<float> InputScales() const;
  std::vector<float> HiddenScales() const;
};

// Errors: those of FactorsOf; the record lacks scale_h, offset_h or scale_r.
StatusOr<RecurrentFactors> RecurrentFactorsOf(const quant::Record& record,
                                              const std::string& layer);

// One value a number of the bias [directions, 2 * rows] from one a channel or one a gate: of each
// direction first those of W's half, then those of R's.
std::vector<float> PerBias(const QuantLayer& layer, const std::vector<float>& of_w,
                           const std::vector<float>& of_r);

// One value a channel from one a channel or one a gate. `channels` is a multiple of the number of
// values.
std::vector<float> PerChannel(const std::vector<float>& values, int64_t channels);

}  // namespace lathe::passes
