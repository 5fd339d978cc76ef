// Operands that are computed from constants become constants.
#pragma once

#include <cstddef>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/ir/tensor.h"
#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// For one run of a pass, which has the statistics folded, shortened and left. Values are looked at
// once in all: O(nodes + what is computed).
class OperandFolder {
 public:
  explicit OperandFolder(PassContext& context) : context_(context) {}

  // The constant takes the name of the value that it replaces, in the graph where it was computed,
  // and all its uses; what only served the computation goes. Of an initializer behind Identity
  // nodes that serve this operand only, these go. What cannot be evaluated stays, with a remark.
  Status Visit(ir::Use& operand);

  bool changed() const { return changed_; }

 private:
  enum class Known { kOpen, kNo, kYes };

  StatusOr<ir::Value*> Fold(const ir::Node& user, ir::Value& value);
  void Shorten(ir::Use& operand, ir::Value& root);
  bool IsConstant(ir::Value& wanted);

  PassContext& context_;
  absl::flat_hash_map<ir::ValueId, Known> constant_;
  // Values that were folded or refused before; a refusal is said once.
  absl::flat_hash_set<ir::ValueId> looked_at_;
  bool changed_ = false;
};

}  // namespace lathe::passes
