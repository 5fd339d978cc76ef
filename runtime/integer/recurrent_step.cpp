#include "lathe/runtime/integer/recurrent_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lathe::runtime::integer {
namespace {

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// q - offset of AscendQuant.
int32_t Quantize(float x, const QuantParams& params) {
  const float value = x * params.scale;
  const auto low = static_cast<float>(params.low - params.offset);
  const auto high = static_cast<float>(params.high - params.offset);
  const float raised = value > low ? value : low;
  return static_cast<int32_t>(std::nearbyint(raised < high ? raised : high));
}

// float(clip32(bias + sum)) * scale.
float Product(const int32_t* values, const int32_t* weights, size_t count, int32_t bias,
              float scale) {
  int64_t sum = bias;
  for (size_t i = 0; i < count; ++i) sum += int64_t{values[i]} * weights[i];
  sum = std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                            std::numeric_limits<int32_t>::max());
  return static_cast<float>(static_cast<int32_t>(sum)) * scale;
}

class RecurrentStep : public Step {
 public:
  explicit RecurrentStep(RecurrentLayer layer) : layer_(std::move(layer)) {}

  std::vector<TensorId> Reads() const override {
    std::vector<TensorId> ids = {layer_.x};
    for (const auto& id : {layer_.initial_h, layer_.initial_c}) {
      if (id) ids.push_back(*id);
    }
    return ids;
  }
  std::vector<TensorId> Writes() const override {
    std::vector<TensorId> ids;
    for (const auto& id : {layer_.y, layer_.y_h, layer_.y_c}) {
      if (id) ids.push_back(*id);
    }
    return ids;
  }

  // Samples and directions do not look at one another.
  void Run(const RunContext& context) const override {
    const size_t directions = layer_.reversed.size();
    context.pool->ParallelFor(layer_.batch * directions, [&](size_t i, int) {
      RunOne(context, i / layer_.batch, i % layer_.batch);
    });
  }

 private:
  struct State {
    std::vector<float> h;
    std::vector<float> c;
    std::vector<float> gates;
    // Of the last gate of a GRU the part that comes from h.
    std::vector<float> from_h;
    std::vector<int32_t> x;
    std::vector<int32_t> quantized_h;
  };

  const float* Row(const RunContext& context, TensorId id, size_t row) const {
    return reinterpret_cast<const float*>(context.At(id)) + row * context.tensors[id].stride;
  }
  static void Write(const RunContext& context, TensorId id, size_t row,
                    const std::vector<float>& values) {
    std::ranges::copy(values,
                      reinterpret_cast<float*>(context.At(id)) + row * context.tensors[id].stride);
  }

  void RunOne(const RunContext& context, size_t direction, size_t sample) const {
    const size_t hidden = layer_.hidden;
    const size_t row = direction * layer_.batch + sample;
    State state;
    state.h.assign(hidden, 0.0f);
    state.c.assign(hidden, 0.0f);
    if (layer_.initial_h) {
      // Quantised as a whole, as the simulation shows it.
      const float* h = Row(context, *layer_.initial_h, row);
      for (size_t k = 0; k < hidden; ++k) {
        state.h[k] =
            static_cast<float>(Quantize(h[k], layer_.quant_h)) * (1.0f / layer_.quant_h.scale);
      }
    }
    if (layer_.initial_c)
      std::copy_n(Row(context, *layer_.initial_c, row), hidden, state.c.begin());
    state.gates.resize(layer_.gates() * hidden);
    state.from_h.resize(layer_.gates() * hidden);
    state.x.resize(layer_.inputs);
    state.quantized_h.resize(hidden);
    const size_t length =
        layer_.lengths.empty() ? layer_.steps : static_cast<size_t>(layer_.lengths[sample]);
    const std::vector<float> zeros(hidden, 0.0f);
    for (size_t i = 0; i < layer_.steps; ++i) {
      const size_t t = layer_.reversed[direction] && i < length ? length - 1 - i : i;
      if (i < length) {
        const float* x = Row(context, layer_.x, t * layer_.batch + sample);
        for (size_t k = 0; k < layer_.inputs; ++k) state.x[k] = Quantize(x[k], layer_.quant_x);
        if (layer_.lstm) {
          Lstm(direction, state);
        } else {
          Gru(direction, state);
        }
      }
      if (layer_.y) {
        const size_t place = (t * layer_.reversed.size() + direction) * layer_.batch + sample;
        Write(context, *layer_.y, place, i < length ? state.h : zeros);
      }
    }
    if (layer_.y_h) Write(context, *layer_.y_h, row, state.h);
    if (layer_.y_c) Write(context, *layer_.y_c, row, state.c);
  }

  float Clip(float x) const {
    if (!(layer_.clip > 0.0f)) return x;
    return std::clamp(x, -layer_.clip, layer_.clip);
  }

  void QuantizeHidden(const std::vector<float>& h, State& state) const {
    for (size_t k = 0; k < h.size(); ++k) state.quantized_h[k] = Quantize(h[k], layer_.quant_h);
  }

  float FromX(size_t direction, size_t column, const State& state) const {
    const size_t at = direction * layer_.gates() * layer_.hidden + column;
    return Product(state.x.data(), layer_.w.data() + at * layer_.inputs, layer_.inputs,
                   layer_.bias_w[at], layer_.scale_x[at]);
  }
  float FromH(size_t direction, size_t column, const State& state) const {
    const size_t at = direction * layer_.gates() * layer_.hidden + column;
    return Product(state.quantized_h.data(), layer_.r.data() + at * layer_.hidden, layer_.hidden,
                   layer_.bias_r[at], layer_.scale_h[at]);
  }

  void Lstm(size_t direction, State& state) const {
    const size_t hidden = layer_.hidden;
    QuantizeHidden(state.h, state);
    for (size_t g = 0; g < state.gates.size(); ++g) {
      state.gates[g] = FromX(direction, g, state) + FromH(direction, g, state);
    }
    for (size_t k = 0; k < hidden; ++k) {
      const float i = Sigmoid(Clip(state.gates[k]));
      const float o = Sigmoid(Clip(state.gates[hidden + k]));
      const float f = layer_.input_forget ? 1.0f - i : Sigmoid(Clip(state.gates[2 * hidden + k]));
      const float c = std::tanh(Clip(state.gates[3 * hidden + k]));
      state.c[k] = f * state.c[k] + i * c;
      state.h[k] = o * std::tanh(state.c[k]);
    }
  }

  void Gru(size_t direction, State& state) const {
    const size_t hidden = layer_.hidden;
    QuantizeHidden(state.h, state);
    for (size_t g = 0; g < state.gates.size(); ++g) {
      state.gates[g] = FromX(direction, g, state);
      state.from_h[g] = FromH(direction, g, state);
    }
    std::vector<float> reset(hidden);
    for (size_t k = 0; k < hidden; ++k) {
      reset[k] = Sigmoid(Clip(state.gates[hidden + k] + state.from_h[hidden + k]));
    }
    if (!layer_.linear_before_reset) {
      std::vector<float> h(hidden);
      for (size_t k = 0; k < hidden; ++k) h[k] = reset[k] * state.h[k];
      QuantizeHidden(h, state);
    }
    std::vector<float> next(hidden);
    for (size_t k = 0; k < hidden; ++k) {
      const size_t last = 2 * hidden + k;
      const float from_h = layer_.linear_before_reset ? reset[k] * state.from_h[last]
                                                      : FromH(direction, last, state);
      const float z = Sigmoid(Clip(state.gates[k] + state.from_h[k]));
      const float n = std::tanh(Clip(state.gates[last] + from_h));
      next[k] = (1.0f - z) * n + z * state.h[k];
    }
    state.h = std::move(next);
  }

  RecurrentLayer layer_;
};

}  // namespace

std::unique_ptr<Step> MakeRecurrentStep(RecurrentLayer layer) {
  return std::make_unique<RecurrentStep>(std::move(layer));
}

}  // namespace lathe::runtime::integer
