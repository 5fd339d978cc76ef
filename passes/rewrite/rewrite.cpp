#include "lathe/passes/rewrite/rewrite.h"

#include "lathe/passes/rewrite/internal/driver.h"

namespace lathe::passes {

StatusOr<RewriteResult> ApplyRules(const RuleSet& rules, PassContext& context,
                                   const RewriteOptions& options) {
  return RuleDriver(rules, context, options).Run();
}

StatusOr<RewriteResult> ApplyRules(std::span<const RewriteRule> rules, PassContext& context,
                                   const RewriteOptions& options) {
  LATHE_ASSIGN_OR_RETURN(const RuleSet compiled, RuleSet::Compile(rules));
  return ApplyRules(compiled, context, options);
}

}  // namespace lathe::passes
