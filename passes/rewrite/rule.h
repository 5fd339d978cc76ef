// A rule: a pattern and what to build in its place.
#pragma once

#include <functional>
#include <string_view>

#include "lathe/passes/core/pass.h"
#include "lathe/passes/rewrite/pattern.h"

namespace lathe::passes {

struct RewriteRule {
  // For remarks and errors: "drop-identity".
  std::string_view name;
  Pattern pattern;
  // Builds; it decides nothing. Nodes it creates inherit the origins of all matched nodes. It may
  // erase matched nodes, but not the node whose body the match is in. An error stops the pass: it
  // means that something is broken, not that the rule does not apply.
  std::function<Status(const Match& match, PassContext& context)> build;
};

}  // namespace lathe::passes
