#include "lathe/passes/canonical/inline_if.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

PassReport Inline(ir::Model& model) { return RunPass(model, "inline-if"); }

TEST(InlineIf, TheBranchTakesTheNodesPlace) {
  const auto model = ParseText(R"((%x : f32[N,2]) {
    init %yes : bool[] = bool[] {1}
    %k = Neg(%x)
    %y = If(%yes) {then_branch = graph "t"() {
      init %two : f32[] = f32[] {2.0}
      %a = Mul(%k, %two) : f32[N,2] name "mul"
      value_info %a
      %b = Abs(%a) name "abs"
      return %b
    }, else_branch = graph "e"() {
      %b = Exp(%x) name "abs"
      return %b
    }} : f32[N,?] name "choice"
    %z = Neg(%y)
    return %z
  })");
  const PassReport report = Inline(*model);
  EXPECT_EQ(Statistic(report, "inlined"), 1);
  EXPECT_EQ(Listing(model->graph()),
            "k = Neg(x)\na = Mul(k, two)\nb = Abs(a)\nz = Neg(b)\nreturn z\n");
  EXPECT_EQ(InitializerNames(model->graph()), (std::vector<std::string>{"two"}));
  const ir::Node& mul = *model->graph().first_node()->next();
  EXPECT_EQ(mul.name_text(), "mul");
  EXPECT_EQ(mul.output()->type().rank(), 2);
  EXPECT_EQ(mul.next()->name_text(), "abs");
  // The branch did not say its result's type, so the If's holds.
  EXPECT_EQ(mul.next()->output()->type().rank(), 2);
  ASSERT_EQ(model->graph().value_info().size(), 1u);
  EXPECT_EQ(model->graph().value_info()[0].value, mul.output());
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, "replaced by its 2 nodes");
  EXPECT_FALSE(Inline(*model).changed);
}

TEST(InlineIf, TakenNamesGetANumberAndOutputsKeepTheirs) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %no : bool[1] = bool[1] {0}
    %y = If(%no) {then_branch = graph "t"() {
      return %x
    }, else_branch = graph "e"() {
      %a = Neg(%x) name "n"
      return %a
    }} name "first"
    %z = If(%no) {then_branch = graph "t"() {
      return %x
    }, else_branch = graph "e"() {
      %a = Abs(%x) name "n"
      %b = Neg(%a)
      return %b
    }} name "second"
    return %y, %z
  })");
  EXPECT_EQ(Statistic(Inline(*model), "inlined"), 2);
  EXPECT_EQ(Listing(model->graph()), "y = Neg(x)\na = Abs(x)\nz = Neg(a)\nreturn y, z\n");
  EXPECT_EQ(model->graph().first_node()->name_text(), "n1");
  EXPECT_EQ(model->graph().first_node()->next()->name_text(), "n");
}

TEST(InlineIf, AValueFromOutsideAsAnOutput) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %yes : bool[] = bool[] {1}
    %y = If(%yes) {then_branch = graph "t"() {
      return %x
    }, else_branch = graph "e"() {
      %b = Exp(%x)
      return %b
    }}
    return %y
  })");
  EXPECT_TRUE(Inline(*model).changed);
  EXPECT_EQ(Listing(model->graph()), "y = Identity(x)\nreturn y\n");
}

TEST(InlineIf, InBodiesInnerOnesFirst) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[]) {
    init %yes : bool[] = bool[] {1}
    %y = If(%flag) {then_branch = graph "t"() {
      %u = If(%yes) {then_branch = graph "tt"() {
        %v = If(%yes) {then_branch = graph "ttt"() {
          %w = Neg(%x)
          return %w
        }, else_branch = graph "tte"() {
          return %x
        }}
        return %v
      }, else_branch = graph "te"() {
        return %x
      }}
      return %u
    }, else_branch = graph "e"() {
      %r = If(%yes) {then_branch = graph "et"() {
        return %x
      }, else_branch = graph "ee"() {
        %q = Neg(%x)
        return %q
      }}
      return %r
    }}
    return %y
  })");
  EXPECT_EQ(Statistic(Inline(*model), "inlined"), 3);
  // A body's output has to be a node's result.
  EXPECT_EQ(Listing(model->graph()),
            "y = If(flag)\n  w = Neg(x)\n  return w\n  r1 = Identity(x)\n  return r1\n"
            "return y\n");
}

TEST(InlineIf, BodiesInTheBranchMoveAlong) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[]) {
    init %yes : bool[] = bool[] {1}
    %y = If(%yes) {then_branch = graph "t"() {
      %k = Neg(%x) name "k"
      %u = If(%flag) {then_branch = graph "tt"() {
        init %c : f32[2] = f32[2] {1.0, 2.0}
        %v = Add(%k, %c {"note"})
        return %v
      }, else_branch = graph "te"() {
        %w = Add(%k, %x)
        return %w
      }}
      return %u
    }, else_branch = graph "e"() {
      return %x
    }}
    return %y
  })");
  EXPECT_TRUE(Inline(*model).changed);
  EXPECT_EQ(Listing(model->graph()),
            "k = Neg(x)\ny = If(flag)\n  v = Add(k, c)\n  return v\n  w = Add(k, x)\n  return w\n"
            "return y\n");
  const ir::Graph& body = *model->graph().last_node()->bodies()[0];
  EXPECT_EQ(model->Text(body.first_node()->inputs()[1].annotation()), "note");
}

TEST(InlineIf, InFunctionsConstantsBecomeNodes) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F(%x)
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    attribute axis = 0
    %yes = Constant() {value = tensor bool[] {1}}
    %r = If(%yes) {then_branch = graph "t"() {
      init %c : f32[2] = f32[2] {1.0, 2.0}
      %s = Concat(%v, %c) {axis = ref "axis" : int}
      return %s
    }, else_branch = graph "e"() {
      return %v
    }}
    return %r
  })");
  EXPECT_TRUE(Inline(*model).changed);
  const ir::Graph& body = model->functions()[0]->body();
  EXPECT_EQ(Listing(body), "c = Constant()\nr = Concat(v, c)\nreturn r\n");
  EXPECT_FALSE(body.last_node()->FindAttribute("axis")->reference.empty());
}

TEST(InlineIf, ConditionsThatAreNotConstantStay) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[], %preset : bool[]) {
    default %preset = bool[] {1}
    init %two : bool[2] = bool[2] {1, 1}
    %a = If(%flag) {then_branch = graph "t"() { return %x }, else_branch = graph "e"() { return %x }}
    %b = If(%preset) {then_branch = graph "t"() { return %x }, else_branch = graph "e"() { return %x }}
    %c = If(%two) {then_branch = graph "t"() { return %x }, else_branch = graph "e"() { return %x }}
    return %a, %b, %c
  })");
  EXPECT_FALSE(Inline(*model).changed);
}

TEST(InlineIf, BranchesThatCallValuesByNameStay) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %yes : bool[] = bool[] {1}
    %a = If(%yes) {then_branch = graph "t"() {
      quantization_annotation base64 "AA=="
      %n = Neg(%x)
      return %n
    }, else_branch = graph "e"() { return %x }}
    return %a
  })");
  const PassReport report = Inline(*model);
  EXPECT_FALSE(report.changed);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message,
            "stays although its condition is constant: the branch has quantisation annotations");
}

}  // namespace
}  // namespace lathe::passes
