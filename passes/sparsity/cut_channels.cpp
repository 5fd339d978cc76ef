#include "lathe/passes/sparsity/cut_channels.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/channel_axis.h"
#include "lathe/passes/sparsity/cut_node.h"
#include "lathe/quant/config/prune_record.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kOtherNetwork = "is it the record of another network?";

class Cutter {
 public:
  explicit Cutter(ir::Rewriter& rewriter) : rewriter_(rewriter) {
    for (ir::Node& node : rewriter.model().graph().nodes()) {
      nodes_.emplace(LayerName(node), &node);
    }
  }

  StatusOr<ChannelCut> Run(const quant::Record& record) {
    for (size_t i = 0; i < record.prune_records.size(); ++i) {
      const Status status = Collect(record.prune_records[i]);
      if (!status.ok()) {
        return WithContext(InvalidInput("prune_record {}, {}", i + 1, FormatError(status)),
                           ErrorContext::kHint, kOtherNetwork);
      }
    }
    ChannelCut result;
    LATHE_ASSIGN_OR_RETURN(result.was_applied, WasApplied());
    if (result.was_applied || order_.empty()) return result;
    for (ir::Node* node : order_) {
      NodeCut& cut = cuts_[node];
      for (std::vector<int64_t>* list : {&cut.in, &cut.out}) {
        std::ranges::sort(*list);
        if (std::ranges::adjacent_find(*list) == list->end()) continue;
        return WithContext(InvalidInput("several prune_records take the same channel"),
                           ErrorContext::kNode, node->display_name());
      }
      if (const Status status = CutNode(rewriter_, *node, cut); !status.ok()) {
        return WithContext(WithContext(status, ErrorContext::kNode, node->display_name()),
                           ErrorContext::kHint, kOtherNetwork);
      }
      if (cut.in.empty() && cut.out.empty()) continue;
      ++result.nodes;
      result.channels += static_cast<int64_t>(cut.out.size());
    }
    return result;
  }

 private:
  struct Producer {
    ir::Node* node = nullptr;
    int64_t channels = 0;
  };

  Status Collect(const quant::PruneRecord& record) {
    for (const quant::PruneNode& entry : record.producers) {
      LATHE_RETURN_IF_ERROR(CollectSlot(entry, true));
    }
    for (const quant::PruneNode& entry : record.consumers) {
      LATHE_RETURN_IF_ERROR(CollectSlot(entry, false));
    }
    return OkStatus();
  }

  Status CollectSlot(const quant::PruneNode& entry, bool produces) {
    const std::string_view role = produces ? "producer" : "consumer";
    const auto read = quant::ReadPruneSlot(entry);
    if (!read.ok()) {
      return InvalidInput("{} {}: {}", role, Quoted(entry.name), FormatError(read.status()));
    }
    const quant::PruneSlot& slot = *read;
    const auto found = nodes_.find(slot.name);
    if (found == nodes_.end()) {
      std::vector<std::string_view> names;
      for (const ir::Node& node : rewriter_.model().graph().nodes()) {
        names.push_back(node.name_text());
      }
      const std::string near = DidYouMean(slot.name, names);
      return InvalidInput("{} {}: the model has no node of this name{}{}", role, Quoted(slot.name),
                          near.empty() ? "" : ", ", near);
    }
    ir::Node* node = found->second;
    if (node->op_text() != slot.type) {
      return InvalidInput("{} {}: the record says {}, the model has {}", role, Quoted(slot.name),
                          slot.type, node->op_text());
    }
    if (!cuts_.contains(node)) order_.push_back(node);
    NodeCut& cut = cuts_[node];
    if (slot.axis.has_value()) cut.axis = slot.axis;
    std::vector<int64_t>& list = produces ? cut.out : cut.in;
    list.insert(list.end(), slot.prune_index.begin(), slot.prune_index.end());
    if (produces) producers_.push_back({node, slot.channels.value_or(slot.end)});
    return OkStatus();
  }

  // Errors: producers have neither what the record begins with nor what it leaves.
  StatusOr<bool> WasApplied() {
    bool all_before = true;
    bool all_after = true;
    for (const Producer& producer : producers_) {
      const std::optional<LayerChannels> channels = CountChannels(*producer.node);
      if (!channels.has_value()) {
        return WithContext(InvalidInput("it is no layer with a constant weight"),
                           ErrorContext::kNode, producer.node->display_name());
      }
      const int64_t left =
          producer.channels - static_cast<int64_t>(cuts_[producer.node].out.size());
      all_before &= channels->out == producer.channels;
      all_after &= channels->out == left;
      if (all_before || all_after) continue;
      return WithContext(
          WithContext(InvalidInput("the record counts {} output channels and leaves {}, the model "
                                   "has {}",
                                   producer.channels, left, channels->out),
                      ErrorContext::kNode, producer.node->display_name()),
          ErrorContext::kHint, kOtherNetwork);
    }
    return all_after && !all_before;
  }

  ir::Rewriter& rewriter_;
  absl::flat_hash_map<std::string, ir::Node*> nodes_;
  absl::flat_hash_map<const ir::Node*, NodeCut> cuts_;
  // In the order of the record.
  std::vector<ir::Node*> order_;
  std::vector<Producer> producers_;
};

// Shapes of results hold no more; those of the network's own outputs do.
void ForgetShapes(ir::Rewriter& rewriter) {
  ir::Model& model = rewriter.model();
  for (const ir::Graph* graph : model.AllGraphs()) {
    if (graph->function() != nullptr) continue;
    for (const ir::Node& node : graph->nodes()) {
      for (ir::Value* value : node.outputs()) {
        if (!value->type().is_tensor() || !value->type().has_rank()) continue;
        if (value->is_graph_output() && graph == &model.graph()) continue;
        rewriter.SetType(*value, model.Intern(ir::Type::Tensor(value->type().element)));
      }
    }
  }
}

// Input channels that the node is made for: `count` on its axis `back`, counted from the end.
struct Expected {
  int64_t count = 0;
  int back = 1;
};

std::optional<Expected> ExpectedChannels(ir::Node& node) {
  const int rank = node.input(0) == nullptr ? -1 : node.input(0)->type().rank();
  if (rank < 2) return std::nullopt;
  if (node.Is("BatchNormalization") && node.input(1) != nullptr) {
    const ir::Tensor scale = node.input(1)->ConstantTensor();
    if (!scale || scale.rank() != 1) return std::nullopt;
    return Expected{scale.dims()[0], rank - 1};
  }
  const std::optional<LayerChannels> channels = CountChannels(node);
  if (!channels.has_value()) return std::nullopt;
  const bool on_axis_1 = node.Is("Conv") || node.Is("ConvTranspose");
  return Expected{channels->in, on_axis_1 ? rank - 1 : 1};
}

// Shape inference does not compare channels of inputs with those of weights.
Status CheckInputChannels(const ir::Model& model) {
  for (ir::Node& node : model.graph().nodes()) {
    const std::optional<Expected> expected = ExpectedChannels(node);
    if (!expected.has_value()) continue;
    const auto extent = ExtentFromEnd(node.input(0), expected->back);
    if (!extent.has_value() || *extent == expected->count) continue;
    return WithContext(
        WithContext(
            InvalidInput("of the channels that the record leaves it gets {}, and it takes {}",
                         *extent, expected->count),
            ErrorContext::kNode, node.display_name()),
        ErrorContext::kHint, kOtherNetwork);
  }
  return OkStatus();
}

}  // namespace

StatusOr<ChannelCut> CutChannels(ir::Rewriter& rewriter, const quant::Record& record) {
  LATHE_ASSIGN_OR_RETURN(const ir::InferShapesResult before, ir::InferShapes(rewriter));
  LATHE_ASSIGN_OR_RETURN(const ChannelCut result, Cutter(rewriter).Run(record));
  if (result.nodes == 0) return result;
  ForgetShapes(rewriter);
  LATHE_ASSIGN_OR_RETURN(const ir::InferShapesResult after, ir::InferShapes(rewriter));
  if (after.conflicts.size() <= before.conflicts.size()) {
    LATHE_RETURN_IF_ERROR(CheckInputChannels(rewriter.model()));
    return result;
  }
  const ir::ShapeConflict& conflict = after.conflicts.front();
  return WithContext(
      WithContext(InvalidInput("without the channels that the record takes, shapes contradict each "
                               "other: {}",
                               conflict.message),
                  ErrorContext::kNode, conflict.node),
      ErrorContext::kHint, kOtherNetwork);
}

}  // namespace lathe::passes
