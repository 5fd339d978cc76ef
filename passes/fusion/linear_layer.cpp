#include "lathe/passes/fusion/linear_layer.h"

#include <algorithm>
#include <cmath>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

using Reason = std::optional<std::string>;

int64_t Product(std::span<const int64_t> dims) {
  int64_t product = 1;
  for (const int64_t dim : dims) product *= dim;
  return product;
}

bool IsFoldable(ir::ElementType type) {
  return type == ir::ElementType::kFloat32 || type == ir::ElementType::kFloat16;
}

bool PadsNothing(const ir::Node& conv) {
  const std::string auto_pad = conv.StringAttribute("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return true;
  const std::vector<int64_t> pads = conv.IntsAttribute("pads");
  return auto_pad == "NOTSET" && std::ranges::all_of(pads, [](int64_t pad) { return pad == 0; });
}

Reason InspectConvolution(const ir::Node& node, LinearLayer* layer) {
  const auto dims = layer->weight.dims();
  if (dims.size() < 3) return "its weight has no channels";
  const int64_t group = node.IntAttribute("group", 1);
  if (group < 1 || dims[0] % group != 0) return "its weight does not fit its groups";
  const int64_t kernel = Product(dims.subspan(2));
  if (node.Is("Conv")) {
    layer->outputs = quant::WeightLayout::AlongAxis(1, dims[0], dims[1] * kernel);
    layer->inputs = {group, dims[0] / group, dims[1], kernel};
    layer->takes_input_shift = PadsNothing(node);
  } else {
    layer->outputs = quant::WeightLayout::ConvTranspose(dims[0], dims[1], kernel, group);
    layer->inputs = quant::WeightLayout::AlongAxis(1, dims[0], dims[1] * kernel);
  }
  layer->axes_behind = dims.size() - 2;
  layer->input_rank = layer->output_rank = dims.size();
  return std::nullopt;
}

Reason InspectGemm(const ir::Node& node, LinearLayer* layer) {
  const auto dims = layer->weight.dims();
  if (dims.size() != 2) return "its weight is no matrix";
  const auto rows = quant::WeightLayout::AlongAxis(1, dims[0], dims[1]);
  const auto columns = quant::WeightLayout::AlongAxis(dims[0], dims[1], 1);
  const bool transposed = node.IntAttribute("transB", 0) != 0;
  layer->outputs = transposed ? rows : columns;
  layer->inputs = transposed ? columns : rows;
  layer->input_rank = layer->output_rank = 2;
  layer->takes_input_shift = true;
  return std::nullopt;
}

Reason InspectMatMul(const ir::Node& node, LinearLayer* layer) {
  const auto dims = layer->weight.dims();
  if (dims.size() < 2) return "its weight is no matrix";
  const int64_t batches = Product(dims.first(dims.size() - 2));
  const int64_t k = dims[dims.size() - 2];
  const int64_t n = dims[dims.size() - 1];
  layer->outputs = quant::WeightLayout::AlongAxis(batches * k, n, 1);
  layer->inputs = quant::WeightLayout::AlongAxis(batches, k, n);
  const auto rank = [](const ir::Value* value) {
    return static_cast<size_t>(std::max(value->type().rank(), 1));
  };
  layer->input_rank = rank(node.input(0));
  layer->output_rank = rank(node.output());
  layer->takes_bias = false;
  return std::nullopt;
}

// The bias as one value a channel, in the layer's own arithmetic (Gemm's `beta` included).
StatusOr<Reason> ReadBias(const LinearLayer& layer, std::vector<double>* bias) {
  const auto channels = static_cast<size_t>(layer.outputs.channels());
  bias->assign(channels, 0.0);
  const ir::Value* value = layer.takes_bias ? layer.node->input(2) : nullptr;
  if (value == nullptr) return Reason();
  const ir::Tensor tensor = value->ConstantTensor();
  if (!tensor) return Reason("its bias is computed");
  const auto dims = tensor.dims();
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    if (dims[i] != 1) return Reason("its bias is not one value a channel");
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  if (values.size() != channels && !(layer.node->Is("Gemm") && values.size() == 1)) {
    return Reason("its bias is not one value a channel");
  }
  const double beta = layer.node->FloatAttribute("beta", 1.0f);
  for (size_t c = 0; c < channels; ++c) {
    (*bias)[c] = values[values.size() == 1 ? 0 : c];
    if (layer.node->Is("Gemm")) (*bias)[c] *= beta;
  }
  return Reason();
}

bool AllFinite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

// The tensor of these values, or nothing when one is not finite in its type.
std::optional<ir::Tensor> FiniteTensor(ir::ElementType type, std::span<const int64_t> dims,
                                       const std::vector<float>& values) {
  if (!AllFinite(values)) return std::nullopt;
  ir::Tensor tensor = FloatTensor(type, dims, values);
  if (type != ir::ElementType::kFloat32) {
    const StatusOr<std::vector<float>> rounded = tensor.ValuesAsFloat();
    if (!rounded.ok() || !AllFinite(*rounded)) return std::nullopt;
  }
  return tensor;
}

// Writes weight and bias; the bias only when `bias` is not empty.
Reason Write(ir::Rewriter& rewriter, LinearLayer& layer, const std::vector<float>& weight,
             const std::vector<double>& bias) {
  ir::Node& node = *layer.node;
  const ir::ElementType type = layer.weight.element_type();
  std::optional<ir::Tensor> new_weight = FiniteTensor(type, layer.weight.dims(), weight);
  const std::vector<int64_t> bias_dims = {static_cast<int64_t>(bias.size())};
  std::optional<ir::Tensor> new_bias =
      FiniteTensor(type, bias_dims, std::vector<float>(bias.begin(), bias.end()));
  if (!new_weight || !new_bias) return "its weight or bias would not be finite";
  layer.weight = *new_weight;
  SetConstantInput(rewriter, node, 1, *std::move(new_weight));
  if (bias.empty()) return std::nullopt;
  if (node.input(2) != nullptr) {
    SetConstantInput(rewriter, node, 2, *std::move(new_bias));
  } else {
    PutInput(rewriter, node, 2,
             &MakeConstant(rewriter, node, node.display_name() + ".bias", *std::move(new_bias)));
  }
  if (node.FindAttribute("beta") != nullptr) rewriter.RemoveAttribute(node, "beta");
  return std::nullopt;
}

// The weight with each value multiplied by the scale of its channel.
std::vector<float> Scaled(std::vector<float> weight, const quant::WeightLayout& layout,
                          const std::vector<double>& scale) {
  quant::ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    for (size_t i = begin; i < begin + length; ++i) {
      weight[i] = static_cast<float>(weight[i] * scale[channel]);
    }
  });
  return weight;
}

}  // namespace

ChannelAffine ChannelAffine::Identity(size_t channels) {
  return {std::vector<double>(channels, 1.0), std::vector<double>(channels, 0.0)};
}

void ChannelAffine::Then(const ChannelAffine& outer) {
  for (size_t c = 0; c < scale.size(); ++c) {
    scale[c] *= outer.scale[c];
    shift[c] = shift[c] * outer.scale[c] + outer.shift[c];
  }
}

bool ChannelAffine::shifts() const {
  return std::ranges::any_of(shift, [](double value) { return value != 0; });
}

bool IsLinearLayer(const ir::Node& node) {
  return (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul")) &&
         node.num_outputs() != 0;
}

bool IsAffineOperator(const ir::Node& node) {
  return (node.Is("Mul") || node.Is("Add") || node.Is("Sub") || node.Is("Div")) &&
         node.num_outputs() != 0;
}

std::optional<std::string> InspectLinearLayer(ir::Node& node, LinearLayer* layer) {
  layer->node = &node;
  if (node.input(0) == nullptr || node.input(1) == nullptr) return "it has no weight";
  if (InFunction(*node.graph()) || HasUnknownAttributes(node)) return "it is in a local function";
  layer->weight = node.input(1)->ConstantTensor();
  if (!layer->weight) return "its weight is computed";
  const ir::ElementType type = layer->weight.element_type();
  if (!IsFoldable(type)) return fmt::format("its weight is {}", ir::ElementTypeName(type));
  if (layer->weight.num_elements() == 0) return "its weight is empty";
  if (node.Is("Gemm")) return InspectGemm(node, layer);
  if (node.Is("MatMul")) return InspectMatMul(node, layer);
  return InspectConvolution(node, layer);
}

StatusOr<std::optional<std::string>> ReadAffine(const ir::Node& node, size_t through,
                                                const ChannelAxis& axis, ChannelAffine* affine) {
  if (OpsetOf(node) < 7) return Reason("it broadcasts in the old way");
  const ir::Value* operand = node.input(1 - through);
  const ir::Tensor tensor = operand == nullptr ? ir::Tensor() : operand->ConstantTensor();
  if (!tensor) return Reason("its other operand is computed");
  if (!IsFoldable(tensor.element_type())) {
    return Reason(fmt::format("its constant is {}", ir::ElementTypeName(tensor.element_type())));
  }
  const auto dims = tensor.dims();
  if (dims.size() > axis.value_rank) return Reason("its constant may have more axes");
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool is_channel = dims.size() - 1 - i == axis.axes_behind;
    if (dims[i] == 1 || (is_channel && dims[i] == static_cast<int64_t>(axis.channels))) continue;
    return Reason("its constant is not one value a channel");
  }
  if (node.Is("Div") && through == 1) return Reason("it divides by the value");
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  *affine = ChannelAffine::Identity(axis.channels);
  for (size_t c = 0; c < axis.channels; ++c) {
    const double value = values[values.size() == 1 ? 0 : c];
    if (node.Is("Mul")) {
      affine->scale[c] = value;
    } else if (node.Is("Div")) {
      affine->scale[c] = 1 / value;
    } else if (node.Is("Add")) {
      affine->shift[c] = value;
    } else {
      affine->scale[c] = through == 0 ? 1 : -1;
      affine->shift[c] = through == 0 ? -value : value;
    }
  }
  return Reason();
}

StatusOr<std::optional<std::string>> FoldAfter(ir::Rewriter& rewriter, LinearLayer& layer,
                                               const ChannelAffine& after) {
  std::vector<double> bias;
  LATHE_ASSIGN_OR_RETURN(const Reason refusal, ReadBias(layer, &bias));
  if (refusal) return refusal;
  LATHE_ASSIGN_OR_RETURN(std::vector<float> weight, layer.weight.ValuesAsFloat());
  weight = Scaled(std::move(weight), layer.outputs, after.scale);
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * after.scale[c] + after.shift[c];
  const bool has_bias = layer.takes_bias && layer.node->input(2) != nullptr;
  if (!has_bias && !after.shifts()) bias.clear();
  return Write(rewriter, layer, weight, bias);
}

StatusOr<std::optional<std::string>> FoldBefore(ir::Rewriter& rewriter, LinearLayer& layer,
                                                const ChannelAffine& before) {
  LATHE_ASSIGN_OR_RETURN(std::vector<float> weight, layer.weight.ValuesAsFloat());
  std::vector<double> bias;
  if (before.shifts()) {
    LATHE_ASSIGN_OR_RETURN(const Reason refusal, ReadBias(layer, &bias));
    if (refusal) return refusal;
    const double alpha = layer.node->Is("Gemm") ? layer.node->FloatAttribute("alpha", 1.0f) : 1.0f;
    const quant::WeightLayout& outputs = layer.outputs;
    quant::ForEachRun(layer.inputs, [&](size_t channel, size_t begin, size_t length) {
      const double shift = alpha * before.shift[channel];
      for (size_t i = begin; i < begin + length; ++i) {
        const auto run = static_cast<int64_t>(i) / outputs.inner;
        const int64_t group = run / (outputs.outer * outputs.local);
        bias[static_cast<size_t>(group * outputs.local + run % outputs.local)] += weight[i] * shift;
      }
    });
  }
  weight = Scaled(std::move(weight), layer.inputs, before.scale);
  return Write(rewriter, layer, weight, bias);
}

}  // namespace lathe::passes
