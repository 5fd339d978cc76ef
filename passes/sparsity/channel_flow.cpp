#include "lathe/passes/sparsity/channel_flow.h"

#include <algorithm>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/sparsity/flow_walk.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kNotFollowed = "through which they are not followed";

class Walk {
 public:
  Walk(const ir::Model& model, const quant::PruneSettings& settings, PruneReach reach)
      : model_(model), scan_(ScanLayers(model)), walk_(flow_, reach) {
    for (const QuantLayer& layer : scan_.layers) {
      if (layer.on_request.empty()) layers_.emplace(layer.node, &layer);
    }
    for (const quant::PruneLayerSettings& layer : settings.layers) {
      const auto* filter = std::get_if<quant::FilterPruneConfig>(&layer.method);
      if (filter != nullptr) filters_.emplace(layer.name, filter);
    }
    for (const quant::OtherNode& other : scan_.others) reasons_.emplace(other.name, &other.reason);
  }

  ChannelFlow Run() && {
    for (ir::Node& node : model_.graph().nodes()) Visit(node);
    walk_.StopAll(*model_.graph().return_node(), "");
    for (const QuantLayer& layer : scan_.layers) {
      if (!filters_.contains(layer.name) || layer.node->graph() == &model_.graph()) continue;
      flow_.refused.emplace_back(layer.name, "it stands inside a body");
    }
    return std::move(flow_);
  }

 private:
  void Visit(ir::Node& node) {
    const auto layer = layers_.find(&node);
    if (layer != layers_.end() && layer->second->weight != nullptr &&
        !layer->second->is_recurrent()) {
      const auto filter = filters_.find(layer->second->name);
      FlowThroughLayer(walk_, node, *layer->second,
                       filter == filters_.end() ? nullptr : filter->second);
      return;
    }
    const bool reached = std::ranges::any_of(
        node.operands(), [&](const ir::Use& use) { return walk_.Find(use.value()) != nullptr; });
    if (!reached) return;
    if (!node.has_bodies() && !IsLayerOperator(node) && FlowThrough(node)) return;
    walk_.StopAll(node, WhyNot(node));
  }

  bool FlowThrough(ir::Node& node) {
    if (FlowThroughReferenceOperator(walk_, node)) return true;
    return walk_.full() && (FlowThroughElementwise(walk_, node) || FlowThroughLayout(walk_, node));
  }

  // One that is none of the layers: its weight is computed or shared.
  static bool IsLayerOperator(const ir::Node& node) {
    return node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul");
  }

  std::string WhyNot(const ir::Node& node) const {
    if (!IsLayerOperator(node)) return std::string(kNotFollowed);
    const auto found = reasons_.find(LayerName(node));
    return found == reasons_.end() ? std::string(kNotFollowed)
                                   : fmt::format("which is left alone: {}", *found->second);
  }

  const ir::Model& model_;
  LayerScan scan_;
  ChannelFlow flow_;
  FlowWalk walk_;
  absl::flat_hash_map<const ir::Node*, const QuantLayer*> layers_;
  absl::flat_hash_map<std::string_view, const quant::FilterPruneConfig*> filters_;
  absl::flat_hash_map<std::string_view, const std::string*> reasons_;
};

}  // namespace

ChannelFlow FindChannelFlow(const ir::Model& model, const quant::PruneSettings& settings,
                            PruneReach reach) {
  return Walk(model, settings, reach).Run();
}

}  // namespace lathe::passes
