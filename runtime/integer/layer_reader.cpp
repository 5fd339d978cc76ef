#include "lathe/runtime/integer/layer_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lathe/ir/input_spec.h"
#include "lathe/support/nibbles.h"

namespace lathe::runtime::integer {
namespace {

struct TypeRange {
  std::string_view name;
  int32_t low;
  int32_t high;
};

constexpr TypeRange kTypes[] = {{"INT8", -128, 127}, {"INT16", -32768, 32767}, {"INT4", -8, 7}};

// [rows][columns][taps] -> [columns][taps][rows], inside each group.
void Transpose(const std::vector<int32_t>& from, size_t group, LayerWeights& weights) {
  const size_t size = weights.depth * weights.columns * weights.taps;
  for (size_t k = 0; k < weights.depth; ++k) {
    for (size_t c = 0; c < weights.columns; ++c) {
      for (size_t tap = 0; tap < weights.taps; ++tap) {
        weights.values[group * size + (c * weights.taps + tap) * weights.depth + k] =
            static_cast<int16_t>(
                from[group * size + (k * weights.columns + c) * weights.taps + tap]);
      }
    }
  }
}

StatusOr<LayerWeights> ConvWeights(const std::vector<int32_t>& from, std::span<const int64_t> dims,
                                   size_t groups, int64_t in_channels, bool transposed) {
  const int64_t split = dims[0];
  if (groups < 1 || split % static_cast<int64_t>(groups) != 0) {
    return InvalidInput("the weight {} does not split into {} groups", ir::ShapeText(dims), groups);
  }
  const int64_t expected = transposed ? dims[0] : dims[1] * static_cast<int64_t>(groups);
  if (expected != in_channels) {
    return InvalidInput("the weight {} is for {} input channels, the input has {}",
                        ir::ShapeText(dims), expected, in_channels);
  }
  LayerWeights weights;
  weights.groups = groups;
  for (const int64_t dim : dims.subspan(2)) weights.taps *= static_cast<size_t>(dim);
  if (transposed) {
    weights.depth = static_cast<size_t>(dims[0]) / groups;
    weights.columns = static_cast<size_t>(dims[1]);
  } else {
    weights.depth = static_cast<size_t>(dims[1]);
    weights.columns = static_cast<size_t>(dims[0]) / groups;
  }
  weights.values.resize(from.size());
  if (transposed) {
    for (size_t g = 0; g < groups; ++g) Transpose(from, g, weights);
    return weights;
  }
  // [columns][depth][taps] -> [columns][taps][depth].
  const size_t size = weights.depth * weights.taps;
  for (size_t c = 0; c < weights.total_columns(); ++c) {
    for (size_t k = 0; k < weights.depth; ++k) {
      for (size_t tap = 0; tap < weights.taps; ++tap) {
        weights.values[c * size + tap * weights.depth + k] =
            static_cast<int16_t>(from[c * size + k * weights.taps + tap]);
      }
    }
  }
  return weights;
}

StatusOr<LayerWeights> MatrixWeights(const ir::Node& node, const std::vector<int32_t>& from,
                                     std::span<const int64_t> dims, int64_t in_channels) {
  const bool gemm = node.Is("Gemm");
  const bool by_rows = gemm && node.IntAttribute("transB", 0) != 0;
  if (gemm && node.IntAttribute("transA", 0) != 0) {
    return Unsupported("a quantised Gemm with transA is not executed");
  }
  for (const std::string_view factor : {"alpha", "beta"}) {
    if (gemm && node.FloatAttribute(factor, 1.0f) != 1.0f) {
      return Unsupported("a quantised Gemm with {} {} is not executed", factor,
                         node.FloatAttribute(factor, 1.0f));
    }
  }
  const std::span<const int64_t> matrix = dims.last(2);
  const int64_t depth = by_rows ? matrix[1] : matrix[0];
  if (depth != in_channels) {
    return InvalidInput("the weight {} is for {} input channels, the input has {}",
                        ir::ShapeText(dims), depth, in_channels);
  }
  LayerWeights weights;
  weights.depth = static_cast<size_t>(depth);
  weights.columns = static_cast<size_t>(by_rows ? matrix[0] : matrix[1]);
  weights.stacked = dims.size() > 2;
  for (const int64_t dim : dims.first(dims.size() - 2)) weights.groups *= static_cast<size_t>(dim);
  weights.values.resize(from.size());
  if (by_rows) {
    std::ranges::transform(from, weights.values.begin(),
                           [](int32_t w) { return static_cast<int16_t>(w); });
  } else {
    for (size_t g = 0; g < weights.groups; ++g) Transpose(from, g, weights);
  }
  return weights;
}

// A Gemm's bias that differs from row to row: [rows, columns] or [rows, 1].
void ReadRowBias(const std::vector<int64_t>& bias, size_t rows, LayerWeights& weights) {
  const size_t given = bias.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t c = 0; c < weights.columns; ++c) {
      weights.row_bias.push_back(static_cast<int32_t>(bias[row * given + (given == 1 ? 0 : c)]));
    }
  }
}

// `rows`: extent of axis 0 of a Gemm's result, 1 for other layers.
Status ReadBias(const ir::Value& value, int64_t rows, LayerWeights& weights) {
  const ir::Tensor tensor = ConstantBehind(&value);
  if (!tensor) return Unsupported("the bias '{}' is not constant", value.name_text());
  std::vector<int64_t> bias;
  if (tensor.element_type() == ir::ElementType::kInt32) {
    LATHE_ASSIGN_OR_RETURN(bias, tensor.ValuesAsInt64());
  } else {
    return InvalidInput("the bias '{}' of a quantised layer is {}, not i32", value.name_text(),
                        ir::ElementTypeName(tensor.element_type()));
  }
  const size_t columns = weights.output_channels();
  const auto dims = tensor.dims();
  if (rows > 1 && dims.size() == 2 && dims[0] == rows &&
      (dims[1] == 1 || dims[1] == static_cast<int64_t>(columns))) {
    ReadRowBias(bias, static_cast<size_t>(rows), weights);
    return OkStatus();
  }
  // All other axes but the last must be 1: the bias of a Gemm may be [1, N].
  const bool row = std::ranges::all_of(dims.first(dims.empty() ? 0 : dims.size() - 1),
                                       [](int64_t dim) { return dim == 1; });
  if (!row || (bias.size() != columns && bias.size() != 1)) {
    return InvalidInput("the bias '{}' is {}, the layer has {} output channels", value.name_text(),
                        ir::ShapeText(dims), columns);
  }
  for (size_t c = 0; c < weights.bias.size(); ++c) {
    weights.bias[c] = static_cast<int32_t>(bias[bias.size() == 1 ? 0 : c % columns]);
  }
  return OkStatus();
}

// `pads` from auto_pad, for one axis: begin and end.
StatusOr<std::pair<int64_t, int64_t>> AutoPad(const std::string& mode, const WindowAxis& axis) {
  if (mode == "VALID") return std::pair<int64_t, int64_t>(0, 0);
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") {
    return InvalidInput("auto_pad '{}' is not known", mode);
  }
  const int64_t out = (axis.in + axis.stride - 1) / axis.stride;
  const int64_t covered = (axis.taps - 1) * axis.dilation + 1;
  const int64_t total = std::max<int64_t>(0, (out - 1) * axis.stride + covered - axis.in);
  const int64_t small = total / 2;
  return mode == "SAME_UPPER" ? std::pair(small, total - small) : std::pair(total - small, small);
}

StatusOr<std::vector<int64_t>> AxisAttribute(const ir::Node& node, std::string_view name,
                                             size_t count, int64_t absent) {
  std::vector<int64_t> values = node.IntsAttribute(name);
  if (values.empty()) values.assign(count, absent);
  if (values.size() != count) {
    return InvalidInput("{} has {} values, not {}", name, values.size(), count);
  }
  // Keeps sums and products of a few of them far from 2^63.
  for (const int64_t value : values) {
    if (value < 0 || value > INT32_MAX) return InvalidInput("{} has the value {}", name, value);
  }
  return values;
}

}  // namespace

Status InNode(Status status, const ir::Node& node) {
  return WithContext(std::move(status), ErrorContext::kNode, node.display_name());
}

ir::Tensor ConstantBehind(const ir::Value* value) {
  // A chain longer than this is no bias.
  constexpr int kMostNodes = 8;
  for (int i = 0; i < kMostNodes && value != nullptr; ++i) {
    if (ir::Tensor tensor = value->ConstantTensor()) return tensor;
    const ir::Node* node = value->producer();
    if (node == nullptr ||
        !(node->Is("Cast") || node->Is("Identity") || node->Is("AscendWeightQuant"))) {
      break;
    }
    value = node->input(0);
  }
  return {};
}

StatusOr<QuantParams> ReadQuantParams(const ir::Node& node) {
  QuantParams params;
  params.scale = node.FloatAttribute("scale", 0.0f);
  const float offset = node.FloatAttribute("offset", 0.0f);
  if (!std::isfinite(params.scale)) {
    return InNode(InvalidInput("the scale {} is not finite", params.scale), node);
  }
  if (node.IntAttribute("sqrt_mode", 0) != 0) {
    return InNode(Unsupported("sqrt_mode is not executed"), node);
  }
  if (const std::string mode = node.StringAttribute("round_mode", "Round"); mode != "Round") {
    return InNode(Unsupported("round_mode '{}' is not executed", mode), node);
  }
  std::string name = node.StringAttribute("dst_type", "INT8");
  while (!name.empty() && name.back() == ' ') name.pop_back();
  const auto* type = std::ranges::find(kTypes, name, &TypeRange::name);
  if (type == std::end(kTypes)) {
    return InNode(InvalidInput("dst_type '{}' is none of INT4, INT8, INT16", name), node);
  }
  // Offsets of 4-bit tensors have the range of 8 bits.
  const int32_t low = std::min(type->low, -128);
  const int32_t high = std::max(type->high, 127);
  if (!(offset >= static_cast<float>(low) && offset <= static_cast<float>(high)) ||
      offset != std::rint(offset)) {
    return InNode(InvalidInput("the offset {} is no integer from {} to {}", offset, low, high),
                  node);
  }
  params.offset = static_cast<int32_t>(offset);
  params.low = type->low;
  params.high = type->high;
  return params;
}

StatusOr<std::vector<quant::DequantParam>> ReadDequantWords(const ir::Node& node, size_t channels) {
  const ir::Tensor tensor = ConstantBehind(node.input(1));
  if (!tensor) return InNode(Unsupported("the parameter is not constant"), node);
  if (tensor.element_type() != ir::ElementType::kUint64) {
    return InNode(
        InvalidInput("the parameter is {}, not u64", ir::ElementTypeName(tensor.element_type())),
        node);
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint64_t> words, tensor.Values<uint64_t>());
  if (words.size() != 1 && words.size() != channels) {
    return InNode(
        InvalidInput("the parameter has {} words for {} channels", words.size(), channels), node);
  }
  std::vector<quant::DequantParam> params;
  for (const uint64_t word : words) {
    params.push_back(quant::DecodeDequantWord(word));
    constexpr int kMostShift = 31;
    if (!std::isfinite(params.back().deq_scale) || params.back().shift > kMostShift) {
      return InNode(InvalidInput("the parameter of channel {} has scale {} and shift {}",
                                 params.size() - 1, params.back().deq_scale, params.back().shift),
                    node);
    }
  }
  return params;
}

StatusOr<std::vector<int32_t>> ReadIntegers(const ir::Value* value, std::string_view what) {
  const ir::Tensor tensor = ConstantBehind(value);
  if (!tensor) {
    return Unsupported("the {} '{}' is not constant", what,
                       value == nullptr ? "" : value->name_text());
  }
  if (tensor.element_type() == ir::ElementType::kInt4) {
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
    const auto narrow = UnpackNibbles(bytes.bytes(), static_cast<size_t>(tensor.num_elements()));
    return std::vector<int32_t>(narrow.begin(), narrow.end());
  }
  if (tensor.element_type() != ir::ElementType::kInt8 &&
      tensor.element_type() != ir::ElementType::kInt16 &&
      tensor.element_type() != ir::ElementType::kInt32) {
    return InvalidInput("the {} '{}' is {}, not an integer", what, value->name_text(),
                        ir::ElementTypeName(tensor.element_type()));
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> wide, tensor.ValuesAsInt64());
  return std::vector<int32_t>(wide.begin(), wide.end());
}

StatusOr<LayerWeights> ReadLayerWeights(const ir::Node& node, const std::vector<int64_t>& input,
                                        const ir::Value* bias, const std::vector<int8_t>& offsets) {
  const bool conv = node.Is("Conv") || node.Is("ConvTranspose");
  const ir::Tensor tensor = ConstantBehind(node.input(1));
  auto integers = ReadIntegers(node.input(1), "weight");
  if (!integers.ok()) return InNode(integers.status(), node);
  if (tensor.element_type() != ir::ElementType::kInt8 &&
      tensor.element_type() != ir::ElementType::kInt4) {
    return InNode(
        InvalidInput("the weight '{}' of a quantised layer is {}, not i8",
                     node.input(1)->name_text(), ir::ElementTypeName(tensor.element_type())),
        node);
  }
  if (const ir::Node* quant = node.input(1)->producer();
      quant != nullptr && quant->Is("AscendWeightQuant")) {
    LATHE_ASSIGN_OR_RETURN(const auto stated, ReadIntegers(quant->input(1), "offset"));
    if (std::ranges::any_of(stated, [](int32_t offset) { return offset != 0; })) {
      return InNode(Unsupported("an offset other than 0 is not executed"), *quant);
    }
  }
  const auto dims = tensor.dims();
  const size_t rank = conv                ? input.size()
                      : node.Is("MatMul") ? std::max<size_t>(2, dims.size())
                                          : 2;
  if (dims.size() != rank || (conv && rank < 3) || (!conv && input.empty())) {
    return InNode(Unsupported("a weight {} on an input {} is not executed", ir::ShapeText(dims),
                              ir::ShapeText(input)),
                  node);
  }
  const auto groups = static_cast<size_t>(std::max<int64_t>(0, node.IntAttribute("group", 1)));
  StatusOr<LayerWeights> weights =
      conv ? ConvWeights(*integers, dims, groups, input[1], node.Is("ConvTranspose"))
           : MatrixWeights(node, *integers, dims, input.back());
  if (!weights.ok()) return InNode(weights.status(), node);
  const size_t columns = weights->total_columns();
  weights->bias.assign(columns, 0);
  const ir::Value* own = node.Is("MatMul") ? nullptr : node.input(2);
  for (const ir::Value* value : {own, bias}) {
    if (value == nullptr) continue;
    LATHE_RETURN_IF_ERROR(InNode(ReadBias(*value, node.Is("Gemm") ? input[0] : 1, *weights), node));
  }
  if (offsets.empty()) return weights;
  const size_t length = weights->taps * weights->depth;
  for (size_t c = 0; c < columns; ++c) {
    const int8_t offset = offsets[offsets.size() == 1 ? 0 : c % weights->output_channels()];
    for (size_t i = 0; i < length; ++i) {
      weights->values[c * length + i] =
          static_cast<int16_t>(weights->values[c * length + i] - offset);
    }
  }
  return weights;
}

StatusOr<Window> ReadWindow(const ir::Node& node, const std::vector<int64_t>& input,
                            const std::vector<int64_t>& kernel) {
  const size_t axes = kernel.size();
  if (input.size() != axes + 2) {
    return InvalidInput("a window of rank {} on an input {}", axes, ir::ShapeText(input));
  }
  LATHE_ASSIGN_OR_RETURN(const auto strides, AxisAttribute(node, "strides", axes, 1));
  LATHE_ASSIGN_OR_RETURN(const auto dilations, AxisAttribute(node, "dilations", axes, 1));
  LATHE_ASSIGN_OR_RETURN(const auto pads, AxisAttribute(node, "pads", 2 * axes, 0));
  LATHE_ASSIGN_OR_RETURN(const auto extra, AxisAttribute(node, "output_padding", axes, 0));
  const bool transposed = node.Is("ConvTranspose");
  const bool ceil = node.IntAttribute("ceil_mode", 0) != 0;
  const std::string auto_pad = node.StringAttribute("auto_pad", "NOTSET");
  if (transposed && (auto_pad != "NOTSET" || node.FindAttribute("output_shape") != nullptr)) {
    return Unsupported("a quantised ConvTranspose with auto_pad or output_shape is not executed");
  }
  std::vector<WindowAxis> result;
  for (size_t i = 0; i < axes; ++i) {
    WindowAxis axis{.in = input[i + 2],
                    .taps = kernel[i],
                    .stride = strides[i],
                    .dilation = dilations[i],
                    .pad_begin = pads[i],
                    .pad_end = pads[axes + i],
                    .transposed = transposed};
    if (kernel[i] < 1 || kernel[i] > INT32_MAX || axis.stride < 1 || axis.dilation < 1) {
      return InvalidInput("kernel {}, stride {} and dilation {} must be positive", kernel[i],
                          axis.stride, axis.dilation);
    }
    if (auto_pad != "NOTSET") {
      LATHE_ASSIGN_OR_RETURN(const auto both, AutoPad(auto_pad, axis));
      std::tie(axis.pad_begin, axis.pad_end) = both;
    }
    const int64_t covered = (axis.taps - 1) * axis.dilation + 1;
    if (transposed) {
      axis.out = axis.stride * (axis.in - 1) + extra[i] + covered - axis.pad_begin - axis.pad_end;
    } else {
      const int64_t room = axis.in + axis.pad_begin + axis.pad_end - covered;
      axis.out = room < 0 ? 0 : room / axis.stride + 1;
      if (ceil && room >= 0 && room % axis.stride != 0) {
        // A window may begin in the padding at the end only if it begins before it ends.
        const int64_t start = axis.out * axis.stride;
        if (start < axis.in + axis.pad_begin) ++axis.out;
      }
    }
    if (axis.out < 0 || (axis.out == 0 && axis.in > 0)) {
      return InvalidInput("the window does not fit: axis {} of {} with kernel {}, pads {} and {}",
                          i + 2, ir::ShapeText(input), axis.taps, axis.pad_begin, axis.pad_end);
    }
    result.push_back(std::move(axis));
  }
  return Window::Make(std::move(result));
}

}  // namespace lathe::runtime::integer
