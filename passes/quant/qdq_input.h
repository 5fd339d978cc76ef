// What a layer's input is rounded to, also where operators stand between the layer and the pair
// that rounds.
#pragma once

#include <variant>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/qdq_pair.h"

namespace lathe::passes {

struct QdqInput {
  QdqRounding rounding;
  // The pair that the value comes from; its nodes are null when one Concat joins several that round
  // alike.
  QdqPair pair;
  // What stands between, the last first: operators that only move values or choose among them, so
  // that it makes no difference whether they come before or behind the rounding.
  std::vector<ir::Node*> between;
};

// Refused: a value that is computed of rounded ones, and what FindQdqPair refuses. O(nodes
// between).
std::variant<QdqInput, QdqRefusal> FindQdqInput(ir::Value& value);

// Takes the pair away from in front of `between`, for a reader that rounds itself; false, and
// nothing done, when there is no one pair, or somebody else reads any of it. (Then the pair stays:
// what it rounded is not changed by rounding it again.)
bool SinkPair(ir::Rewriter& rewriter, const QdqInput& input);

}  // namespace lathe::passes
