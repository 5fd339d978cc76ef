#include "lathe/passes/canonical/fold_constants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PassReport Fold(ir::Model& model, std::string_view options = "") {
  return RunPass(model, fmt::format("fold-constants{}", options));
}

// Nothing changes; the remark for the only node that stays, or "".
std::string Refusal(ir::Model& model, std::string_view options = "") {
  const std::string before = Listing(model.graph());
  const PassReport report = Fold(model, options);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(model.graph()), before);
  EXPECT_LE(report.remarks.size(), 1u);
  EXPECT_EQ(Statistic(report, "left"), static_cast<int64_t>(report.remarks.size()));
  return report.remarks.empty() ? "" : report.remarks[0].message;
}

TEST(FoldConstants, AComputationBecomesAnInitializerOfItsName) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %a : f32[2] = f32[2] {1.0, 2.0}
    init %b : f32[] = f32[] {3.0}
    %s = Mul(%a, %b)
    %t = Neg(%s)
    %y = Add(%x, %t)
    return %y
  })");
  const PassReport report = Fold(*model);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "folded"), 2);
  EXPECT_EQ(Listing(model->graph()), "y = Add(x, t)\nreturn y\n");
  EXPECT_THAT(InitializerNames(model->graph()), ElementsAre("t"));
  EXPECT_EQ(ConstantText(*model, "t"), "f32[2] -3 -6");
  ASSERT_EQ(report.remarks.size(), 2u);
  EXPECT_EQ(report.remarks[0].message, "'s' is a constant now");
  EXPECT_EQ(Refusal(*model), "");
}

TEST(FoldConstants, ConstantNodesBecomeInitializersAndIdentitiesTheirConstants) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %w : f32[2] = f32[2] {1.0, 2.0}
    %c = Constant() {value_floats = [3.0, 4.0]}
    %i = Identity(%w)
    %a = Add(%x, %c)
    %b = Add(%a, %i)
    %y = Add(%b, %w)
    return %y
  })");
  const PassReport report = Fold(*model);
  EXPECT_EQ(Statistic(report, "hoisted"), 1);
  EXPECT_EQ(Listing(model->graph()), "a = Add(x, c)\nb = Add(a, w)\ny = Add(b, w)\nreturn y\n");
  EXPECT_THAT(InitializerNames(model->graph()), ElementsAre("w", "c"));
}

TEST(FoldConstants, AnOutputKeepsItsNameBehindAnIdentity) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %a : f32[2] = f32[2] {1.0, 2.0}
    %s = Neg(%a)
    %y = Exp(%s) name "last"
    %n = Neg(%s) name "n_node"
    %z = Add(%x, %n)
    return %n, %y, %z
  })");
  EXPECT_TRUE(Fold(*model).changed);
  EXPECT_EQ(Listing(model->graph()),
            "y = Exp(s)\nn = Identity(n1)\nz = Add(x, n1)\nreturn n, y, z\n");
  EXPECT_EQ(ConstantText(*model, "n1"), "f32[2] 1 2");
  EXPECT_EQ(Refusal(*model), "'y' stays computed: operator Exp is not evaluated");
}

TEST(FoldConstants, EveryResultOfANode) {
  const auto model = ParseText(R"((%x : f32[1]) {
    init %a : f32[3] = f32[3] {1.0, 2.0, 3.0}
    %p, %q, %r = Split(%a)
    %s, %t, %u = Split(%a) name "outer"
    %y = Add(%x, %p)
    %z = Add(%y, %r)
    %v = Add(%z, %t)
    return %v, %s, %u
  })");
  EXPECT_TRUE(Fold(*model).changed);
  EXPECT_EQ(Listing(model->graph()),
            "s = Identity(s1)\nu = Identity(u1)\ny = Add(x, p)\nz = Add(y, r)\nv = Add(z, t)\n"
            "return v, s, u\n");
  EXPECT_EQ(ConstantText(*model, "r"), "f32[1] 3");
  EXPECT_EQ(ConstantText(*model, "u1"), "f32[1] 3");
  EXPECT_EQ(Refusal(*model), "");
}

TEST(FoldConstants, InBodiesWithCaptures) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[]) {
    init %a : f32[2] = f32[2] {1.0, 2.0}
    %b = Neg(%a)
    %y = If(%flag) {then_branch = graph "t"() {
      %c = Neg(%b)
      %d = Add(%x, %c)
      return %d
    }, else_branch = graph "e"() {
      %e = Neg(%b)
      return %e
    }}
    return %y
  })");
  EXPECT_TRUE(Fold(*model).changed);
  EXPECT_EQ(Listing(model->graph()),
            "y = If(flag)\n  d = Add(x, c)\n  return d\n  e = Identity(e1)\n  return e\n"
            "return y\n");
  EXPECT_EQ(ConstantText(*model, "c"), "f32[2] 1 2");
  EXPECT_EQ(ConstantText(*model, "e1"), "f32[2] 1 2");
  EXPECT_EQ(Refusal(*model), "");
}

TEST(FoldConstants, FunctionsGetConstantNodes) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F(%x)
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    %a = Constant() {value_floats = [1.0, 2.0]}
    %b = Neg(%a)
    %c = Abs(%b)
    %d = Add(%v, %c)
    return %d
  })");
  EXPECT_TRUE(Fold(*model).changed);
  EXPECT_EQ(Listing(model->functions()[0]->body()), "c = Constant()\nd = Add(v, c)\nreturn d\n");
  EXPECT_EQ(Refusal(*model), "");
}

TEST(FoldConstants, AttributesOfACallerAndOwnOperatorsAreNotKnown) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %k : f32[2] = f32[2] {1.0, 2.0}
    %n = Neg(%k)
    %y = own::F(%x, %n)
    return %y
  }
  function own::F(%v : ?, %w : ?) {
    import "" 17
    attribute axis = 0
    %a = Constant() {value = tensor f32[1,2] {1.0, 2.0}}
    %b = Concat(%a, %a) {axis = ref "axis" : int}
    %d = Add(%v, %b)
    return %d
  }
  function ""::Neg(%v : ?) {
    import "" 17
    return %v
  })");
  EXPECT_EQ(Refusal(*model), "");
}

TEST(FoldConstants, DefaultsOfInputsAndRandomNumbersAreNotConstant) {
  const auto model = ParseText(R"((%w : f32[2]) {
    default %w = f32[2] {1.0, 2.0}
    init %like : f32[2] = f32[2] {1.0, 2.0}
    %a = Neg(%w)
    %b = RandomNormal() {shape = [2]}
    %c = Add(%a, %b)
    return %c
  })");
  EXPECT_EQ(Refusal(*model), "");
  const auto like = ParseText(R"(() {
    init %like : f32[2] = f32[2] {1.0, 2.0}
    %y = RandomNormalLike(%like)
    return %y
  })");
  EXPECT_EQ(Refusal(*like), "'y' stays computed: operator RandomNormalLike is not evaluated");
}

TEST(FoldConstants, QuantisationIsABarrier) {
  for (const std::string op : {"QuantizeLinear", "DequantizeLinear"}) {
    const auto model = ParseText(fmt::format(R"((%x : f32[2]) {{
      init %a : i8[2] = i8[2] {{1, 2}}
      init %f : f32[2] = f32[2] {{1.0, 2.0}}
      init %s : f32[] = f32[] {{0.5}}
      %q = {}({}, %s)
      %n = Neg(%q)
      return %n
    }})",
                                             op, op == "QuantizeLinear" ? "%f" : "%a"));
    EXPECT_EQ(Refusal(*model), "'q' stays computed: it says how values are quantised");
  }
  const auto marked = ParseText(R"((%x : f32[2]) {
    init %a : f32[2] = f32[2] {1.0, 2.0}
    %n = Neg(%a {"quant.activation:conv"})
    %y = Add(%n, %x)
    return %y
  })");
  EXPECT_EQ(Refusal(*marked), "'n' stays computed: an operand is marked as a quantisation point");
}

TEST(FoldConstants, UndefinedResultsStay) {
  const auto model = ParseText(R"((%x : i64[1]) {
    init %a : i64[1] = i64[1] {1}
    init %z : i64[1] = i64[1] {0}
    %d = Div(%a, %z)
    %y = Add(%x, %d)
    return %y
  })");
  EXPECT_EQ(Refusal(*model), "'d' stays computed: Div: division of an integer by zero");
}

TEST(FoldConstants, WhatNothingUsesIsNotLookedAt) {
  const auto model = ParseText(R"((%x : f32[1]) {
    init %a : f32[1] = f32[1] {1.0}
    %dead = Neg(%a)
    %y = Neg(%x)
    return %y
  })");
  EXPECT_EQ(Refusal(*model), "");
}

// ---- Limits ----

TEST(FoldConstants, AFileOfFewBytesThatFoldsToGigabytesIsRefused) {
  const auto model = ParseText(R"((%x : f32[1]) {
    init %dims : i64[3] = i64[3] {100000, 100000, 100}
    %huge = ConstantOfShape(%dims)
    %y = Add(%x, %huge)
    return %y
  })");
  EXPECT_EQ(Refusal(*model),
            "'huge' stays computed: ConstantOfShape: the result would take 4000000000000 bytes, "
            "262144 are allowed by growth");
}

// A constant of one element that 40 nodes double.
std::string Doubling() {
  std::string nodes;
  for (int i = 0; i < 40; ++i) {
    nodes += fmt::format("%c{} = Concat(%c{}, %c{}) {{axis = 0}}\n", i + 1, i, i);
  }
  return fmt::format(R"((%x : f32[1]) {{
    init %c0 : f32[1] = f32[1] {{1.0}}
    {}
    %y = Add(%x, %c40)
    return %y
  }})",
                     nodes);
}

TEST(FoldConstants, GrowthInSmallStepsEndsToo) {
  const auto model = ParseText(Doubling());
  const PassReport report = Fold(*model);
  EXPECT_EQ(Statistic(report, "folded"), 16);
  EXPECT_EQ(Statistic(report, "left"), 1);
  EXPECT_EQ(report.remarks.back().message,
            "'c17' stays computed: Concat: the result would take 524288 bytes, 262144 are allowed "
            "by growth");
  // What stays does not grow from run to run.
  EXPECT_FALSE(Fold(*model).changed);
}

TEST(FoldConstants, GrowthInSmallStepsEndsAtTheTotal) {
  const auto model = ParseText(Doubling());
  const PassReport report = Fold(*model, "{max-total=65536}");
  EXPECT_EQ(Statistic(report, "folded"), 14);
  EXPECT_EQ(Statistic(report, "left"), 1);
  EXPECT_EQ(report.remarks.back().message,
            "'c15' stays computed: Concat: the result would take 131072 bytes, 65536 are allowed "
            "by max-total");
}

TEST(FoldConstants, ManyFillsEndAtTheTotal) {
  // 100 nodes of 200 KB each.
  std::string nodes, sum;
  for (int i = 0; i < 100; ++i) {
    nodes += fmt::format(
        "init %d{0} : i64[1] = i64[1] {{{1}}}\n%f{0} = ConstantOfShape(%d{0})\n"
        "%y{0} = Add(%x, %f{0})\n",
        i, 50000 - i);
    sum += fmt::format("{}%y{}", i == 0 ? "" : ", ", i);
  }
  const auto model = ParseText(fmt::format("(%x : f32[1]) {{ {} return {} }}", nodes, sum));
  const auto bytes = [&] {
    size_t all = 0;
    for (const ir::Value* value : model->graph().initializers()) all += value->tensor().byte_size();
    return all;
  };
  EXPECT_EQ(Statistic(Fold(*model), "folded"), 20);
  EXPECT_LE(bytes(), size_t{4} << 20);
  // What is left of the total, or an eighth.
  for (int i = 0; i < 7; ++i) Fold(*model);
  EXPECT_LE(bytes(), size_t{9} << 20);
}

TEST(FoldConstants, ACastOfManyElementsMayBeWider) {
  const auto model = ParseText(R"((%x : f32[1]) {
    init %dims : i64[1] = i64[1] {200000}
    %ones = ConstantOfShape(%dims) {value = tensor i8[1] {1}}
    %wide = Cast(%ones) {to = 1}
    %y = Add(%x, %wide)
    return %y
  })");
  EXPECT_EQ(Statistic(Fold(*model), "left"), 0);
  EXPECT_EQ(model->graph().num_nodes(), 1u);
}

TEST(FoldConstants, OneResultIsLimitedUnlessItTakesAPlace) {
  const std::string weight =
      "init %w : f32[4,4] = f32[4,4] {1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,"
      "1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0}";
  const auto shared = ParseText(fmt::format(R"((%x : f32[4,4]) {{
    {}
    %t = Transpose(%w)
    %a = Add(%x, %t)
    %y = Add(%a, %w)
    return %y
  }})",
                                            weight));
  EXPECT_EQ(Refusal(*shared, "{max-result=63}"),
            "'t' stays computed: Transpose: the result would take 64 bytes, 63 are allowed by "
            "max-result");
  const auto only = ParseText(fmt::format(R"((%x : f32[4,4]) {{
    {}
    %t = Transpose(%w)
    %y = Add(%x, %t)
    return %y
  }})",
                                          weight));
  EXPECT_TRUE(Fold(*only, "{max-result=63,max-total=0}").changed);
}

TEST(FoldConstants, WorkIsLimited) {
  const std::string text = R"((%x : f32[4]) {
    init %w : f32[4] = f32[4] {1.0, 2.0, 3.0, 4.0}
    %a = Neg(%w)
    %b = Abs(%a)
    %y = Add(%x, %b)
    return %y
  })";
  // Each reads and writes 16 bytes.
  EXPECT_EQ(Statistic(Fold(*ParseText(text), "{max-work=64}"), "folded"), 2);
  const PassReport report = Fold(*ParseText(text), "{max-work=63}");
  EXPECT_EQ(Statistic(report, "folded"), 1);
  EXPECT_EQ(report.remarks.back().message,
            "'b' stays computed: Abs: the result would take 16 bytes, 15 are allowed by max-work");
  EXPECT_EQ(Refusal(*ParseText(text), "{max-work=15}"),
            "'a' stays computed: it reads 16 bytes, 15 of max-work are left");
}

TEST(FoldConstants, ShapesMadeToDefeatLimits) {
  const auto empty = ParseText(R"((%x : f32[1]) {
    init %dims : i64[3] = i64[3] {0, 4611686018427387904, 2}
    init %perm : i64[1] = i64[1] {2}
    %e = ConstantOfShape(%dims)
    %s = Neg(%e)
    %y = Add(%x, %s)
    return %y
  })");
  EXPECT_THAT(Refusal(*empty), HasSubstr("'e' stays computed: ConstantOfShape: "));
}

TEST(FoldConstants, NegativeLimitsAreErrors) {
  const auto model = ParseText("(%x : f32[1]) { return %x }");
  const auto report = RunWith(*model, "fold-constants{growth=-1}", {});
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(FormatError(report.status()),
              HasSubstr("option 'growth' is negative; give 0 or more"));
}

TEST(FoldConstants, OriginsOfUsersStay) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %a : f32[2] = f32[2] {1.0, 2.0}
    %n = Neg(%a) name "n"
    %h = Identity(%n) name "h"
    %y = Add(%x, %h) name "sum"
    return %y, %h
  })");
  EXPECT_TRUE(Fold(*model).changed);
  for (const ir::Node& node : model->graph().nodes()) {
    EXPECT_EQ(node.display_name(), node.Is("Add") ? "sum" : "h");
  }
}

}  // namespace
}  // namespace lathe::passes
