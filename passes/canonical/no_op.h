// Operators that change nothing: what their families (eliminate_nop_*.h) share.
//
// A family says, for a node, which value its first result always equals: in shape, in element type
// and bit for bit (two NaNs count as equal). That is all there is to a rule; taking the node away
// is the same for all.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "lathe/passes/rewrite/rewrite.h"

namespace lathe::passes {

// The value, an operand or one that an operand was computed from, in the node's own graph; null
// when there is none, or the types do not prove it.
using SameValue = ir::Value* (*)(const ir::Node& node);

// A rule that puts the value in the place of the node's result, and erases the node. `condition`
// says when, for messages: "adds zeros". Further results must be unused, and no operand
// marked as a quantisation point.
RewriteRule NoOpRule(std::string_view name, std::initializer_list<std::string_view> operators,
                     std::string_view condition, SameValue same);

// Applies rules of this kind in one walk forward: a node is looked at after its operands were, so
// nothing is left for a second walk. Refusals are no remarks: hardly any Mul is by one. O(nodes).
StatusOr<bool> ApplyNoOpRules(const std::vector<RewriteRule>& rules, PassContext& context);

// The parts of a descriptor that all of these passes share.
PassDescriptor NoOpDescriptor(std::string_view name, std::string_view summary,
                              std::string_view description);

// A pass of one family.
template <std::vector<RewriteRule> (*Rules)()>
PassDescriptor NoOpPass(std::string_view name, std::string_view summary,
                        std::string_view description) {
  PassDescriptor pass = NoOpDescriptor(name, summary, description);
  pass.run = [](PassContext& context) { return ApplyNoOpRules(Rules(), context); };
  return pass;
}

}  // namespace lathe::passes
