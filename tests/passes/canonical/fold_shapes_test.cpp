#include "lathe/passes/canonical/fold_shapes.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

PassReport Fold(ir::Model& model, std::string_view options = "") {
  const StatusOr<PipelineReport> report =
      RunWith(model, fmt::format("infer-shapes,fold-shapes{}", options), {});
  EXPECT_TRUE(report.ok()) << FormatError(report.status());
  return report.ok() ? report->passes.back() : PassReport();
}

void ExpectUnchanged(const ir::Model& model, std::string_view options = "") {
  const auto copy = model.Clone();
  const PassReport report = Fold(*copy, options);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(copy->graph()), Listing(model.graph()));
}

TEST(FoldShapes, ReshapeThatCopiesAnExtent) {
  const auto model = ParseText(R"((%x : f32[N,3,4,4]) {
    init %zero : i64[1] = i64[1] {0}
    init %rest : i64[1] = i64[1] {-1}
    %s = Shape(%x)
    %n = Gather(%s, %zero)
    %t = Concat(%n, %rest) {axis = 0}
    %y = Reshape(%x, %t)
    return %y
  })");
  const PassReport report = Fold(*model);
  EXPECT_EQ(Statistic(report, "simplified"), 1);
  EXPECT_EQ(Listing(model->graph()), "y = Reshape(x, t1)\nreturn y\n");
  EXPECT_EQ(ConstantText(*model, "t1"), "i64[2] 0 -1");
  EXPECT_EQ(InitializerNames(model->graph()).size(), 1u);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, "reads the constant [0,-1] instead of 't'");
  ExpectUnchanged(*model);
}

TEST(FoldShapes, AnUnnamedExtentIsEqualToItself) {
  const auto model = ParseText(R"((%x : f32[?,3,4,4]) {
    init %zero : i64[1] = i64[1] {0}
    init %rest : i64[1] = i64[1] {48}
    %s = Shape(%x)
    %n = Gather(%s, %zero)
    %t = Concat(%n, %rest) {axis = 0}
    %y = Reshape(%x, %t)
    return %y
  })");
  Fold(*model);
  EXPECT_EQ(ConstantText(*model, "t1"), "i64[2] 0 48");
}

TEST(FoldShapes, KnownExtentsBecomeConstants) {
  const auto model = ParseText(R"((%x : f32[N,3,4,5]) {
    init %two : i64[] = i64[] {2}
    init %three : i64[] = i64[] {3}
    %s = Shape(%x)
    %h = Gather(%s, %two)
    %w = Gather(%s, %three)
    %area = Mul(%h, %w)
    %z = Size(%area)
    return %area, %z
  })");
  EXPECT_EQ(Statistic(Fold(*model), "folded"), 4);
  EXPECT_EQ(Listing(model->graph()), "area = Identity(area1)\nz = Identity(z1)\nreturn area, z\n");
  EXPECT_EQ(ConstantText(*model, "area1"), "i64[] 20");
  EXPECT_EQ(ConstantText(*model, "z1"), "i64[] 1");
  ExpectUnchanged(*model);
}

TEST(FoldShapes, EveryFollowedOperator) {
  // Each with an unknown extent in it, so that no constant folding could do it.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"%r = Shape(%x) {start = 1, end = -1}", "i64[2] 3 4"},
      {"%i = Identity(%s)\n %r = Gather(%i, %from1)", "i64[2] 3 4"},
      {"%c = Cast(%s) {to = 6}\n %r = Gather(%c, %from1)", "i32[2] 3 4"},
      {"%r = Slice(%s, %one, %three)", "i64[2] 3 4"},
      {"%r = Slice(%s, %minus1, %zero, %zero, %minus1)", "i64[3] 5 4 3"},
      {"%p, %q = Split(%s)\n %r = Identity(%q)", "i64[2] 4 5"},
      {"%p, %q, %v = Split(%s, %parts)\n %r = Identity(%q)", "i64[2] 3 4"},
      {"%k = Concat(%s, %one) {axis = -1}\n %r = Gather(%k, %three)", "i64[1] 5"},
      {"%g = Gather(%s, %one)\n %r = Squeeze(%g, %zero)", "i64[] 3"},
      {"%g = Gather(%s, %scalar1)\n %r = Unsqueeze(%g, %zero)", "i64[1] 3"},
      {"%k = Reshape(%s, %minus1)\n %r = Gather(%k, %one)", "i64[1] 3"},
      {"%k = Reshape(%s, %four)\n %r = Gather(%k, %one)", "i64[1] 3"},
      {"%g = Gather(%s, %one)\n %r = Expand(%g, %parts2)", "i64[2] 3 3"},
      {"%r = ConstantOfShape(%rank) {value = tensor i64[1] {7}}", "i64[4] 7 7 7 7"},
      {"%k = Add(%s, %s)\n %r = Gather(%k, %one)", "i64[1] 6"},
      {"%k = Sub(%s, %s)\n %r = Gather(%k, %from0)", "i64[2] 0 0"},
      {"%k = Mul(%s, %s)\n %r = Gather(%k, %one)", "i64[1] 9"},
      {"%k = Div(%s, %s)\n %r = Gather(%k, %from0)", "i64[2] 1 1"},
      {"%k = Mul(%s, %four)\n %l = Div(%k, %s)\n %r = Gather(%l, %from0)", "i64[2] 4 4"},
      {"%k = Mul(%s, %four)\n %l = Mod(%k, %four)\n %r = Gather(%l, %from0)", "i64[2] 0 0"},
      {"%r = Min(%s, %zero)", "i64[4] 0 0 0 0"},
      {"%k = Max(%s, %four)\n %r = Gather(%k, %from1)", "i64[2] 4 4"},
      {"%k = Equal(%s, %minus1)\n %r = Where(%k, %one, %zero)", "i64[4] 0 0 0 0"},
      {"%g = Gather(%s, %from1)\n %r = ReduceProd(%g) {keepdims = 0}", "i64[] 12"},
      {"%g = Gather(%s, %from1)\n %r = ReduceSum(%g)", "i64[1] 7"},
  };
  for (const auto& [nodes, expected] : cases) {
    SCOPED_TRACE(nodes);
    const auto model = ParseText(fmt::format(R"((%x : f32[N,3,4,5], %other : i64[?]) {{
      init %zero : i64[1] = i64[1] {{0}}
      init %one : i64[1] = i64[1] {{1}}
      init %three : i64[1] = i64[1] {{3}}
      init %four : i64[1] = i64[1] {{4}}
      init %minus1 : i64[1] = i64[1] {{-1}}
      init %scalar1 : i64[] = i64[] {{1}}
      init %from0 : i64[2] = i64[2] {{0, 1}}
      init %from1 : i64[2] = i64[2] {{1, 2}}
      init %parts : i64[3] = i64[3] {{1, 2, 1}}
      init %parts2 : i64[1] = i64[1] {{2}}
      %s = Shape(%x)
      %rank = Shape(%s)
      {}
      %o = Neg(%r)
      return %o
    }})",
                                             nodes));
    Fold(*model);
    EXPECT_EQ(ConstantText(*model, "r"), expected);
  }
}

TEST(FoldShapes, WhatIsNotCertainStays) {
  const std::vector<std::string> cases = {
      "%r = Gather(%s, %one)",  // the index of an unknown element
      "%k = Add(%s, %one)\n %r = Gather(%k, %zero)",
      "%k = Div(%s, %two)\n %r = Gather(%k, %zero)",
      "%k = Sub(%s, %other)\n %r = Gather(%k, %zero)",
      "%k = Equal(%s, %other)\n %r = Where(%k, %one, %zero)",
      "%r = Max(%other, %zero)",                        // may be negative
      "%k = Div(%s, %zero)\n %r = Gather(%k, %three)",  // not defined
      "%r = Gather(%s, %index)",
      "%r = Slice(%s, %index, %three)",
      "%r = Slice(%s, %far, %one, %zero, %minus1)",
      "%k = Mod(%s, %two) {fmod = 1}\n %r = Gather(%k, %zero)",
  };
  for (const std::string& nodes : cases) {
    SCOPED_TRACE(nodes);
    const auto model = ParseText(fmt::format(R"((%x : f32[4,A,B,C], %other : i64[1],
                                                 %index : i64[1]) {{
      init %zero : i64[1] = i64[1] {{0}}
      init %one : i64[1] = i64[1] {{1}}
      init %two : i64[1] = i64[1] {{2}}
      init %three : i64[1] = i64[1] {{3}}
      init %far : i64[1] = i64[1] {{-9}}
      init %minus1 : i64[1] = i64[1] {{-1}}
      %s = Shape(%x) {{start = 1}}
      {}
      %o = Neg(%r)
      return %o
    }})",
                                             nodes));
    ExpectUnchanged(*model);
  }
}

// A Reshape of x to the elements of `shape`, which are computed.
std::unique_ptr<ir::Model> ReshapeTo(std::string_view type, std::string_view nodes,
                                     std::string_view attributes = "") {
  // The analyser loses sight of the unique_ptr that is returned.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
  return ParseText(fmt::format(R"((%x : f32{0}, %n : i64[1]) {{
    init %zero : i64[1] = i64[1] {{0}}
    init %one : i64[1] = i64[1] {{1}}
    init %two : i64[1] = i64[1] {{2}}
    init %four : i64[1] = i64[1] {{4}}
    init %minus1 : i64[1] = i64[1] {{-1}}
    %s = Shape(%x)
    %a = Gather(%s, %zero)
    %b = Gather(%s, %one)
    {1}
    %y = Reshape(%x, %t) {2}
    return %y
  }})",
                               type, nodes, attributes));
}

std::string ReshapeShape(std::string_view type, std::string_view nodes,
                         std::string_view attributes = "", std::string_view options = "") {
  const auto model = ReshapeTo(type, nodes, attributes);
  Fold(*model, options);
  const ir::Node& last = *model->graph().last_node();
  if (last.Is("Identity")) return "identity";
  const ir::Tensor shape = last.input(1)->ConstantTensor();
  return shape ? fmt::format("{}", fmt::join(*shape.ValuesAsInt64(), ",")) : "computed";
}

TEST(FoldShapes, WhichExtentsOfAReshapeCanBeWritten) {
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%a, %b, %four) {axis = 0}"), "identity");
  EXPECT_EQ(ReshapeShape("[A,B,8]", "%t = Concat(%a, %b, %two, %four) {axis = 0}"), "0,0,2,4");
  // Not at the same place, so one may be inferred, which takes that the others are not 0.
  EXPECT_EQ(ReshapeShape("[A,B,8]", "%t = Concat(%b, %a, %four, %two) {axis = 0}"), "computed");
  const std::string flat = "%ab = Mul(%a, %b)\n %t = Concat(%ab, %four) {axis = 0}";
  EXPECT_EQ(ReshapeShape("[A,B,4]", flat), "-1,4");
  EXPECT_EQ(ReshapeShape("[A,B,4]", flat, "{allowzero = 1}"), "-1,4");
  const std::string rest = "%b4 = Mul(%b, %four)\n %t = Concat(%a, %b4) {axis = 0}";
  EXPECT_EQ(ReshapeShape("[A,B,4]", rest), "computed");
  EXPECT_EQ(ReshapeShape("[A,B,4]", rest, "", "{nonempty=true}"), "0,-1");
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%a, %b, %minus1) {axis = 0}"), "0,0,-1");
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%a, %b, %minus1) {axis = 0}", "{allowzero = 1}"),
            "computed");
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%n, %four) {axis = 0}"), "-1,4");
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%n, %minus1) {axis = 0}"), "computed");
  EXPECT_EQ(ReshapeShape("[A,B,4]", "%t = Concat(%a, %n, %b) {axis = 0}"), "computed");
}

TEST(FoldShapes, NamesOfTwoInputsMeanTheSame) {
  const auto model = ParseText(R"((%x : f32[N,5], %z : f32[N,2,2]) {
    init %zero : i64[1] = i64[1] {0}
    init %rest : i64[1] = i64[1] {4}
    %s = Shape(%x)
    %n = Gather(%s, %zero)
    %t = Concat(%n, %rest) {axis = 0}
    %y = Reshape(%z, %t)
    return %y
  })");
  Fold(*model);
  EXPECT_EQ(Listing(model->graph()), "y = Reshape(z, t1)\nreturn y\n");
  EXPECT_EQ(ConstantText(*model, "t1"), "i64[2] 0 4");
}

TEST(FoldShapes, ExpandToTheInputsExtents) {
  const auto model = ParseText(R"((%x : f32[N,1], %z : f32[N,4]) {
    init %zero : i64[1] = i64[1] {0}
    init %four : i64[1] = i64[1] {4}
    %s = Shape(%x)
    %n = Gather(%s, %zero)
    %t = Concat(%n, %four) {axis = 0}
    %y = Expand(%x, %t)
    %same = Expand(%z, %t)
    %out = Add(%y, %same)
    return %out
  })");
  const PassReport report = Fold(*model);
  EXPECT_EQ(Statistic(report, "identities"), 1);
  EXPECT_EQ(Listing(model->graph()),
            "y = Expand(x, t1)\nsame = Identity(z)\nout = Add(y, same)\nreturn out\n");
  EXPECT_EQ(ConstantText(*model, "t1"), "i64[2] 1 4");
}

TEST(FoldShapes, TheExpandOfExporters) {
  // x.expand(-1, 4): ones where the wish is -1, then as wished.
  const auto model = ParseText(R"((%x : f32[N,1]) {
    init %zero : i64[1] = i64[1] {0}
    init %four : i64[1] = i64[1] {4}
    init %minus1 : i64[] = i64[] {-1}
    init %two : i64[1] = i64[1] {2}
    %s = Shape(%x)
    %n = Gather(%s, %zero)
    %t = Concat(%n, %four) {axis = 0}
    %ones = ConstantOfShape(%two) {value = tensor i64[1] {1}}
    %negative = Mul(%ones, %minus1)
    %is = Equal(%t, %negative)
    %u = Where(%is, %ones, %t)
    %y = Expand(%x, %u)
    return %y
  })");
  Fold(*model);
  EXPECT_EQ(Listing(model->graph()), "y = Expand(x, t1)\nreturn y\n");
  EXPECT_EQ(ConstantText(*model, "t1"), "i64[2] 1 4");
}

TEST(FoldShapes, ExpandOfOtherExtentsStays) {
  const auto model = ParseText(R"((%x : f32[M,1], %z : f32[N,2]) {
    %t = Shape(%z)
    %y = Expand(%x, %t)
    return %y
  })");
  ExpectUnchanged(*model);
}

TEST(FoldShapes, ASliceToTheEnd) {
  const auto model = ParseText(R"((%x : f32[N,M]) {
    init %zero : i64[1] = i64[1] {0}
    init %one : i64[1] = i64[1] {1}
    %s = Shape(%x)
    %m = Gather(%s, %one)
    %n = Gather(%s, %zero)
    %y = Slice(%x, %one, %m, %one)
    %z = Slice(%x, %one, %n, %one)
    return %y, %z
  })");
  Fold(*model);
  EXPECT_EQ(Listing(model->graph()),
            "s = Shape(x)\nn = Gather(s, zero)\ny = Slice(x, one, m1, one)\n"
            "z = Slice(x, one, n, one)\nreturn y, z\n");
  EXPECT_EQ(ConstantText(*model, "m1"), "i64[1] 9223372036854775807");
}

TEST(FoldShapes, ComputationsThatRepeatAreShared) {
  const auto model = ParseText(R"((%x : f32[N,M], %z : f32[N,4]) {
    init %zero : i64[] = i64[] {0}
    init %first : i64[1] = i64[1] {0}
    %s = Shape(%x) name "s"
    %n = Gather(%s, %zero) name "n"
    %u = Unsqueeze(%n, %first) name "u"
    %r = Shape(%z) {end = 1} name "r"
    %a = Neg(%u)
    %b = Abs(%r)
    return %a, %b
  })");
  const PassReport report = Fold(*model);
  EXPECT_EQ(Statistic(report, "shared"), 1);
  EXPECT_EQ(Listing(model->graph()),
            "s = Shape(x)\nn = Gather(s, zero)\nu = Unsqueeze(n, first)\na = Neg(u)\nb = Abs(u)\n"
            "return a, b\n");
  // A rule for either name reaches the node that is left.
  const ir::Node& unsqueeze = *model->graph().first_node()->next()->next();
  EXPECT_EQ(model->OriginNames(unsqueeze.origin()).size(), 2u);
}

TEST(FoldShapes, BodiesAndMarks) {
  const auto body = ParseText(R"((%x : f32[N,3], %flag : bool[]) {
    %y = If(%flag) {then_branch = graph "t"() {
      %s = Shape(%x)
      %y1 = Reshape(%x, %s)
      return %y1
    }, else_branch = graph "e"() {
      %z = Neg(%x)
      return %z
    }}
    return %y
  })");
  EXPECT_TRUE(Fold(*body).changed);
  EXPECT_EQ(Listing(body->graph()),
            "y = If(flag)\n  y1 = Identity(x)\n  return y1\n  z = Neg(x)\n  return z\nreturn y\n");
  const auto marked = ParseText(R"((%x : f32[2,3]) {
    %s = Shape(%x {"quant.activation:conv"})
    %y = Neg(%s)
    return %y
  })");
  ExpectUnchanged(*marked);
}

TEST(FoldShapes, TypesOfFunctionsAreThoseOfTheirCalls) {
  const auto model = ParseText(R"((%x : f32[2,3]) {
    %y = own::F(%x)
    return %y
  }
  function own::F(%v : f32[7]) {
    import "" 17
    %s = Shape(%v)
    return %s
  })");
  ExpectUnchanged(*model);
}

}  // namespace
}  // namespace lathe::passes
