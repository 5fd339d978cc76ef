#include "lathe/flows/ada_problem.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace lathe::flows {
namespace {

std::vector<float> SwapMiddle(std::span<const float> values, int64_t a, int64_t b, int64_t c,
                              int64_t d) {
  std::vector<float> result;
  result.reserve(values.size());
  for (int64_t i = 0; i < a; ++i) {
    for (int64_t k = 0; k < c; ++k) {
      for (int64_t j = 0; j < b; ++j) {
        const auto run =
            values.subspan(static_cast<size_t>(((i * b + j) * c + k) * d), static_cast<size_t>(d));
        result.insert(result.end(), run.begin(), run.end());
      }
    }
  }
  return result;
}

int64_t Product(std::span<const int64_t> dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// One of two spatial axes.
struct Axis {
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad = 0;
};

// Pads before the axis: as given, or what auto_pad or output_shape make of the extents.
Axis ReadAxis(const ir::Node& node, size_t axis, int64_t kernel, int64_t in, int64_t out) {
  const auto at = [&](std::string_view name, int64_t absent) {
    const std::vector<int64_t> values = node.IntsAttribute(name);
    return axis < values.size() ? values[axis] : absent;
  };
  Axis result{at("strides", 1), at("dilations", 1), at("pads", 0)};
  const std::string auto_pad = node.StringAttribute("auto_pad", "NOTSET");
  const bool transposed = node.Is("ConvTranspose");
  const bool by_shape = transposed && !node.IntsAttribute("output_shape").empty();
  const bool same = auto_pad.starts_with("SAME");
  if (auto_pad == "VALID") result.pad = 0;
  if (!same && !by_shape) return result;
  const int64_t extent = (kernel - 1) * result.dilation + 1;
  const int64_t total = transposed
                            ? result.stride * (in - 1) + at("output_padding", 0) + extent - out
                            : std::max<int64_t>((out - 1) * result.stride + extent - in, 0);
  // An odd one goes behind the axis for SAME_UPPER, else before it.
  result.pad = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
  return result;
}

StatusOr<quant::LayerShape> LinearShape(const passes::QuantLayer& layer,
                                        std::span<const int64_t> input,
                                        std::span<const int64_t> output, int64_t cout) {
  if (layer.weight->value()->ConstantTensor().rank() != 2) {
    return Unsupported("ada_quantize is for weights that are one matrix");
  }
  quant::LayerShape shape;
  shape.channels_last = true;
  shape.cin = layer.cin;
  shape.cout = cout;
  if (input.back() != layer.cin || output.back() != cout) {
    return InvalidInput("its input [{}] and output [{}] do not fit its weight of {} by {}",
                        fmt::join(input, ","), fmt::join(output, ","), layer.cin, cout);
  }
  if (input.size() > 1) {
    shape.samples = input[0];
    shape.in_w = Product(input.subspan(1, input.size() - 2));
  }
  shape.out_w = shape.in_w;
  return shape;
}

}  // namespace

std::vector<float> WeightOrder::ToRows(std::span<const float> stored) const {
  return SwapMiddle(stored, a, b, c, d);
}

std::vector<float> WeightOrder::FromRows(std::span<const float> rows) const {
  return SwapMiddle(rows, a, c, b, d);
}

WeightOrder OrderOf(const passes::QuantLayer& layer) {
  const ir::Tensor weight = layer.weight->value()->ConstantTensor();
  const auto dims = weight.dims();
  if (layer.node->Is("ConvTranspose")) {
    return {layer.group, dims[0] / layer.group, dims[1], Product(dims.subspan(2))};
  }
  const bool columns = layer.node->Is("MatMul") ||
                       (layer.node->Is("Gemm") && layer.node->IntAttribute("transB", 0) == 0);
  if (columns) return {1, dims[0], dims[1], 1};
  return {1, 1, dims[0], Product(dims.subspan(1))};
}

quant::WeightLayout RowLayout(const passes::QuantLayer& layer, bool channel_wise) {
  const WeightOrder order = OrderOf(layer);
  const int64_t rows = order.a * order.c;
  const int64_t row = order.b * order.d;
  if (!channel_wise) return quant::WeightLayout::PerTensor(rows * row);
  return quant::WeightLayout::AlongAxis(1, rows, row);
}

StatusOr<quant::LayerShape> LayerShapeOf(const passes::QuantLayer& layer,
                                         std::span<const int64_t> input,
                                         std::span<const int64_t> output) {
  const WeightOrder order = OrderOf(layer);
  if (input.empty() || output.empty()) return InvalidInput("its input or output is a scalar");
  if (layer.type == quant::LayerType::kLinear) {
    return LinearShape(layer, input, output, order.c);
  }
  constexpr size_t kRank = 4;
  const ir::Tensor weight = layer.weight->value()->ConstantTensor();
  if (input.size() != kRank || output.size() != kRank || input[1] != layer.cin ||
      output[1] != layer.channels) {
    return InvalidInput("its input [{}] and output [{}] do not fit its weight [{}]",
                        fmt::join(input, ","), fmt::join(output, ","),
                        fmt::join(weight.dims(), ","));
  }
  quant::LayerShape shape;
  shape.transposed = layer.node->Is("ConvTranspose");
  shape.samples = input[0];
  shape.groups = layer.group;
  shape.cin = layer.cin / layer.group;
  shape.cout = layer.channels / layer.group;
  shape.in_h = input[2];
  shape.in_w = input[3];
  shape.out_h = output[2];
  shape.out_w = output[3];
  shape.kernel_h = weight.dims()[2];
  shape.kernel_w = weight.dims()[3];
  const Axis y = ReadAxis(*layer.node, 0, shape.kernel_h, shape.in_h, shape.out_h);
  const Axis x = ReadAxis(*layer.node, 1, shape.kernel_w, shape.in_w, shape.out_w);
  shape.stride_h = y.stride;
  shape.stride_w = x.stride;
  shape.dilation_h = y.dilation;
  shape.dilation_w = x.dilation;
  shape.pad_top = y.pad;
  shape.pad_left = x.pad;
  return shape;
}

}  // namespace lathe::flows
