// Who wants to know what the drivers try: every rule on a node, and why it fitted or did not.
#pragma once

#include <string_view>

#include "lathe/passes/rewrite/rule.h"

namespace lathe::passes {

// The drivers look for one among the pass's resources.
class MatchListener {
 public:
  virtual ~MatchListener() = default;
  // Before the rules are tried on a node: whether it is to be told about them. Asked for each visit
  // of each node, so it should be quick.
  virtual bool Wants(const ir::Node& root) = 0;
  // Only for nodes that it wants. All rules whose root has the node's operator are tried next, up
  // to the one that fits.
  virtual void OnVisit(const PassContext& context, const ir::Node& root) = 0;
  virtual void OnRefused(const RewriteRule& rule, const ir::Node& root, const Refusal& refusal) = 0;
  // For every match of every node, before anything is built.
  virtual void OnFits(const PassContext& context, const RewriteRule& rule, const Match& match) = 0;
};

}  // namespace lathe::passes
