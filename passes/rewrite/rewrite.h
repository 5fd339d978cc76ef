// The drivers that apply rules to a model.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lathe/passes/rewrite/rule.h"
#include "lathe/passes/rewrite/rule_set.h"

namespace lathe::passes {

struct RewriteOptions {
  // Visit the bodies of If, Loop and Scan, and local functions.
  bool bodies = true;
  bool functions = true;
  // False: one walk over the nodes that are there at the start. True: nodes that rules made, and
  // nodes near an edit, are looked at as well, until nothing fits.
  bool to_fixed_point = false;
  // Start with the last node of the last graph instead of the first of the first.
  bool backward = false;
  // For tests: look at the nodes in an order that this number determines instead of the graph's.
  std::optional<uint64_t> shuffle_seed;
  // At a fixed point: more applications than this are an error. 0: 16 for each node at the start.
  int64_t max_applications = 0;
  // Remarks cost more than trying rules; who applies many to graphs of any size may do without.
  enum class Remarks { kAll, kApplied, kNone };
  Remarks remarks = Remarks::kAll;
};

struct RewriteResult {
  int64_t applied = 0;
  // Matches that only a condition refused, counted each time they are tried.
  int64_t refused = 0;
  bool changed() const { return applied != 0; }
};

// Applies rules to every graph, outer before inner, nodes in execution order. The first rule that
// fits a node is applied, the others are not tried on it in this visit. Remarks: one for each
// application, one for each refusal by a condition (once for a node and a rule). Errors: those of a
// rule, with the root's name; at a fixed point, rules that undo each other, by name.
// O(nodes + applications) visits, each to the rules that the index leaves for the node, plus what
// rules do; an edit near a value adds a visit to each of its users.
StatusOr<RewriteResult> ApplyRules(const RuleSet& rules, PassContext& context,
                                   const RewriteOptions& options = {});
// Compiles the set first.
StatusOr<RewriteResult> ApplyRules(std::span<const RewriteRule> rules, PassContext& context,
                                   const RewriteOptions& options = {});

}  // namespace lathe::passes
