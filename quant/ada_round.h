// AdaRound: rounding of weights, up or down, by gradient descent (the reference's 7.6). This is the
// part that knows rounding; what a rounding costs the layer's output is ada_layer.h's.
//
//   w(alpha) = clamp(floor(w / s) + h(alpha), -128, 127) * s
//   h(alpha) = clamp(1.2 * sigmoid(alpha) - 0.1, 0, 1),  at first h = w / s - floor(w / s)
//
// Float32 as the reference does it, in its order wherever that has an effect on one weight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"
#include "lathe/support/thread_pool.h"

namespace lathe::quant {

// The configuration's values of the same names.
struct AdaRoundOptions {
  int64_t num_iteration = 10000;
  double reg_param = 0.01;
  // Share of the iterations before the penalty sets in.
  double warm_start = 0.2;
  // Exponent of the penalty: from, to.
  double beta_start = 20.0;
  double beta_end = 2.0;
};

// The exponent of the penalty at an iteration, and whether there is a penalty yet:
//   end + (start - end) / 2 * (1 + cos(pi * (it - ws) / (n - ws))),  ws = warm_start * n
struct AdaPenalty {
  bool active = false;
  double beta = 0;
};
AdaPenalty AdaPenaltyAt(const AdaRoundOptions& options, int64_t iteration);

// The state of one layer's weights: six floats a weight.
class AdaRounding {
 public:
  // One scale a channel of `layout`. Errors: sizes that do not fit; a scale that is not positive
  // and finite; a weight that is not finite.
  static StatusOr<AdaRounding> Create(std::span<const float> weights, const WeightLayout& layout,
                                      std::span<const float> scales,
                                      const AdaRoundOptions& options);

  // The weights as rounding now is, in between integers where it is undecided.
  std::span<const float> weights() const { return soft_; }
  int64_t iteration() const { return iteration_; }
  // reg_param * sum(1 - |2h - 1|^beta), as the present iteration has it; 0 before the warm-up ends.
  double Penalty() const;

  // One step of Adam (learning rate 1e-3) from the gradient of the layer's loss for each weight;
  // the penalty's is added. The same bits for any number of threads.
  void Step(std::span<const float> gradient, ThreadPool& pool);

 private:
  AdaRounding(const AdaRoundOptions& options, const WeightLayout& layout, std::vector<float> scales)
      : options_(options), layout_(layout), scales_(std::move(scales)) {}
  void UpdateSoft(size_t begin, size_t end);

  AdaRoundOptions options_;
  WeightLayout layout_;
  std::vector<float> scales_;
  std::vector<uint32_t> channel_of_run_;
  std::vector<float> floor_;
  std::vector<float> alpha_;
  std::vector<float> mean_;
  std::vector<float> square_;
  std::vector<float> soft_;
  int64_t iteration_ = 0;
};

}  // namespace lathe::quant
