#include "lathe/passes/canonical/inline_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassReport Inline(ir::Model& model, std::string_view options = "") {
  return RunPass(model, fmt::format("inline-functions{}", options));
}

std::string Refusal(ir::Model& model) {
  const PassReport report = Inline(model);
  EXPECT_EQ(Statistic(report, "left"), 1);
  EXPECT_EQ(report.remarks.size(), 1u);
  return report.remarks.empty() ? "" : report.remarks[0].message;
}

TEST(InlineFunctions, CallsBecomeTheFunctionsNodes) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %a = own::F(%x) name "one"
    %b = own::F(%a) : f32[2] name "two"
    return %b
  }
  function own::F(%v : ?) {
    import "" 17
    %n = Neg(%v) name "neg"
    %r = Abs(%n)
    return %r
  }
  function own::Unused(%v : ?) {
    import "" 17
    return %v
  })");
  const PassReport report = Inline(*model);
  EXPECT_EQ(Statistic(report, "inlined"), 2);
  EXPECT_EQ(Statistic(report, "erased"), 2);
  EXPECT_EQ(Listing(model->graph()),
            "one/n = Neg(x)\none/r = Abs(one/n)\ntwo/n = Neg(one/r)\nb = Abs(two/n)\nreturn b\n");
  EXPECT_TRUE(model->functions().empty());
  const ir::Node& first = *model->graph().first_node();
  EXPECT_EQ(first.name_text(), "one/neg");
  std::vector<std::string> origins;
  for (const ir::Name name : model->OriginNames(first.origin())) {
    origins.emplace_back(model->Text(name));
  }
  EXPECT_THAT(origins, testing::UnorderedElementsAre("one", "neg"));
  EXPECT_EQ(model->graph().last_node()->output()->type().rank(), 1);
  EXPECT_EQ(report.remarks[0].message, "the call of own.F is replaced by its 2 nodes");
  EXPECT_FALSE(Inline(*model).changed);
}

TEST(InlineFunctions, AttributesOfTheCallDefaultsAndNeither) {
  const auto model = ParseText(R"((%x : f32[2,3]) {
    %y = own::F(%x) {perm = [1, 0]} name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    attribute perm
    attribute axis = 1
    attribute to
    %t = Transpose(%v) {perm = ref "perm" : ints}
    %s = Softmax(%t) {axis = ref "axis" : int}
    %z = Flatten(%s) {axis = ref "to" : int}
    return %z
  })");
  EXPECT_TRUE(Inline(*model).changed);
  const ir::Node& transpose = *model->graph().first_node();
  EXPECT_EQ(transpose.IntsAttribute("perm"), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(transpose.next()->IntAttribute("axis", 7), 1);
  EXPECT_EQ(transpose.next()->next()->attributes().size(), 0u);
}

TEST(InlineFunctions, OmittedInputsAndResultsThatAreInputs) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y, %z = own::F(%x) name "call"
    return %y, %z
  }
  function own::F(%v : ?, %low : ?) {
    import "" 17
    %c = Clip(%v, %low)
    return %c, %v
  })");
  EXPECT_TRUE(Inline(*model).changed);
  EXPECT_EQ(Listing(model->graph()), "y = Clip(x, -)\nz = Identity(x)\nreturn y, z\n");
}

TEST(InlineFunctions, FunctionsThatCallFunctionsInBodies) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[]) {
    %y = If(%flag) {then_branch = graph "t"() {
      %a = own::G(%x) name "g"
      return %a
    }, else_branch = graph "e"() {
      return %x
    }}
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    %n = Neg(%v)
    return %n
  }
  function own::G(%v : ?) {
    import "" 17
    import "own" 1
    %k = own::F(%v) name "f"
    %m = own::F(%k) name "f2"
    return %m
  })");
  EXPECT_EQ(Statistic(Inline(*model), "inlined"), 3);
  EXPECT_EQ(Listing(model->graph()),
            "y = If(flag)\n  g/f/n = Neg(x)\n  g/f2/n = Neg(g/f/n)\n  return g/f2/n\n"
            "  return x\nreturn y\n");
  EXPECT_TRUE(model->functions().empty());
}

TEST(InlineFunctions, BodiesOfAFunctionMoveAlong) {
  const auto model = ParseText(R"((%x : f32[2], %flag : bool[]) {
    %y = own::F(%x, %flag) name "a"
    %z = own::F(%y, %flag) name "b"
    return %z
  }
  function own::F(%v : ?, %w : ?) {
    import "" 17
    %k = Neg(%v)
    %r = If(%w) {then_branch = graph "t"() {
      init %one : f32[] = f32[] {1.0}
      %s = Add(%k, %one)
      return %s
    }, else_branch = graph "e"() {
      %u = Identity(%k)
      return %u
    }}
    return %r
  })");
  EXPECT_TRUE(Inline(*model).changed);
  EXPECT_EQ(Listing(model->graph()),
            "a/k = Neg(x)\na/r = If(flag)\n  a/s = Add(a/k, a/one)\n  return a/s\n"
            "  a/u = Identity(a/k)\n  return a/u\nb/k = Neg(a/r)\nz = If(flag)\n"
            "  b/s = Add(b/k, b/one)\n  return b/s\n  b/u = Identity(b/k)\n  return b/u\n"
            "return z\n");
}

TEST(InlineFunctions, OperatorSets) {
  const auto text = [](int version, std::string_view op) {
    return fmt::format(R"((%x : f32[2]) {{
      %y = own::F(%x) name "call"
      return %y
    }}
    function own::F(%v : ?) {{
      import "" {}
      import "other" 3
      %n = {}(%v)
      %m = other::Thing(%n)
      return %m
    }})",
                       version, op);
  };
  const auto same = ParseText(text(14, "Neg"));
  EXPECT_TRUE(Inline(*same).changed);
  EXPECT_EQ(same->OpsetVersion("other"), 3);
  const auto other = ParseText(text(12, "Softmax"));
  EXPECT_EQ(Refusal(*other),
            "stays a call of own.F: operator Softmax is of version 12 there and of version 17 in "
            "the model");
  EXPECT_EQ(other->functions().size(), 1u);
}

TEST(InlineFunctions, RecursionStays) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F(%x) name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "own" 1
    %n = own::G(%v)
    return %n
  }
  function own::G(%v : ?) {
    import "own" 1
    %n = own::F(%v)
    return %n
  })");
  EXPECT_EQ(Refusal(*model),
            "stays a call of own.F: the function, or one that it calls, calls itself");
  EXPECT_EQ(model->functions().size(), 2u);
}

// `depth` functions, each of which calls the next twice: F0 makes 2 + 4 + ... + 2^depth nodes.
std::string Fan(int depth) {
  std::string functions;
  for (int i = 0; i < depth; ++i) {
    const std::string op = i == depth - 1 ? "Neg" : fmt::format("own::F{}", i + 1);
    functions += fmt::format(R"(function own::F{}(%v : ?) {{
      import "own" 1
      import "" 17
      %a = {}(%v)
      %b = {}(%a)
      return %b
    }}
    )",
                             i, op, op);
  }
  return functions;
}

TEST(InlineFunctions, GrowthIsLimited) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F0(%x) name "call"
    return %y
  }
  )" + Fan(40));
  const std::string before = Listing(model->graph());
  const PassReport report = Inline(*model);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(model->graph()), before);
  EXPECT_EQ(model->functions().size(), 40u);
  EXPECT_EQ(Statistic(report, "left"), 1);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message,
            "stays a call of own.F0: with all calls inside it would make 2199023255550 nodes, "
            "131072 of max-nodes are left");
}

TEST(InlineFunctions, ACountThatNoIntegerHoldsIsALimitToo) {
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F0(%x) name "call"
    return %y
  }
  )" + Fan(70));
  EXPECT_FALSE(Inline(*model, fmt::format("{{max-nodes={}}}", (int64_t{1} << 62))).changed);
}

TEST(InlineFunctions, ACallIsInlinedWholeOrNotAtAll) {
  // Each makes 14 nodes.
  const auto model = ParseText(R"((%x : f32[2]) {
    %a = own::F0(%x) name "first"
    %n = Neg(%a)
    %b = own::F0(%n) name "second"
    %c = own::F1(%b) name "third"
    return %c
  }
  )" + Fan(3));
  const PassReport report = Inline(*model, "{max-nodes=20}");
  // F0, F1 twice, F2 four times, and for the third call F1 and F2 twice.
  EXPECT_EQ(Statistic(report, "inlined"), 7 + 3);
  EXPECT_EQ(Statistic(report, "left"), 1);
  EXPECT_EQ(model->graph().num_nodes(), 8u + 1 + 1 + 4);
  EXPECT_EQ(report.remarks[7].message,
            "stays a call of own.F0: with all calls inside it would make 14 nodes, 6 of max-nodes "
            "are left");
  EXPECT_EQ(report.remarks[7].node, "second");
  EXPECT_EQ(model->functions().size(), 3u);
  EXPECT_FALSE(Inline(*model, "{max-nodes=6}").changed);
}

TEST(InlineFunctions, CallsInBodiesOfACallAreInlinedWithIt) {
  const auto model = ParseText(R"((%x : f32[2], %c : bool[]) {
    %a = own::F(%x, %c) name "first"
    %b = own::F(%a, %c) name "second"
    return %b
  }
  function own::F(%v : ?, %w : ?) {
    import "own" 1
    import "" 17
    %r = If(%w) {then_branch = graph "t"() {
      %t = own::G(%v)
      return %t
    }, else_branch = graph "e"() {
      %e = own::G(%v)
      return %e
    }}
    return %r
  }
  function own::G(%v : ?) {
    import "" 17
    %n = Neg(%v)
    return %n
  })");
  // An If, two calls and two Neg.
  const PassReport report = Inline(*model, "{max-nodes=5}");
  EXPECT_EQ(Statistic(report, "inlined"), 3);
  EXPECT_EQ(Statistic(report, "left"), 1);
  EXPECT_EQ(report.remarks.back().node, "second");
}

TEST(InlineFunctions, CallsThatDoNotFitStay) {
  const auto many = ParseText(R"((%x : f32[2]) {
    %y = own::F(%x, %x) name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    %n = Neg(%v)
    return %n
  })");
  EXPECT_EQ(Refusal(*many), "stays a call of own.F: it has 2 inputs, the function 1");
  const auto results = ParseText(R"((%x : f32[2]) {
    %y, %z = own::F(%x) name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    %n = Neg(%v)
    return %n
  })");
  EXPECT_EQ(Refusal(*results), "stays a call of own.F: it has 2 results, the function 1");
  const auto omitted = ParseText(R"((%x : f32[2]) {
    %y = own::F() name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    return %v
  })");
  EXPECT_EQ(Refusal(*omitted),
            "stays a call of own.F: it omits input 'v', which is captured or a result");
  const auto graph = ParseText(R"((%x : f32[2]) {
    %y = own::F(%x) {then = graph "t"() { return %x }} name "call"
    return %y
  }
  function own::F(%v : ?) {
    import "" 17
    attribute then
    %n = Neg(%v)
    return %n
  })");
  EXPECT_EQ(Refusal(*graph), "stays a call of own.F: attribute 'then' is a graph");
}

}  // namespace
}  // namespace lathe::passes
