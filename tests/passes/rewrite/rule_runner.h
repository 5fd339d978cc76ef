// Runs rules on a small graph, for tests of the drivers.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lathe/passes/rewrite/rewrite.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {

class RuleRunner : public testing::Test {
 protected:
  template <typename Run>
  StatusOr<RewriteResult> WithContextOf(Run run) {
    const OptionValues values;
    PassContext context(
        net_.rewriter(), values, resources_,
        [&](Remark remark) { remarks_.push_back(std::move(remark)); },
        [](std::string_view, int64_t) {}, "test");
    return run(context);
  }
  StatusOr<RewriteResult> Apply(std::vector<RewriteRule> rules, RewriteOptions options = {}) {
    return WithContextOf([&](PassContext& context) { return ApplyRules(rules, context, options); });
  }
  int64_t Applied(std::vector<RewriteRule> rules, RewriteOptions options = {}) {
    const StatusOr<RewriteResult> result = Apply(std::move(rules), options);
    EXPECT_TRUE(result.ok()) << FormatError(result.status());
    return result.ok() ? result->applied : -1;
  }

  static Status Nothing(const Match&, PassContext&) { return OkStatus(); }

  // Neg(Neg(x)) becomes x.
  static RewriteRule DoubleNeg() {
    static constexpr NodeHandle kInner{"inner"};
    static constexpr ValueHandle kInput{"input"};
    return {"double-neg", Op("Neg", {Op("Neg", {Any(kInput)}).Bind(kInner).OnlyConsumerIsMatch()}),
            [](const Match& match, PassContext& context) {
              context.rewriter().ReplaceNode(match.root(), match[kInput]);
              context.rewriter().Erase(match[kInner]);
              return OkStatus();
            }};
  }
  static RewriteRule DropIdentity() {
    static constexpr ValueHandle kInput{"input"};
    return {"drop-identity", Op("Identity", {Any(kInput)}),
            [](const Match& match, PassContext& context) {
              context.rewriter().ReplaceNode(match.root(), match[kInput]);
              return OkStatus();
            }};
  }
  static RewriteRule Rename(std::string from, std::string to, std::string_view name = "rename") {
    return {name, Op(from), [to](const Match& match, PassContext& context) {
              context.rewriter().SetOperator(match.root(), to, "");
              return OkStatus();
            }};
  }

  GraphBuilder net_;
  Resources resources_;
  std::vector<Remark> remarks_;
};

}  // namespace lathe::passes
