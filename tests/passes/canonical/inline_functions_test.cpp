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

TEST(InlineFunctions, GrowthIsLimited) {
  // Each function calls the next twice: 2^40 nodes in the end.
  std::string functions;
  for (int i = 0; i < 40; ++i) {
    functions += fmt::format(R"(function own::F{}(%v : ?) {{
      import "own" 1
      import "" 17
      %a = {}(%v)
      %b = {}(%a)
      return %b
    }}
    )",
                             i, i == 39 ? "Neg" : fmt::format("own::F{}", i + 1),
                             i == 39 ? "Neg" : fmt::format("own::F{}", i + 1));
  }
  const auto model = ParseText(R"((%x : f32[2]) {
    %y = own::F0(%x) name "call"
    return %y
  }
  )" + functions);
  const PassReport report = Inline(*model, "{max-nodes=1000}");
  EXPECT_EQ(Statistic(report, "inlined"), 500);
  EXPECT_GT(Statistic(report, "left"), 0);
  EXPECT_EQ(report.remarks.back().message.substr(0, 21), "stays a call of own.F");
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
