// Full conversion: every node that is not legal has to go.
#pragma once

#include <functional>

#include "lathe/passes/rewrite/rewrite.h"

namespace lathe::passes {

// Applies rules to a fixed point, with nodes that are not legal as roots; legal ones are left
// alone. `is_legal` must give the same answer for a node until the node or a neighbour is edited.
// Errors: ApplyRules'; nodes that are still not legal at the end, the first ten with what got
// furthest on them. The model is then as far as the conversion got. Costs what ApplyRules costs,
// and `is_legal` for each visit.
StatusOr<RewriteResult> ConvertToLegal(const RuleSet& rules,
                                       std::function<bool(const ir::Node&)> is_legal,
                                       PassContext& context, RewriteOptions options = {});

}  // namespace lathe::passes
