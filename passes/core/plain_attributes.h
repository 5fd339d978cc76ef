#pragma once

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// Gives `to` the attributes of `from` that are numbers, texts or lists of these; layers that are
// quantised have no others. O(attributes).
void CopyPlainAttributes(ir::Rewriter& rewriter, const ir::Node& from, ir::Node& to);

}  // namespace lathe::passes
