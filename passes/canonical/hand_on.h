// Putting one value in another's place: what passes that find two values to be the same do.
#pragma once

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// Whether every use of `from`, a node's result, may read `to`, a value of the same graph, instead.
// A graph output must be a node's result of its own name, so what carries one can only go when `to`
// can take that name. O(1).
bool CanHandOn(const ir::Value& from, const ir::Value& to);

// Puts `to` in the place of `from`; CanHandOn must hold. `to` learns what the type of `from` knew;
// a graph output keeps its name, its type and its notes. O(uses of `from`).
void HandOn(ir::Rewriter& rewriter, ir::Value& from, ir::Value& to);

}  // namespace lathe::passes
