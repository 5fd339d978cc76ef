#include "slow_evaluator.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "slow_recurrent.h"

namespace lathe::test {
namespace {

using Ints = std::vector<int64_t>;

// Calls body(index) for every index below dims, in row-major order.
void ForEach(const Ints& dims, const std::function<void(const Ints&)>& body) {
  Ints index(dims.size());
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  for (int64_t i = 0; i < count; ++i) {
    body(index);
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

// Position of an index; -1 outside.
int64_t At(const Ints& dims, const Ints& index) {
  int64_t at = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (index[i] < 0 || index[i] >= dims[i]) return -1;
    at = at * dims[i] + index[i];
  }
  return at;
}

int64_t Clip32(int64_t x) {
  return std::clamp<int64_t>(x, std::numeric_limits<int32_t>::min(),
                             std::numeric_limits<int32_t>::max());
}

class Evaluator {
 public:
  Evaluator(std::map<std::string, SlowValue> values, const SlowOptions& options)
      : values_(std::move(values)), options_(options) {}

  std::map<std::string, SlowValue> Run(const ir::Model& model) {
    for (const ir::Value* value : model.graph().initializers()) {
      values_[std::string(value->name_text())] = Load(value->tensor());
    }
    for (const ir::Node& node : model.graph().nodes()) {
      if (node.op_text().starts_with("Basic")) {
        Recurrent(node);
        continue;
      }
      values_[std::string(node.output()->name_text())] = Node(node);
    }
    return values_;
  }

 private:
  static SlowValue Load(const ir::Tensor& tensor) {
    SlowValue value;
    value.dims.assign(tensor.dims().begin(), tensor.dims().end());
    if (tensor.element_type() == ir::ElementType::kUint64) {
      const auto words = *tensor.Values<uint64_t>();
      for (const uint64_t word : words) value.integers.push_back(std::bit_cast<int64_t>(word));
    } else if (tensor.element_type() == ir::ElementType::kInt4) {
      const ir::TensorBytes bytes = *tensor.Read();
      for (int64_t i = 0; i < value.size(); ++i) {
        const auto byte = std::to_integer<uint8_t>(bytes.bytes()[static_cast<size_t>(i / 2)]);
        value.integers.push_back(Nibble(byte, i));
      }
    } else if (ir::IsFloatingPoint(tensor.element_type())) {
      value.floats = *tensor.ValuesAsFloat();
    } else {
      value.integers = *tensor.ValuesAsInt64();
    }
    return value;
  }

  const SlowValue& In(const ir::Node& node, size_t i) {
    return values_.at(std::string(node.input(i)->name_text()));
  }
  static bool Has(const ir::Node& node, size_t i) { return node.input(i) != nullptr; }

  SlowValue Node(const ir::Node& node) {
    const std::string op(node.op_text());
    if (op == "AscendQuant") return Quant(node);
    if (op == "AscendDequant") return Dequant(node);
    if (op == "AscendAntiQuant") return AntiQuant(node);
    if (op == "Conv") return Conv(node);
    if (op == "ConvTranspose") return ConvTranspose(node);
    if (op == "Gemm") return Gemm(node);
    if (op == "MatMul") return MatMul(node);
    if (op == "AveragePool" || op == "MaxPool" || op == "GlobalAveragePool") return Pool(node);
    if (op == "Pad") return Pad(node);
    if (op == "Concat") return Concat(node);
    if (op == "Transpose") return Transpose(node);
    if (op == "Add" || op == "Mul") return Binary(node);
    if (op == "Relu" || op == "Clip" || op == "LeakyRelu") return Unary(node);
    if (op == "Flatten" || op == "Squeeze" || op == "Gather") return Reshape(node);
    if (op == "Constant") return Load(*node.TensorAttribute("value"));
    throw std::runtime_error("operator " + op);
  }

  SlowValue Quant(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    SlowValue y{.dims = x.dims};
    const std::string type = node.StringAttribute("dst_type", "");
    const int64_t high = type == "INT16" ? 32767 : type == "INT4" ? 7 : 127;
    y.offset = static_cast<int64_t>(node.FloatAttribute("offset", 0));
    for (const float each : x.floats) {
      y.integers.push_back(
          QuantizeOne(each, node.FloatAttribute("scale", 0), y.offset, -high - 1, high));
    }
    return y;
  }

  // Channel of element i: axis 1, or the last one of rank 2 and less, or of what MatMul makes.
  static int64_t ChannelOf(const SlowValue& x, int64_t i, bool last) {
    int64_t inner = 1;
    const size_t axis = last || x.dims.size() < 2 ? x.dims.size() - 1 : 1;
    for (size_t k = axis + 1; k < x.dims.size(); ++k) inner *= x.dims[k];
    return i / inner % x.dims[axis];
  }

  SlowValue Dequant(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const SlowValue& words = In(node, 1);
    SlowValue y{.dims = x.dims};
    const ir::Node* layer = node.input(0)->producer();
    const bool matrix = layer->Is("MatMul") || layer->Is("Add");
    const bool half = node.IntAttribute("dtype", 0) == 1;
    bool shifted = false;
    for (const int64_t word : words.integers) shifted = shifted || ((word >> 32) & 255) != 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t channel = words.integers.size() == 1 ? 0 : ChannelOf(x, i, matrix);
      const int64_t word = words.integers[static_cast<size_t>(channel)];
      const float scale = std::bit_cast<float>(static_cast<uint32_t>(word));
      if (x.integers.empty()) {
        const float result = x.floats[static_cast<size_t>(i)] * scale;
        y.floats.push_back(half ? RoundToHalf(result) : result);
        continue;
      }
      int64_t sum = Clip32(x.integers[static_cast<size_t>(i)]);
      const int64_t shift = (word >> 32) & 255;
      if (shifted) {
        sum = static_cast<int64_t>(
            std::floor(static_cast<double>(sum) / std::pow(2.0, static_cast<double>(shift))));
        sum = std::clamp<int64_t>(sum, -32768, 32767);
      }
      float result = static_cast<float>(sum) * scale;
      if (shifted) result *= std::exp2(static_cast<float>(shift));
      if (node.IntAttribute("relu_flag", 0) != 0) result = result < 0 ? 0 : result;
      y.floats.push_back(half ? RoundToHalf(result) : result);
    }
    return y;
  }

  SlowValue AntiQuant(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    SlowValue y{.dims = x.dims};
    for (const int64_t q : x.integers) {
      y.floats.push_back(static_cast<float>(q - x.offset) * node.FloatAttribute("scale", 0));
    }
    return y;
  }

  static Ints Attribute(const ir::Node& node, const char* name, size_t count, int64_t absent) {
    Ints values = node.IntsAttribute(name);
    if (values.empty()) values.assign(count, absent);
    return values;
  }

  // The dequant parameter's offset_w of a layer's channel.
  int64_t WeightOffset(const ir::Node& node, int64_t channel) {
    for (const ir::Use& use : node.output()->uses()) {
      if (use.user()->Is("Add")) return WeightOffset(*use.user(), channel);
      if (!use.user()->Is("AscendDequant")) continue;
      const Ints& words = In(*use.user(), 1).integers;
      const int64_t word = words[words.size() == 1 ? 0 : static_cast<size_t>(channel)];
      return static_cast<int8_t>(static_cast<uint8_t>(word >> 40));
    }
    return 0;
  }

  // A layer's weights, `depth` of them along the axis of input channels, where bytes may hold two.
  SlowValue Weights(const ir::Node& node, int64_t axis, int64_t depth) {
    const SlowValue packed = In(node, 1);
    const auto at = static_cast<size_t>(axis);
    if (2 * packed.dims[at] != depth) return packed;
    SlowValue w{.dims = packed.dims};
    w.dims[at] = depth;
    ForEach(w.dims, [&](Ints index) {
      const int64_t k = index[at];
      index[at] /= 2;
      w.integers.push_back(Nibble(packed.integers[static_cast<size_t>(At(packed.dims, index))], k));
    });
    return w;
  }

  int64_t BiasOf(const ir::Node& node, int64_t channel) {
    if (!Has(node, 2)) return 0;
    const Ints& bias = In(node, 2).integers;
    return bias[bias.size() == 1 ? 0 : static_cast<size_t>(channel)];
  }

  SlowValue Conv(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const SlowValue w = Weights(node, 1, x.dims[1] / node.IntAttribute("group", 1));
    const size_t axes = x.dims.size() - 2;
    const Ints strides = Attribute(node, "strides", axes, 1);
    const Ints dilations = Attribute(node, "dilations", axes, 1);
    const Ints pads = Attribute(node, "pads", 2 * axes, 0);
    const int64_t groups = node.IntAttribute("group", 1);
    SlowValue y;
    y.dims = {x.dims[0], w.dims[0]};
    for (size_t i = 0; i < axes; ++i) {
      y.dims.push_back(
          (x.dims[i + 2] + pads[i] + pads[axes + i] - dilations[i] * (w.dims[i + 2] - 1) - 1) /
              strides[i] +
          1);
    }
    ForEach(y.dims, [&](const Ints& out) {
      const int64_t group = out[1] / (w.dims[0] / groups);
      const int64_t offset_w = WeightOffset(node, out[1]);
      int64_t sum = BiasOf(node, out[1]);
      Ints box(w.dims.begin() + 1, w.dims.end());
      ForEach(box, [&](const Ints& tap) {
        Ints in = {out[0], group * w.dims[1] + tap[0]};
        Ints at = {out[1]};
        at.insert(at.end(), tap.begin(), tap.end());
        for (size_t i = 0; i < axes; ++i) {
          in.push_back(out[i + 2] * strides[i] - pads[i] + tap[i + 1] * dilations[i]);
        }
        const int64_t place = At(x.dims, in);
        if (place < 0) return;
        sum += (x.integers[static_cast<size_t>(place)] - x.offset) *
               (w.integers[static_cast<size_t>(At(w.dims, at))] - offset_w);
      });
      y.integers.push_back(sum);
    });
    return y;
  }

  SlowValue ConvTranspose(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const SlowValue w = Weights(node, 0, x.dims[1]);
    const size_t axes = x.dims.size() - 2;
    const Ints strides = Attribute(node, "strides", axes, 1);
    const Ints dilations = Attribute(node, "dilations", axes, 1);
    const Ints pads = Attribute(node, "pads", 2 * axes, 0);
    const Ints extra = Attribute(node, "output_padding", axes, 0);
    const int64_t groups = node.IntAttribute("group", 1);
    SlowValue y;
    y.dims = {x.dims[0], w.dims[1] * groups};
    for (size_t i = 0; i < axes; ++i) {
      y.dims.push_back(strides[i] * (x.dims[i + 2] - 1) + extra[i] +
                       dilations[i] * (w.dims[i + 2] - 1) + 1 - pads[i] - pads[axes + i]);
    }
    y.integers.assign(static_cast<size_t>(y.size()), 0);
    // Every input element is spread over the outputs that it reaches.
    ForEach(x.dims, [&](const Ints& in) {
      const int64_t group = in[1] / (x.dims[1] / groups);
      const int64_t q = x.integers[static_cast<size_t>(At(x.dims, in))] - x.offset;
      Ints box(w.dims.begin() + 1, w.dims.end());
      ForEach(box, [&](const Ints& tap) {
        Ints out = {in[0], group * w.dims[1] + tap[0]};
        Ints at = {in[1]};
        at.insert(at.end(), tap.begin(), tap.end());
        for (size_t i = 0; i < axes; ++i) {
          out.push_back(in[i + 2] * strides[i] - pads[i] + tap[i + 1] * dilations[i]);
        }
        const int64_t place = At(y.dims, out);
        if (place < 0) return;
        y.integers[static_cast<size_t>(place)] +=
            q * (w.integers[static_cast<size_t>(At(w.dims, at))] - WeightOffset(node, out[1]));
      });
    });
    for (int64_t i = 0; i < y.size(); ++i) {
      auto& sum = y.integers[static_cast<size_t>(i)];
      sum += BiasOf(node, ChannelOf(y, i, false));
    }
    return y;
  }

  // What broadcasting reads of an operand of these dims at an index of the result, both counted
  // from the last axis.
  static Ints Broadcast(const Ints& dims, const Ints& index) {
    Ints in(index.end() - static_cast<std::ptrdiff_t>(dims.size()), index.end());
    for (size_t i = 0; i < in.size(); ++i) in[i] = dims[i] == 1 ? 0 : in[i];
    return in;
  }

  SlowValue Gemm(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const bool transposed = node.IntAttribute("transB", 0) != 0;
    const SlowValue w = Weights(node, transposed ? 1 : 0, x.dims[1]);
    SlowValue y{.dims = {x.dims[0], w.dims[transposed ? 0 : 1]}};
    ForEach(y.dims, [&](const Ints& out) {
      int64_t sum = 0;
      if (Has(node, 2)) {
        const SlowValue& bias = In(node, 2);
        sum = bias.integers[static_cast<size_t>(At(bias.dims, Broadcast(bias.dims, out)))];
      }
      for (int64_t k = 0; k < x.dims[1]; ++k) {
        const int64_t at = At(w.dims, transposed ? Ints{out[1], k} : Ints{k, out[1]});
        sum += (x.integers[static_cast<size_t>(At(x.dims, {out[0], k}))] - x.offset) *
               (w.integers[static_cast<size_t>(at)] - WeightOffset(node, out[1]));
      }
      y.integers.push_back(sum);
    });
    return y;
  }

  SlowValue MatMul(const ir::Node& node) {
    SlowValue x = In(node, 0);
    const bool vector = x.dims.size() == 1;
    if (vector) x.dims.insert(x.dims.begin(), 1);
    const int64_t depth = x.dims.back();
    const SlowValue w = Weights(node, static_cast<int64_t>(In(node, 1).dims.size()) - 2, depth);
    SlowValue y{.dims = x.dims.size() > w.dims.size() ? x.dims : w.dims};
    const size_t rank = y.dims.size();
    for (size_t i = 1; i <= rank; ++i) {
      const int64_t a = i > x.dims.size() ? 1 : x.dims[x.dims.size() - i];
      const int64_t b = i > w.dims.size() ? 1 : w.dims[w.dims.size() - i];
      y.dims[rank - i] = i == 1 ? b : i == 2 ? a : std::max(a, b);
    }
    ForEach(y.dims, [&](const Ints& out) {
      Ints from_x = out, from_w = out;
      int64_t sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        from_x[rank - 1] = k;
        from_w[rank - 2] = k;
        const int64_t x_at = At(x.dims, Broadcast(x.dims, from_x));
        const int64_t w_at = At(w.dims, Broadcast(w.dims, from_w));
        sum += (x.integers[static_cast<size_t>(x_at)] - x.offset) *
               (w.integers[static_cast<size_t>(w_at)] - WeightOffset(node, out.back()));
      }
      y.integers.push_back(sum);
    });
    if (vector) y.dims.erase(y.dims.end() - 2);
    return y;
  }

  SlowValue Pool(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const size_t axes = x.dims.size() - 2;
    const bool global = node.Is("GlobalAveragePool");
    Ints kernel = node.IntsAttribute("kernel_shape");
    if (global) kernel.assign(x.dims.begin() + 2, x.dims.end());
    const Ints strides = Attribute(node, "strides", axes, 1);
    const Ints pads = Attribute(node, "pads", 2 * axes, 0);
    SlowValue y{.dims = {x.dims[0], x.dims[1]}, .offset = x.offset};
    for (size_t i = 0; i < axes; ++i) {
      y.dims.push_back((x.dims[i + 2] + pads[i] + pads[axes + i] - kernel[i]) / strides[i] + 1);
    }
    ForEach(y.dims, [&](const Ints& out) {
      int64_t sum = 0;
      double float_sum = 0;
      int64_t count = 0;
      int64_t most = std::numeric_limits<int64_t>::min();
      float float_most = -std::numeric_limits<float>::infinity();
      ForEach(kernel, [&](const Ints& tap) {
        Ints in = {out[0], out[1]};
        for (size_t i = 0; i < axes; ++i) in.push_back(out[i + 2] * strides[i] - pads[i] + tap[i]);
        const int64_t place = At(x.dims, in);
        if (place < 0) {
          count += node.IntAttribute("count_include_pad", 0);
          return;
        }
        ++count;
        if (x.integers.empty()) {
          float_sum += static_cast<double>(x.floats[static_cast<size_t>(place)]);
          float_most = std::max(float_most, x.floats[static_cast<size_t>(place)]);
        } else {
          sum += x.integers[static_cast<size_t>(place)] - x.offset;
          most = std::max(most, x.integers[static_cast<size_t>(place)]);
        }
      });
      if (node.Is("MaxPool")) {
        if (x.integers.empty()) {
          y.floats.push_back(float_most);
        } else {
          y.integers.push_back(most);
        }
      } else {
        const float total =
            x.integers.empty() ? static_cast<float>(float_sum) : static_cast<float>(sum);
        y.floats.push_back(total / static_cast<float>(count));
      }
    });
    return y;
  }

  SlowValue Pad(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const Ints& pads = In(node, 1).integers;
    const size_t rank = x.dims.size();
    SlowValue y{.dims = x.dims, .offset = x.offset};
    for (size_t i = 0; i < rank; ++i) y.dims[i] += pads[i] + pads[rank + i];
    ForEach(y.dims, [&](const Ints& out) {
      Ints in = out;
      for (size_t i = 0; i < rank; ++i) in[i] -= pads[i];
      const int64_t place = At(x.dims, in);
      y.integers.push_back(place < 0 ? x.offset : x.integers[static_cast<size_t>(place)]);
    });
    return y;
  }

  SlowValue Concat(const ir::Node& node) {
    const auto axis = static_cast<size_t>(node.IntAttribute("axis", 0));
    SlowValue y = In(node, 0);
    y.dims[axis] = 0;
    for (size_t i = 0; i < node.num_inputs(); ++i) y.dims[axis] += In(node, i).dims[axis];
    y.floats.clear();
    y.integers.clear();
    ForEach(y.dims, [&](const Ints& out) {
      Ints in = out;
      size_t part = 0;
      while (in[axis] >= In(node, part).dims[axis]) in[axis] -= In(node, part++).dims[axis];
      const SlowValue& x = In(node, part);
      AppendElement(x, in, y);
    });
    return y;
  }

  // Element `place` of x comes next in y.
  static void AppendElement(const SlowValue& x, const Ints& place, SlowValue& y) {
    const auto index = static_cast<size_t>(At(x.dims, place));
    if (x.integers.empty()) {
      y.floats.push_back(x.floats[index]);
    } else {
      y.integers.push_back(x.integers[index]);
    }
  }

  SlowValue Transpose(const ir::Node& node) {
    const SlowValue& x = In(node, 0);
    const Ints order = node.IntsAttribute("perm");
    SlowValue y{.dims = {}, .offset = x.offset};
    for (const int64_t axis : order) y.dims.push_back(x.dims[static_cast<size_t>(axis)]);
    ForEach(y.dims, [&](const Ints& out) {
      Ints in(out.size());
      for (size_t i = 0; i < out.size(); ++i) in[static_cast<size_t>(order[i])] = out[i];
      AppendElement(x, in, y);
    });
    return y;
  }

  // Flatten, Squeeze; Gather of the last of axis 1.
  SlowValue Reshape(const ir::Node& node) {
    SlowValue y = In(node, 0);
    if (node.Is("Flatten")) {
      y.dims = {y.dims[0], y.size() / y.dims[0]};
    } else if (node.Is("Squeeze")) {
      y.dims.erase(y.dims.begin() + node.IntsAttribute("axes").at(0));
    } else {
      const SlowValue x = y;
      y.dims = {x.dims[0], x.dims[2]};
      y.floats.clear();
      ForEach(y.dims, [&](const Ints& out) {
        y.floats.push_back(
            x.floats[static_cast<size_t>(At(x.dims, {out[0], x.dims[1] - 1, out[1]}))]);
      });
    }
    return y;
  }

  SlowValue Binary(const ir::Node& node) {
    const SlowValue& a = In(node, 0);
    const SlowValue& b = In(node, 1);
    const bool first =
        a.dims.size() > b.dims.size() || (a.dims.size() == b.dims.size() && a.size() >= b.size());
    SlowValue y{.dims = first ? a.dims : b.dims};
    const auto element = [&](const SlowValue& x, const Ints& out) {
      return static_cast<size_t>(At(x.dims, Broadcast(x.dims, out)));
    };
    ForEach(y.dims, [&](const Ints& out) {
      const size_t i = element(a, out), j = element(b, out);
      if (!a.integers.empty()) {
        y.integers.push_back(a.integers[i] + b.integers[j]);
      } else if (node.Is("Add")) {
        y.floats.push_back(a.floats[i] + b.floats[j]);
      } else {
        y.floats.push_back(a.floats[i] * b.floats[j]);
      }
    });
    return y;
  }

  SlowValue Unary(const ir::Node& node) {
    SlowValue y = In(node, 0);
    for (float& x : y.floats) {
      if (node.Is("LeakyRelu")) {
        x = x < 0 ? x * node.FloatAttribute("alpha", 0.01f) : x;
      } else if (node.Is("Relu")) {
        x = x < 0 ? 0 : x;
      } else {
        if (Has(node, 1)) x = x < In(node, 1).floats[0] ? In(node, 1).floats[0] : x;
        if (Has(node, 2)) x = x > In(node, 2).floats[0] ? In(node, 2).floats[0] : x;
      }
    }
    return y;
  }

  void Recurrent(const ir::Node& node) {
    const auto input = [&](size_t i) { return Has(node, i) ? &In(node, i) : nullptr; };
    const std::vector<SlowValue> results = EvaluateRecurrent(node, input, options_);
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      values_[std::string(node.output(i)->name_text())] = results.at(i);
    }
  }

  std::map<std::string, SlowValue> values_;
  SlowOptions options_;
};

}  // namespace

float RoundToHalf(float x) {
  if (!std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  // 11 bits of precision; the smallest step is 2^-24.
  const double step = std::ldexp(1.0, std::max(exponent - 11, -24));
  const double rounded = std::nearbyint(static_cast<double>(x) / step) * step;
  constexpr double kLargest = 65504;
  if (std::abs(rounded) > kLargest) {
    return std::copysign(std::numeric_limits<float>::infinity(), x);
  }
  return static_cast<float>(rounded);
}

std::map<std::string, SlowValue> EvaluateSlowly(const ir::Model& model,
                                                std::map<std::string, SlowValue> inputs,
                                                const SlowOptions& options) {
  return Evaluator(std::move(inputs), options).Run(model);
}

}  // namespace lathe::test
