// The loop behind ApplyRules and ConvertToLegal.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/rewrite/internal/matcher.h"
#include "lathe/passes/rewrite/internal/worklist.h"
#include "lathe/passes/rewrite/match_listener.h"
#include "lathe/passes/rewrite/rewrite.h"

namespace lathe::passes {

// The graphs that a driver looks at, outer before inner. O(nodes).
std::vector<ir::Graph*> VisitedGraphs(const PassContext& context, const RewriteOptions& options);

class RuleDriver {
 public:
  // Rules are tried on nodes for which `wanted` holds; empty: on all. The arguments must outlive
  // the driver.
  RuleDriver(const RuleSet& rules, PassContext& context, const RewriteOptions& options,
             std::function<bool(const ir::Node&)> wanted = {});

  StatusOr<RewriteResult> Run();

 private:
  // Returns the number of nodes.
  int64_t PushAll();
  Status Drain();
  Status Visit(ir::Node& root);
  Status VisitAndTell(ir::Node& root);
  void Refused(const RewriteRule& rule, ir::Node& root);
  Status Apply(const RewriteRule& rule, const Match& match);
  void NoteLast(const RewriteRule& rule);
  Status DoesNotEnd() const;

  const RuleSet& rules_;
  PassContext& context_;
  const RewriteOptions& options_;
  std::function<bool(const ir::Node&)> wanted_;
  MatchListener* listener_;
  RuleIndex index_;
  Worklist worklist_;
  Matcher matcher_{/*explain=*/false};
  Matcher explaining_matcher_{/*explain=*/true};
  RewriteResult result_;
  int64_t most_applications_ = 0;
  // The last applications, in a ring.
  std::vector<const RewriteRule*> last_;
  // Rule and node of the refusals that were remarked upon.
  absl::flat_hash_set<uint64_t> reported_;
};

}  // namespace lathe::passes
