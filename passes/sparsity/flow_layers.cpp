// Layers: what they see, and what they begin.
#include <algorithm>

#include <fmt/format.h>

#include "lathe/passes/sparsity/flow_walk.h"

namespace lathe::passes {
namespace {

using quant::LayerType;

std::vector<int64_t> WeightDims(const QuantLayer& layer) {
  const ir::Tensor weight = layer.weight->value()->ConstantTensor();
  return {weight.dims().begin(), weight.dims().end()};
}

bool IsConvolution(const ir::Node& node) { return node.Is("Conv") || node.Is("ConvTranspose"); }

// One input channel a group: the reference's test, which a convolution of one channel passes, too.
bool HasOneChannelAGroup(const ir::Node& node, const std::vector<int64_t>& dims) {
  return dims[1] == 1 && (node.Is("Conv") || node.IntAttribute("group", 1) > 1);
}

// A group convolution needs as many channels of each group. Only one record can promise that.
bool RequireGroup(FlowWalk& walk, const ir::Node& node, const ChannelLayout& layout,
                  int64_t group) {
  const bool one = layout.pieces.size() == 1 && walk.records().IsWhole(layout.pieces.front());
  if (one && walk.records().RequireGroup(layout.pieces.front().record, group)) return true;
  walk.StopAll(node, fmt::format("whose {} groups they do not fit", group));
  return false;
}

// Convolutions of every kind see channels on axis 1.
bool ConsumeByConvolution(FlowWalk& walk, ir::Node& node, const QuantLayer& layer,
                          const std::vector<int64_t>& dims) {
  const ChannelLayout* layout = walk.Find(node.input(0));
  if (layout == nullptr) return false;
  if (layout->back != static_cast<int>(dims.size()) - 1 || layout->positions() != layer.cin) {
    walk.StopAll(node, "which has its channels on another axis");
    return false;
  }
  const bool depthwise = layer.group > 1 && HasOneChannelAGroup(node, dims);
  if (depthwise && layer.channels != layer.cin && !(walk.full() && node.Is("Conv"))) {
    walk.StopAll(node, "which makes several channels of one");
    return false;
  }
  if (depthwise && node.Is("ConvTranspose") && !walk.full()) {
    walk.StopAll(node, "which the reference does not cut");
    return false;
  }
  if (depthwise || layer.group == 1) {
    walk.AddConsumer(node, *layout);
    return depthwise;
  }
  if (RequireGroup(walk, node, *layout, layer.group)) {
    walk.AddConsumer(node, *layout, {layer.group, std::nullopt});
  }
  return false;
}

// The channels of a depthwise convolution are those of its input.
void PassThroughDepthwise(FlowWalk& walk, const ir::Node& node, const QuantLayer& layer) {
  const int64_t multiplier = layer.channels / layer.cin;
  if (multiplier == 1) {
    walk.PassOn(*node.input(0), *node.output());
    return;
  }
  ChannelLayout layout = *walk.Find(node.input(0));
  for (ChannelPiece& piece : layout.pieces) {
    (piece.stays() ? piece.count : piece.repeat) *= multiplier;
  }
  walk.Set(*node.output(), std::move(layout));
}

// Gemm and MatMul see channels on the last axis.
void ConsumeByLinear(FlowWalk& walk, ir::Node& node, const QuantLayer& layer) {
  const ChannelLayout* layout = walk.Find(node.input(0));
  if (layout == nullptr) return;
  if (WeightDims(layer).size() != 2) {
    walk.StopAll(node, "whose weight is a stack of matrices");
  } else if (layout->back == 1 && layout->positions() == layer.cin) {
    walk.AddConsumer(node, *layout);
  } else {
    walk.StopAll(node, "which has its channels on another axis");
  }
}

int RankOf(const ir::Value& value) { return std::max(value.type().rank(), 0); }

// Why the layer begins no record of its own; empty when it does.
std::string WhyNotProducer(const FlowWalk& walk, const QuantLayer& layer,
                           const std::vector<int64_t>& dims) {
  if (layer.type == LayerType::kLinear) {
    return dims.size() == 2 ? "" : "its weight is a stack of matrices";
  }
  if (layer.group > 1 && dims[1] == 1) {
    return "it is depthwise: it loses the channels that its input loses";
  }
  if (dims[1] == 1 && !walk.full()) return "it has one input channel, as depthwise ones have";
  return "";
}

void Produce(FlowWalk& walk, ir::Node& node, const QuantLayer& layer,
             const std::vector<int64_t>& dims) {
  const std::string why = WhyNotProducer(walk, layer, dims);
  if (!why.empty()) {
    walk.flow().refused.emplace_back(layer.name, why);
    return;
  }
  const bool linear = layer.type == LayerType::kLinear;
  const int64_t channels = !linear                                                  ? layer.channels
                           : node.Is("Gemm") && node.IntAttribute("transB", 0) != 0 ? dims[0]
                                                                                    : dims[1];
  ChannelRecord record;
  record.size = channels;
  record.axis = linear ? -1 : 1;
  ChannelSlot slot{&node, 0, 0, channels, 1, std::nullopt, std::nullopt, std::nullopt};
  if (!linear && layer.group > 1) {
    slot.group = layer.group;
    slot.prune_group = layer.group;
    record.is_grouped = true;
  }
  record.producers.push_back(slot);
  const ChannelRecordId id = walk.records().Add(std::move(record));
  walk.flow().producers.emplace_back(layer.name, id);
  ChannelLayout layout;
  layout.pieces = {{id, 0, channels, 1}};
  if (linear) {
    layout.back = 1;
    layout.rank = node.Is("Gemm") ? 2 : RankOf(*node.output());
  } else {
    layout.back = static_cast<int>(dims.size()) - 1;
    layout.rank = static_cast<int>(dims.size());
  }
  walk.Set(*node.output(), std::move(layout));
}

}  // namespace

bool FlowThroughLayer(FlowWalk& walk, ir::Node& node, const QuantLayer& layer,
                      const quant::FilterPruneConfig* filter) {
  const std::vector<int64_t> dims = WeightDims(layer);
  if (IsConvolution(node)) {
    if (ConsumeByConvolution(walk, node, layer, dims)) PassThroughDepthwise(walk, node, layer);
  } else {
    const ChannelLayout* layout = walk.Find(node.input(0));
    if (walk.full() && node.Is("MatMul") && layout != nullptr && layout->back > 1 &&
        dims.size() == 2) {
      // Its rows are not mixed.
      if (filter != nullptr) {
        walk.flow().refused.emplace_back(layer.name, "the channels of its input are its rows");
      }
      walk.PassOn(*node.input(0), *node.output());
      return true;
    }
    ConsumeByLinear(walk, node, layer);
  }
  if (filter != nullptr) Produce(walk, node, layer, dims);
  return true;
}

MatMulBias FindMatMulBias(const ir::Node& matmul, int64_t channels) {
  if (!matmul.output()->has_one_use()) return {};
  const ir::Use& use = *matmul.output()->first_use();
  ir::Node* add = use.user();
  if (add->is_return() || !add->Is("Add") || use.index() > 1) return {};
  const size_t input = 1 - use.index();
  if (add->input(input) == nullptr) return {};
  const ir::Tensor bias = add->input(input)->ConstantTensor();
  if (!bias || bias.rank() != 1 || bias.dims()[0] != channels) return {};
  return {add, input};
}

}  // namespace lathe::passes
