// LSTM and GRU on quantised inputs and hidden states.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lathe/runtime/integer/step.h"

namespace lathe::runtime::integer {

// For each direction d, gate column g of gates * hidden: with x and h quantised,
//   a = float(sum of (qx - offset) * w + bias_w) * scale_x, b the same of h, r and bias_r;
// LSTM, gates i o f c: a + b goes through the gate's function; GRU, gates z r h: the same, but the
// last gate is tanh(a + r * b), or, unless linear_before_reset, b is of the quantised r * h.
struct RecurrentLayer {
  bool lstm = true;
  bool linear_before_reset = false;
  bool input_forget = false;
  // Bound of what goes into the functions; not positive: none.
  float clip = -1.0f;
  // One a direction: whether it runs from the last step to the first.
  std::vector<bool> reversed;
  size_t steps = 0;
  size_t batch = 0;
  size_t inputs = 0;
  size_t hidden = 0;
  QuantParams quant_x;
  QuantParams quant_h;
  // [direction][gates * hidden][inputs], [..][hidden].
  std::vector<int32_t> w;
  std::vector<int32_t> r;
  // [direction][gates * hidden].
  std::vector<int32_t> bias_w;
  std::vector<int32_t> bias_r;
  std::vector<float> scale_x;
  std::vector<float> scale_h;
  // One a sample; empty: all have `steps`.
  std::vector<int32_t> lengths;

  size_t gates() const { return lstm ? 4 : 3; }

  TensorId x = 0;                     // [steps, batch, inputs]
  std::optional<TensorId> initial_h;  // [directions, batch, hidden]; zero when absent
  std::optional<TensorId> initial_c;
  std::optional<TensorId> y;    // [steps, directions, batch, hidden]
  std::optional<TensorId> y_h;  // [directions, batch, hidden]
  std::optional<TensorId> y_c;
};

std::unique_ptr<Step> MakeRecurrentStep(RecurrentLayer layer);

}  // namespace lathe::runtime::integer
