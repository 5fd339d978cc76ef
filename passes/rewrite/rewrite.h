// Rules (a pattern and what to build in its place) and the drivers that apply them to a model.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
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

struct RewriteOptions {
  // Visit the bodies of If, Loop and Scan, and local functions.
  bool bodies = true;
  bool functions = true;
  // False: one walk forward over the nodes that are there at the start. True: nodes that rules
  // made, and nodes near an edit, are looked at as well, until nothing fits.
  bool to_fixed_point = false;
  // False: no remark for a match that only a condition refused, and `refused` stays 0. For rules
  // whose conditions hold for few of the nodes they look at.
  bool remark_refusals = true;
};

struct RewriteResult {
  int64_t applied = 0;
  // Matches that only a condition refused.
  int64_t refused = 0;
  bool changed() const { return applied != 0; }
};

// Applies rules to every graph, outer before inner, nodes in execution order. The first rule that
// fits a node is applied, the others are not tried on it in this visit. Remarks: one for each
// application, one for each refusal by a condition. Errors: those of a rule, with the root's name;
// at a fixed point, rules that undo each other (16 applications for each node at the start).
// O(nodes) matches, each against the rules for the node's operator only, plus what rules do.
StatusOr<RewriteResult> ApplyRules(std::span<const RewriteRule> rules, PassContext& context,
                                   const RewriteOptions& options = {});

}  // namespace lathe::passes
