// The nodes that a driver has yet to look at. Listens to edits, so that what an edit may have
// helped is looked at again.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/rewrite/pattern_reach.h"

namespace lathe::passes {

// Each node stands in it at most once. A node that is looked at again because something near it
// changed passes that on to its users only when its turn comes, so that any number of edits
// before it costs one walk over its users. Ids, so that an erased node does no harm.
class Worklist : public ir::RewriteListener {
 public:
  // With a seed, Pop takes any node instead of the oldest.
  explicit Worklist(PatternReach reach, std::optional<uint64_t> seed = std::nullopt);

  // `reach`: how many users down from the node are to be looked at as well. O(1) amortised, as is
  // Pop.
  void Push(const ir::Node& node, int reach = 0);
  struct Item {
    ir::Node* node = nullptr;
    int reach = 0;
  };
  // A null node when there is nothing left.
  Item Pop(const ir::Model& model);
  // To be called with an item that was looked at and still exists. O(uses of the node's results).
  void PassOn(const Item& item);

  // Its users come with changes of their operands.
  void OnNodeCreated(ir::Node& node) override { Push(node); }
  void OnNodeChanged(ir::Node& node) override { PushChanged(node, reach_.users + 1); }
  void OnNodeErased(ir::Node& node) override;
  void OnOperandChanged(ir::Use& use, ir::Value* old_value) override;
  void OnValueChanged(ir::Value& value) override;

 private:
  ir::NodeId PopId();
  // A node that an edit changed, and what else patterns reach from it against the flow of values.
  void PushChanged(const ir::Node& node, int reach);
  void PushUsers(const ir::Value& value, int reach);
  // The value's producer and users, to look at anew.
  void PushAround(const ir::Value& value);
  // A use of the value goes; few others are left, or many.
  void UseGoes(const ir::Value& value, bool few);

  PatternReach reach_;
  std::optional<std::mt19937_64> random_;
  // Those before head_ are done.
  std::vector<ir::NodeId> ids_;
  size_t head_ = 0;
  // By id: 0 for a node that is not in the list, else its reach + 1.
  std::vector<uint8_t> queued_;
};

}  // namespace lathe::passes
