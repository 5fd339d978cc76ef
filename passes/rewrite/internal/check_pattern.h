// What can be wrong with a pattern before it meets a graph.
#pragma once

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// An error says what makes no sense: no operator, a Rest that is not last, an empty range of
// opsets, ... O(size of the pattern).
Status CheckPattern(const Pattern& pattern);

}  // namespace lathe::passes
