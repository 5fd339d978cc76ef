// Small edits of constants that several passes need.
#pragma once

#include <span>
#include <string_view>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// A tensor of float32, or of float16 rounded to nearest even, from float values.
ir::Tensor FloatTensor(ir::ElementType type, std::span<const int64_t> dims,
                       std::span<const float> values);

// Gives input i of the node another constant. An initializer that only this operand uses, in the
// node's own graph, is overwritten in place; otherwise the node gets a new one (named after the
// old) and the old one goes when nothing uses it any more.
void SetConstantInput(ir::Rewriter& rewriter, ir::Node& node, size_t i, ir::Tensor tensor);

// Removes an initializer, or the node that computes the value, if nothing uses it (or any other
// result of the node), and then whatever served only that. O(what is removed).
void EraseIfUnused(ir::Rewriter& rewriter, ir::Value& value);

}  // namespace lathe::passes
