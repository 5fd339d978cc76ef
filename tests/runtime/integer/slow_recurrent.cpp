#include "slow_recurrent.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace lathe::test {
namespace {

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

class Recurrent {
 public:
  Recurrent(const ir::Node& node, const std::function<const SlowValue*(size_t)>& input,
            const SlowOptions& options)
      : node_(node),
        options_(options),
        lstm_(node.Is("BasicLSTMInplaceFillWindowCache")),
        x_(*input(0)),
        initial_h_(input(3)),
        initial_c_(lstm_ ? input(4) : nullptr),
        bias_(input(lstm_ ? 5 : 4)),
        lengths_(input(lstm_ ? 6 : 5)),
        words_(*input(lstm_ ? 8 : 7)),
        hidden_(node.IntAttribute("hidden_size", 0)),
        columns_((lstm_ ? 4 : 3) * hidden_),
        steps_(x_.dims[0]),
        batch_(x_.dims[1]),
        w_(Unpacked(*input(1), x_.dims[2])),
        r_(Unpacked(*input(2), hidden_)) {}

  std::vector<SlowValue> Run() {
    const int64_t directions = w_.dims[0];
    y_.dims = {steps_, directions, batch_, hidden_};
    y_.floats.assign(static_cast<size_t>(y_.size()), 0.0f);
    SlowValue y_h{.dims = {directions, batch_, hidden_}};
    SlowValue y_c{.dims = y_h.dims};
    const std::string direction = node_.StringAttribute("direction", "forward");
    for (int64_t d = 0; d < directions; ++d) {
      const bool reversed = direction == "reverse" || d == 1;
      for (int64_t sample = 0; sample < batch_; ++sample) {
        RunOne(d, sample, reversed);
        y_h.floats.insert(y_h.floats.end(), h_.begin(), h_.end());
        y_c.floats.insert(y_c.floats.end(), c_.begin(), c_.end());
      }
    }
    std::vector<SlowValue> results = {y_, y_h};
    if (lstm_) results.push_back(y_c);
    return results;
  }

 private:
  // Where two 4-bit numbers stand in a byte along the last axis, one each.
  static SlowValue Unpacked(const SlowValue& packed, int64_t width) {
    if (packed.dims[2] == width) return packed;
    SlowValue values{.dims = {packed.dims[0], packed.dims[1], width}};
    for (int64_t i = 0; i < values.size(); ++i) {
      values.integers.push_back(Nibble(packed.integers[static_cast<size_t>(i / 2)], i));
    }
    return values;
  }

  // q - offset.
  int64_t Quantize(float value, const std::string& side) const {
    const int64_t high = node_.IntAttribute("quant_dtype", 2) == 6 ? 32767 : 127;
    const auto offset = static_cast<int64_t>(node_.FloatAttribute("quant_offset_" + side, 0));
    const float scale = node_.FloatAttribute("quant_scale_" + side, 0);
    return QuantizeOne(value, scale, offset, -high - 1, high) - offset;
  }

  // Of the gates' columns; `half` 0: of x, 1: of h.
  float Scale(int64_t column, int64_t half) const {
    const auto own = static_cast<int64_t>(words_.integers.size()) / 2;
    const int64_t at = half * own + (own == columns_ ? column : column / hidden_);
    return std::bit_cast<float>(static_cast<uint32_t>(words_.integers[static_cast<size_t>(at)]));
  }
  int64_t Bias(int64_t direction, int64_t column, int64_t half) const {
    if (bias_ == nullptr) return 0;
    return bias_->integers[static_cast<size_t>((2 * direction + half) * columns_ + column)];
  }
  static float Product(double sum, float scale) {
    const auto clipped = std::clamp<double>(sum, std::numeric_limits<int32_t>::min(),
                                            std::numeric_limits<int32_t>::max());
    return static_cast<float>(clipped) * scale;
  }

  float FromX(int64_t direction, int64_t t, int64_t sample, int64_t column) const {
    const int64_t width = x_.dims[2];
    int64_t sum = Bias(direction, column, 0);
    for (int64_t k = 0; k < width; ++k) {
      sum += Quantize(x_.floats[static_cast<size_t>((t * batch_ + sample) * width + k)], "x") *
             w_.integers[static_cast<size_t>((direction * columns_ + column) * width + k)];
    }
    return Product(static_cast<double>(sum), Scale(column, 0));
  }

  // Sums of fewer than 2^53, so exact, where h is quantised.
  float FromH(int64_t direction, const std::vector<float>& h, int64_t column) const {
    auto sum = static_cast<double>(Bias(direction, column, 1));
    for (int64_t k = 0; k < hidden_; ++k) {
      const float value = h[static_cast<size_t>(k)];
      const double each = options_.quantize_hidden || first_step_
                              ? static_cast<double>(Quantize(value, "h"))
                              : static_cast<double>(value) *
                                    static_cast<double>(node_.FloatAttribute("quant_scale_h", 0));
      const auto at = static_cast<size_t>((direction * columns_ + column) * hidden_ + k);
      sum += each * static_cast<double>(r_.integers[at]);
    }
    return Product(sum, Scale(column, 1));
  }

  float Clip(float x) const {
    const float bound = node_.FloatAttribute("clip", 0);
    return bound > 0 ? std::min(std::max(x, -bound), bound) : x;
  }

  void RunOne(int64_t direction, int64_t sample, bool reversed) {
    h_.assign(static_cast<size_t>(hidden_), 0.0f);
    c_ = h_;
    for (int64_t k = 0; k < hidden_; ++k) {
      const auto from = static_cast<size_t>((direction * batch_ + sample) * hidden_ + k);
      const auto to = static_cast<size_t>(k);
      if (initial_h_ != nullptr) {
        // It is quantised as a whole.
        h_[to] = static_cast<float>(Quantize(initial_h_->floats[from], "h")) *
                 (1.0f / node_.FloatAttribute("quant_scale_h", 0));
      }
      if (initial_c_ != nullptr) c_[to] = initial_c_->floats[from];
    }
    const int64_t length =
        lengths_ == nullptr ? steps_ : lengths_->integers[static_cast<size_t>(sample)];
    for (int64_t i = 0; i < length; ++i) {
      const int64_t t = reversed ? length - 1 - i : i;
      first_step_ = i == 0;
      if (lstm_) {
        Lstm(direction, t, sample);
      } else {
        Gru(direction, t, sample);
      }
      const int64_t place = ((t * w_.dims[0] + direction) * batch_ + sample) * hidden_;
      std::ranges::copy(h_, y_.floats.begin() + place);
    }
  }

  void Lstm(int64_t direction, int64_t t, int64_t sample) {
    const std::vector<float> h = h_;
    for (int64_t k = 0; k < hidden_; ++k) {
      const auto gate = [&](int64_t g) {
        const int64_t column = g * hidden_ + k;
        return Clip(FromX(direction, t, sample, column) + FromH(direction, h, column));
      };
      const auto at = static_cast<size_t>(k);
      const float i = Sigmoid(gate(0)), o = Sigmoid(gate(1));
      const float f = node_.IntAttribute("input_forget", 0) != 0 ? 1.0f - i : Sigmoid(gate(2));
      c_[at] = f * c_[at] + i * std::tanh(gate(3));
      h_[at] = o * std::tanh(c_[at]);
    }
  }

  void Gru(int64_t direction, int64_t t, int64_t sample) {
    const std::vector<float> h = h_;
    const auto x_part = [&](int64_t g, int64_t k) {
      return FromX(direction, t, sample, g * hidden_ + k);
    };
    const auto h_part = [&](const std::vector<float>& from, int64_t g, int64_t k) {
      return FromH(direction, from, g * hidden_ + k);
    };
    std::vector<float> reset, reset_h;
    for (int64_t k = 0; k < hidden_; ++k) {
      reset.push_back(Sigmoid(Clip(x_part(1, k) + h_part(h, 1, k))));
      reset_h.push_back(reset.back() * h[static_cast<size_t>(k)]);
    }
    for (int64_t k = 0; k < hidden_; ++k) {
      const auto at = static_cast<size_t>(k);
      const float z = Sigmoid(Clip(x_part(0, k) + h_part(h, 0, k)));
      const float last = node_.IntAttribute("linear_before_reset", 1) != 0
                             ? reset[at] * h_part(h, 2, k)
                             : h_part(reset_h, 2, k);
      const float n = std::tanh(Clip(x_part(2, k) + last));
      h_[at] = (1.0f - z) * n + z * h[at];
    }
  }

  const ir::Node& node_;
  SlowOptions options_;
  bool lstm_;
  const SlowValue& x_;
  const SlowValue* initial_h_;
  const SlowValue* initial_c_;
  const SlowValue* bias_;
  const SlowValue* lengths_;
  const SlowValue& words_;
  int64_t hidden_;
  int64_t columns_;
  int64_t steps_;
  int64_t batch_;
  SlowValue w_;
  SlowValue r_;
  SlowValue y_;
  std::vector<float> h_;
  std::vector<float> c_;
  bool first_step_ = false;
};

}  // namespace

int64_t QuantizeOne(float x, float scale, int64_t offset, int64_t low, int64_t high) {
  const float scaled = x * scale;
  if (std::isnan(scaled)) return low;
  const double rounded = std::nearbyint(static_cast<double>(scaled)) + static_cast<double>(offset);
  return static_cast<int64_t>(
      std::clamp(rounded, static_cast<double>(low), static_cast<double>(high)));
}

int64_t Nibble(int64_t byte, int64_t i) {
  const int64_t nibble = (i % 2 == 0 ? byte : byte >> 4) & 15;
  return nibble < 8 ? nibble : nibble - 16;
}

std::vector<SlowValue> EvaluateRecurrent(const ir::Node& node,
                                         const std::function<const SlowValue*(size_t)>& input,
                                         const SlowOptions& options) {
  return Recurrent(node, input, options).Run();
}

}  // namespace lathe::test
