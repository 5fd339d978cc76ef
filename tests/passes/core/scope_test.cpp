// bodies(...) from pipeline text down to the rules of a pass.
#include <gtest/gtest.h>

#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/rewrite/rewrite.h"
#include "lathe/tests/passes/core/sample_passes.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

StatusOr<bool> NegToAbs(PassContext& context) {
  const RewriteRule rules[] = {
      {"neg-to-abs", Op("Neg", {Any()}), [](const Match& match, PassContext& inner) {
         inner.rewriter().SetOperator(match.root(), "Abs", "");
         return OkStatus();
       }}};
  for (const bool to_fixed_point : {false, true}) {
    LATHE_ASSIGN_OR_RETURN(const RewriteResult result,
                           ApplyRules(rules, context, {.to_fixed_point = to_fixed_point}));
    if (result.changed()) return true;
  }
  return false;
}

struct BranchNet : GraphBuilder {
  BranchNet() {
    ir::Value* negative = Op("Neg", "n", {Input("x")});
    ir::Node* branch = Node("If", "y", {Input("cond", {})});
    for (const char* name : {"then_branch", "else_branch"}) {
      ir::Graph& body = rewriter().AddBody(*branch, model().Intern(name), false);
      ir::Node* node = Node(body, "Neg", std::string(name), {&rewriter().Capture(body, *negative)});
      rewriter().AddGraphOutput(body, node->output());
    }
    Output(branch->output());
  }
};

std::string After(BranchNet& net, std::string_view pipeline) {
  PassRegistry registry;
  PassDescriptor pass = Sample("neg-to-abs", NegToAbs);
  pass.scope = PassScope::kGraphs;
  EXPECT_TRUE(registry.Add(pass).ok());
  const auto report = RunPipeline(net.model(), pipeline, registry);
  return report.ok() ? Listing(net.graph()) : FormatError(report.status());
}

constexpr const char* kBodies =
    "y = If(cond)\n"
    "  then_branch = Abs(n)\n"
    "  return then_branch\n"
    "  else_branch = Abs(n)\n"
    "  return else_branch\n"
    "return y\n";

TEST(Scope, PassesVisitEveryGraph) {
  BranchNet net;
  EXPECT_EQ(After(net, "model(neg-to-abs)"), std::string("n = Abs(x)\n") + kBodies);
}

TEST(Scope, InBodiesRulesLeaveTheMainGraphAlone) {
  BranchNet net;
  EXPECT_EQ(After(net, "fixpoint(bodies(neg-to-abs))"), std::string("n = Neg(x)\n") + kBodies);
  // And it is over behind the group.
  EXPECT_EQ(After(net, "bodies(neg-to-abs),neg-to-abs"), std::string("n = Abs(x)\n") + kBodies);
}

}  // namespace
}  // namespace lathe::passes
