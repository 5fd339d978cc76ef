// Checks that a model is well formed. A finding is a mistake of whoever built or edited the model,
// so it is an internal error; readers refuse bad files before.
#pragma once

#include <vector>

#include <absl/container/flat_hash_set.h>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::ir {

// Checks everything: lists of nodes and their order numbers, ids, use lists in both directions and
// their counts, that a value is defined in the graph and before the node that uses it, captures,
// initializers, value infos, functions, types, and that no name means two values in one graph
// (captured names included, so that a written file is read back with the same meaning). The error
// names node and value. O(size of the model).
Status VerifyModel(const Model& model);

// Checks what was edited since the last call: give it to a Rewriter as a listener. Everything but
// names is checked as VerifyModel does.
class TouchedVerifier : public RewriteListener {
 public:
  explicit TouchedVerifier(const Model& model) : model_(model) {}

  // Checks and forgets what was touched. O(touched nodes, their operands, and the uses of the
  // values they read and write).
  Status Verify();

  void OnNodeCreated(Node& node) override;
  void OnNodeErased(Node& node) override;
  void OnOperandChanged(Use& use, Value* old_value) override;
  void OnNodeChanged(Node& node) override;
  void OnValueChanged(Value& value) override;

 private:
  void Touch(const Node* node);
  void Touch(const Value* value);

  const Model& model_;
  // Ids: what was touched may be gone by the time it is looked at. In order, to report the first.
  std::vector<NodeId> nodes_;
  std::vector<ValueId> values_;
  absl::flat_hash_set<NodeId> seen_nodes_;
  absl::flat_hash_set<ValueId> seen_values_;
};

}  // namespace lathe::ir
