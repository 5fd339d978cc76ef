// A value of a body, made visible outside of it.
#pragma once

#include <string_view>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// All that `value`, a float tensor of the main graph or of a (nested) body, holds during one run of
// the model. In the main graph that is the value itself. Of a body the owner gets a new output:
// every pass of a Loop or Scan adds to it, and an If whose other branch is taken leaves it without
// elements. The shape is lost, [n] or [passes, n]: each pass of a loop must give equally many.
// `element` is the value's type; new names begin with `name`. O(nesting + bodies of the owners).
ir::Value& LiftToMainGraph(ir::Rewriter& rewriter, ir::Value& value, ir::ElementType element,
                           std::string_view name);

}  // namespace lathe::passes
