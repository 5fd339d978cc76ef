#include "lathe/passes/sparsity/cut_node.h"

#include <algorithm>

#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/channel_axis.h"
#include "lathe/passes/sparsity/channel_flow.h"
#include "lathe/passes/sparsity/cut_tensor.h"

namespace lathe::passes {
namespace {

Status CheckRange(const std::vector<int64_t>& removed, int64_t channels) {
  if (removed.empty() || removed.back() < channels) return OkStatus();
  return InvalidInput("channel {} is to go, and it has {}", removed.back(), channels);
}

Status CutInput(ir::Rewriter& rewriter, ir::Node& node, size_t input, size_t axis,
                const std::vector<int64_t>& removed) {
  if (removed.empty()) return OkStatus();
  const ir::Tensor tensor = node.input(input)->ConstantTensor();
  LATHE_RETURN_IF_ERROR(CheckRange(removed, tensor.dims()[axis]));
  if (static_cast<int64_t>(removed.size()) == tensor.dims()[axis]) {
    return InvalidInput("all of its {} channels are to go", tensor.dims()[axis]);
  }
  LATHE_ASSIGN_OR_RETURN(ir::Tensor cut, RemoveAlongAxis(tensor, axis, removed));
  SetConstantInput(rewriter, node, input, std::move(cut));
  return OkStatus();
}

// A bias may also be one value for all channels.
Status CutBias(ir::Rewriter& rewriter, ir::Node& node, size_t input, int64_t channels,
               const std::vector<int64_t>& removed) {
  if (node.input(input) == nullptr) return OkStatus();
  const ir::Tensor bias = node.input(input)->ConstantTensor();
  if (!bias || bias.rank() == 0 || bias.dims().back() != channels || channels == 1) {
    return OkStatus();
  }
  return CutInput(rewriter, node, input, bias.dims().size() - 1, removed);
}

Status CutDepthwise(ir::Rewriter& rewriter, ir::Node& node, const QuantLayer& layer,
                    const std::vector<int64_t>& in) {
  // A Conv may make several channels of one; a ConvTranspose's weight has them behind axis 0.
  const int64_t multiplier = node.Is("Conv") ? layer.channels / layer.cin : 1;
  std::vector<int64_t> rows;
  for (const int64_t channel : in) {
    for (int64_t i = 0; i < multiplier; ++i) rows.push_back(channel * multiplier + i);
  }
  LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, 1, 0, rows));
  LATHE_RETURN_IF_ERROR(CutBias(rewriter, node, 2, layer.channels, rows));
  rewriter.SetAttribute(node, "group", layer.group - static_cast<int64_t>(in.size()));
  return OkStatus();
}

Status CutConvolution(ir::Rewriter& rewriter, ir::Node& node, const QuantLayer& layer,
                      const NodeCut& cut) {
  const ir::Tensor weight = node.input(1)->ConstantTensor();
  const bool depthwise = layer.group > 1 && weight.dims()[1] == 1 && layer.group == layer.cin;
  if (depthwise) {
    if (!cut.out.empty()) return InvalidInput("it is depthwise, and has no channels of its own");
    return CutDepthwise(rewriter, node, layer, cut.in);
  }
  if (node.Is("ConvTranspose")) {
    if (!cut.out.empty()) return InvalidInput("ConvTranspose cannot lose output channels");
    LATHE_RETURN_IF_ERROR(CheckEqualChunks(cut.in, layer.cin, layer.group));
    return CutInput(rewriter, node, 1, 0, cut.in);
  }
  if (layer.group == 1) {
    LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, 1, 1, cut.in));
    LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, 1, 0, cut.out));
  } else {
    LATHE_ASSIGN_OR_RETURN(ir::Tensor cut_weight,
                           CutGroupedWeight(weight, layer.group, cut.out, cut.in));
    SetConstantInput(rewriter, node, 1, std::move(cut_weight));
  }
  return CutBias(rewriter, node, 2, layer.channels, cut.out);
}

Status CutLinear(ir::Rewriter& rewriter, ir::Node& node, const NodeCut& cut, int64_t channels) {
  const bool transposed = node.Is("Gemm") && node.IntAttribute("transB", 0) != 0;
  LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, 1, transposed ? 1 : 0, cut.in));
  // Before the weight: a MatMul's bias is known by its length.
  if (node.Is("Gemm")) {
    LATHE_RETURN_IF_ERROR(CutBias(rewriter, node, 2, channels, cut.out));
  } else if (const MatMulBias bias = FindMatMulBias(node, channels); bias.add != nullptr) {
    LATHE_RETURN_IF_ERROR(CutBias(rewriter, *bias.add, bias.input, channels, cut.out));
  }
  return CutInput(rewriter, node, 1, transposed ? 0 : 1, cut.out);
}

// The parameters of a normalisation: one value a channel.
Status CutParameters(ir::Rewriter& rewriter, ir::Node& node, const std::vector<int64_t>& in) {
  for (size_t i = 1; i < node.num_inputs(); ++i) {
    if (node.input(i) == nullptr) continue;
    const ir::Tensor tensor = node.input(i)->ConstantTensor();
    if (!tensor || tensor.rank() != 1) return InvalidInput("its parameters are not constant");
    LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, i, 0, in));
  }
  return OkStatus();
}

// Constants that are combined with channels element by element.
Status CutOperands(ir::Rewriter& rewriter, ir::Node& node, size_t back,
                   const std::vector<int64_t>& in) {
  for (size_t i = 0; i < node.num_inputs(); ++i) {
    if (node.input(i) == nullptr) continue;
    const ir::Tensor tensor = node.input(i)->ConstantTensor();
    if (!tensor || tensor.dims().size() < back) continue;
    const size_t axis = tensor.dims().size() - back;
    if (tensor.dims()[axis] == 1) continue;
    LATHE_RETURN_IF_ERROR(CutInput(rewriter, node, i, axis, in));
  }
  return OkStatus();
}

std::optional<QuantLayer> LayerOf(ir::Node& node) {
  auto inspected = InspectLayer(node);
  auto* layer = std::get_if<QuantLayer>(&inspected);
  if (layer == nullptr || layer->weight == nullptr || layer->is_recurrent()) return std::nullopt;
  return std::move(*layer);
}

int64_t OutputChannels(const ir::Node& node, const QuantLayer& layer) {
  if (layer.type != quant::LayerType::kLinear) return layer.channels;
  const ir::Tensor weight = node.input(1)->ConstantTensor();
  return node.Is("Gemm") && node.IntAttribute("transB", 0) != 0 ? weight.dims().front()
                                                                : weight.dims().back();
}

}  // namespace

std::optional<LayerChannels> CountChannels(ir::Node& node) {
  const std::optional<QuantLayer> layer = LayerOf(node);
  if (!layer.has_value()) return std::nullopt;
  return LayerChannels{OutputChannels(node, *layer), layer->cin};
}

Status CutNode(ir::Rewriter& rewriter, ir::Node& node, const NodeCut& cut) {
  if (cut.in.empty() && cut.out.empty()) return OkStatus();
  if (const std::optional<QuantLayer> layer = LayerOf(node)) {
    const int64_t channels = OutputChannels(node, *layer);
    LATHE_RETURN_IF_ERROR(CheckRange(cut.in, layer->cin));
    LATHE_RETURN_IF_ERROR(CheckRange(cut.out, channels));
    if (layer->type != quant::LayerType::kLinear) {
      return CutConvolution(rewriter, node, *layer, cut);
    }
    if (layer->weight->value()->ConstantTensor().rank() != 2) {
      return InvalidInput("its weight is a stack of matrices");
    }
    return CutLinear(rewriter, node, cut, channels);
  }
  if (!cut.out.empty()) return InvalidInput("it is no layer with a constant weight");
  if (node.Is("BatchNormalization") || node.Is("InstanceNormalization")) {
    return CutParameters(rewriter, node, cut.in);
  }
  if (!cut.axis.has_value()) {
    if (node.Is("Add") || node.Is("Concat")) return OkStatus();
    return InvalidInput("{} has nothing that channels could be taken from", node.op_text());
  }
  const auto back = static_cast<int>(std::min<int64_t>(*cut.axis, 64));
  if (node.Is("Split")) return CutSplit(rewriter, node, back, cut.in);
  if (node.Is("Slice")) return CutSlice(rewriter, node, back, cut.in);
  if (node.Is("Reshape")) return CutReshape(rewriter, node, back, cut.in);
  return CutOperands(rewriter, node, static_cast<size_t>(back), cut.in);
}

}  // namespace lathe::passes
