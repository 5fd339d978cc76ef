// The walk of FindChannelFlow: what it knows while it goes from node to node, and the questions and
// edits that rules for operators share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/channel_flow.h"

namespace lathe::passes {

// Where channels stand in a value.
struct ChannelLayout {
  // Their axis, counted from the end: 1 is the last.
  int back = 1;
  // Of the value; 0: not known.
  int rank = 0;
  std::vector<ChannelPiece> pieces;

  // Counted from the front; negative: not known.
  int front() const { return rank == 0 ? -1 : rank - back; }
  int64_t positions() const;
};

class FlowWalk {
 public:
  FlowWalk(ChannelFlow& flow, PruneReach reach) : flow_(flow), reach_(reach) {}

  bool full() const { return reach_ == PruneReach::kFull; }
  ChannelRecords& records() { return flow_.records; }
  ChannelFlow& flow() { return flow_; }

  // Null when no channels of a record are in it. Pieces are resolved.
  const ChannelLayout* Find(const ir::Value* value);
  void Set(const ir::Value& value, ChannelLayout layout);
  // `to` has the channels of `from`.
  void PassOn(const ir::Value& from, const ir::Value& to);
  // The node combines its inputs element by element, `from` among them, whose channels its result
  // has; its rank is the largest of theirs.
  void PassOnCombined(const ir::Node& node, const ir::Value& from);

  // Nothing that reaches the value, or any operand of the node, is pruned.
  void Stop(const ir::Value* value, std::string_view reason);
  void StopAll(const ir::Node& node, std::string_view why);

  // The node sees the channels of the layout on its own axis, and has something to cut.
  struct SlotNotes {
    std::optional<int64_t> group;
    std::optional<int64_t> axis;
  };
  void AddConsumer(ir::Node& node, const ChannelLayout& layout, SlotNotes notes);
  void AddConsumer(ir::Node& node, const ChannelLayout& layout) {
    AddConsumer(node, layout, SlotNotes());
  }

  // Joins the channels of two values that are combined element by element. False: it cannot be, and
  // nothing of either is pruned.
  bool Join(const ir::Node& node, const ir::Value& a, const ir::Value& b);

 private:
  using Shared = std::shared_ptr<ChannelLayout>;

  void JoinPieces(const ir::Node& node, const ChannelPiece& a, const ChannelPiece& b);

  ChannelFlow& flow_;
  PruneReach reach_;
  absl::flat_hash_map<const ir::Value*, Shared> layouts_;
};

// Rules, one file a family. Each returns whether it knows the node; the walk stops what reaches a
// node that no rule knows.
bool FlowThroughLayer(FlowWalk& walk, ir::Node& node, const QuantLayer& layer,
                      const quant::FilterPruneConfig* filter);
bool FlowThroughReferenceOperator(FlowWalk& walk, ir::Node& node);
bool FlowThroughElementwise(FlowWalk& walk, ir::Node& node);
bool FlowThroughLayout(FlowWalk& walk, ir::Node& node);

// "Sigmoid 'act'".
std::string NodeText(const ir::Node& node);

}  // namespace lathe::passes
