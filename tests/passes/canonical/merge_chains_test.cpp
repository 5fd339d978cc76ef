// The passes that make one operator of several of a family in a row.
#include "lathe/passes/canonical/merge_chains.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using Ints = std::vector<int64_t>;

struct Net : GraphBuilder {
  ir::Value* Constant(const std::string& name, const Ints& values) {
    return &rewriter().AddInitializer(
        graph(), model().Intern(name),
        ir::Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
  }
  ir::Value* Typed(const std::string& name, ir::ElementType type) {
    return &rewriter().AddGraphInput(graph(), model().Intern(name),
                                     model().Intern(ir::Type::Tensor(type, Ints{4})));
  }
  ir::Value* Symbolic(const std::string& name, const Ints& extents) {
    ir::Shape shape;
    for (const int64_t extent : extents) {
      shape.push_back(extent < 0 ? ir::Dim::Symbol("n" + std::to_string(-extent))
                                 : ir::Dim::Known(extent));
    }
    return &rewriter().AddGraphInput(
        graph(), model().Intern(name),
        model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::move(shape))));
  }
  ir::Value* Squeeze(const std::string& op, const std::string& name, ir::Value* x,
                     const Ints& axes) {
    return Op(op, name, {x, Constant(name + "_axes", axes)});
  }
  ir::Value* Reshape(const std::string& name, ir::Value* x, const Ints& shape) {
    return Op("Reshape", name, {x, Constant(name + "_shape", shape)});
  }
  ir::Value* Slice(const std::string& name, ir::Value* x, const Ints& starts, const Ints& ends,
                   const Ints& axes, const Ints& steps) {
    return Op("Slice", name,
              {x, Constant(name + "_starts", starts), Constant(name + "_ends", ends),
               Constant(name + "_axes", axes), Constant(name + "_steps", steps)});
  }
  ir::Value* Pad(const std::string& name, ir::Value* x, const Ints& pads,
                 const std::string& mode = "constant") {
    return Op("Pad", name, {x, Constant(name + "_pads", pads)}, {{"mode", mode}});
  }
};

Ints IntsOf(const ir::Value* value) { return *value->ConstantTensor().ValuesAsInt64(); }

// The pass merges `count` pairs and a second run finds nothing; returns the first output's node.
const ir::Node& Merged(Net& net, std::string_view pass, int64_t count, const std::string& listing) {
  RunPass(net.model(), "infer-shapes");
  const PassReport report = RunPass(net.model(), pass);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "merged"), count);
  EXPECT_FALSE(RunPass(net.model(), pass).changed);
  EXPECT_EQ(Listing(net.graph()), listing);
  return *net.graph().outputs()[0].value()->producer();
}

void ExpectRefused(Net& net, const std::string& pass, const std::string& message) {
  const std::string before = Listing(net.graph());
  RunPass(net.model(), "infer-shapes");
  const PassReport report = RunPass(net.model(), pass);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(net.graph()), before);
  EXPECT_EQ(Statistic(report, "merged"), 0);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, message);
}

TEST(MergeTransposes, ComposesPermutations) {
  Net net;
  ir::Value* a = net.Op("Transpose", "a", {net.Input("x")}, {{"perm", Ints{0, 2, 3, 1}}});
  ir::Value* b = net.Op("Transpose", "b", {a}, {{"perm", Ints{1, 0, 3, 2}}});
  net.Output(net.Op("Transpose", "y", {b}));
  const ir::Node& y = Merged(net, "merge-transposes", 2, "y = Transpose(x)\nreturn y\n");
  // [0,2,3,1] then [1,0,3,2] is [2,0,1,3]; reversed.
  EXPECT_THAT(y.IntsAttribute("perm"), ElementsAre(3, 1, 0, 2));
  std::vector<std::string> origins;
  for (const ir::Name name : net.model().OriginNames(y.origin())) {
    origins.emplace_back(net.model().Text(name));
  }
  EXPECT_THAT(origins, ::testing::UnorderedElementsAre("a", "b", "y"));
}

TEST(MergeTransposes, WhatCancelsBecomesIdentity) {
  Net net;
  ir::Value* a = net.Op("Transpose", "a", {net.Input("x")}, {{"perm", Ints{0, 2, 3, 1}}});
  net.Output(net.Op("Transpose", "y", {a}, {{"perm", Ints{0, 3, 1, 2}}}));
  const ir::Node& y = Merged(net, "merge-transposes", 1, "y = Identity(x)\nreturn y\n");
  EXPECT_TRUE(y.attributes().empty());
}

TEST(MergeTransposes, TheFirstStaysForOthers) {
  Net net;
  ir::Value* a = net.Op("Transpose", "a", {net.Input("x")});
  net.Output(net.Op("Transpose", "y", {a}));
  net.Output(net.Op("Relu", "z", {a}));
  Merged(net, "merge-transposes", 1,
         "a = Transpose(x)\ny = Identity(x)\nz = Relu(a)\nreturn y, z\n");
}

TEST(MergeTransposes, RefusesWhatDoesNotFit) {
  Net net;
  ir::Value* a = net.Op("Transpose", "a", {net.Input("x")}, {{"perm", Ints{0, 2, 3, 1}}});
  net.Output(net.Op("Transpose", "y", {a}, {{"perm", Ints{1, 1, 0, 2}}}));
  ExpectRefused(net, "merge-transposes",
                "not merged with 'a': the permutations do not fit together");
}

TEST(MergeTransposes, LongChainsCostNoMoreThanTheirLength) {
  Net net;
  ir::Value* value = net.Input("x");
  for (int i = 0; i < 20000; ++i) {
    value = net.Op("Transpose", "t" + std::to_string(i), {value}, {{"perm", Ints{1, 2, 3, 0}}});
  }
  net.Output(net.Op("Relu", "y", {value}));
  RunPass(net.model(), "merge-transposes");
  // Four in a row cancel.
  const auto is_transpose = [](const ir::Node& node) { return node.Is("Transpose"); };
  EXPECT_EQ(
      std::ranges::count_if(net.graph().nodes().begin(), net.graph().nodes().end(), is_transpose),
      0);
}

TEST(MergeTransposes, InBodies) {
  Net net;
  ir::Value* x = net.Input("x");
  ir::Node* branch = net.Node("If", "y", {net.Typed("c", ir::ElementType::kBool)});
  for (const std::string name : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(name), false);
    ir::Value& captured = net.rewriter().Capture(body, *x);
    ir::Value* a = net.Node(body, "Transpose", name + "_a", {&captured})->output();
    net.rewriter().AddGraphOutput(body, net.Node(body, "Transpose", name + "_b", {a})->output());
  }
  net.Output(branch->output());
  EXPECT_EQ(Statistic(RunPass(net.model(), "merge-transposes"), "merged"), 2);
  EXPECT_EQ(Listing(net.graph()),
            "y = If(c)\n  then_branch_b = Identity(x)\n  return then_branch_b\n"
            "  else_branch_b = Identity(x)\n  return else_branch_b\nreturn y\n");
}

TEST(MergeSlices, ConstantsOfAFunctionAreNodes) {
  Net net;
  ir::Function& function = net.rewriter().AddFunction(net.model().Intern("local"),
                                                      net.model().Intern("Twice"), ir::Name());
  net.rewriter().SetFunctionInterface(function, {}, {}, {{"", 13}});
  ir::Graph& body = function.body();
  ir::Value* x = net.Input(body, "fx", {8});
  const auto constant = [&](const std::string& name, int64_t value) {
    return net
        .Node(body, "Constant", name, {}, {{"value", ir::Tensor::Of<int64_t>({1}, Ints{value})}})
        ->output();
  };
  ir::Value* start = constant("start", 1);
  ir::Value* end = constant("end", 7);
  ir::Value* a = net.Node(body, "Slice", "fa", {x, start, end})->output();
  net.rewriter().AddGraphOutput(body, net.Node(body, "Slice", "fy", {a, start, end})->output());
  ir::Node* call = net.Node("Twice", "y", {net.Input("x", {8})});
  net.rewriter().SetOperator(*call, "Twice", "local");
  net.Output(call->output());
  net.rewriter().MutableInfo().opset_imports.push_back({"local", 1});
  EXPECT_TRUE(RunPass(net.model(), "merge-slices").changed);
  EXPECT_EQ(Listing(body),
            "fy.starts = Constant()\nfy.ends = Constant()\nfy.axes = Constant()\n"
            "fy = Slice(fx, fy.starts, fy.ends, fy.axes)\nreturn fy\n");
  EXPECT_TRUE(body.initializers().empty());
}

TEST(MergeTransposes, AttributesOfAFunctionAreNotKnown) {
  Net net;
  ir::Value* a = net.Op("Transpose", "a", {net.Input("x")});
  ir::Node* y = net.Node("Transpose", "y", {a});
  ir::Attribute perm;
  perm.name = net.model().Intern("perm");
  perm.reference = net.model().Intern("order");
  perm.reference_kind = ir::AttributeKind::kInts;
  net.rewriter().AddAttribute(*y, std::move(perm));
  net.Output(y->output());
  EXPECT_FALSE(RunPass(net.model(), "merge-transposes").changed);
}

TEST(MergeSqueezes, UnitesAxes) {
  Net net;
  ir::Value* a = net.Squeeze("Unsqueeze", "a", net.Input("x", {2, 3}), {1});
  net.Output(net.Squeeze("Unsqueeze", "y", a, {0, -1}));
  const ir::Node& y = Merged(net, "merge-squeezes", 1, "y = Unsqueeze(x, y.axes)\nreturn y\n");
  EXPECT_THAT(IntsOf(y.input(1)), ElementsAre(0, 2, 4));

  Net other;
  ir::Value* b = other.Squeeze("Squeeze", "a", other.Input("x", {1, 2, 1, 1, 3}), {0, 3});
  other.Output(other.Squeeze("Squeeze", "y", b, {1}));
  EXPECT_THAT(
      IntsOf(Merged(other, "merge-squeezes", 1, "y = Squeeze(x, y.axes)\nreturn y\n").input(1)),
      ElementsAre(0, 2, 3));
}

TEST(MergeSqueezes, SqueezeTakesBackWhatUnsqueezeAdded) {
  Net net;
  ir::Value* a = net.Squeeze("Unsqueeze", "a", net.Input("x", {2, 3}), {0, 2});
  net.Output(net.Squeeze("Squeeze", "y", a, {0}));
  EXPECT_THAT(
      IntsOf(Merged(net, "merge-squeezes", 1, "y = Unsqueeze(x, y.axes)\nreturn y\n").input(1)),
      ElementsAre(1));

  Net same;
  ir::Value* b = same.Squeeze("Unsqueeze", "a", same.Input("x", {2, 3}), {0, 2});
  same.Output(same.Squeeze("Squeeze", "y", b, {2, 0}));
  Merged(same, "merge-squeezes", 1, "y = Identity(x)\nreturn y\n");
}

TEST(MergeSqueezes, AxesAsAttributesStayAttributes) {
  Net net;
  net.rewriter().MutableInfo().opset_imports = {{"", 11}};
  ir::Value* a = net.Op("Unsqueeze", "a", {net.Input("x", {2, 3})}, {{"axes", Ints{0}}});
  net.Output(net.Op("Unsqueeze", "y", {a}, {{"axes", Ints{0}}}));
  EXPECT_THAT(
      Merged(net, "merge-squeezes", 1, "y = Unsqueeze(x)\nreturn y\n").IntsAttribute("axes"),
      ElementsAre(0, 1));
}

TEST(MergeSqueezes, RefusesComputedAxesAndOtherUses) {
  Net net;
  ir::Value* a =
      net.Op("Unsqueeze", "a", {net.Input("x"), net.Typed("axes", ir::ElementType::kInt64)});
  net.Output(net.Squeeze("Unsqueeze", "y", a, {0}));
  ExpectRefused(net, "merge-squeezes", "not merged with 'a': the axes are not known");

  Net shared;
  ir::Value* b = shared.Squeeze("Unsqueeze", "a", shared.Input("x"), {0});
  shared.Output(shared.Squeeze("Unsqueeze", "y", b, {0}));
  shared.Output(shared.Op("Relu", "z", {b}));
  ExpectRefused(shared, "merge-squeezes", "not merged with 'a': the first has other uses");

  Net differ;
  ir::Value* c = differ.Squeeze("Squeeze", "a", differ.Input("x", {1, 2, 3}), {0});
  differ.Output(differ.Squeeze("Unsqueeze", "y", c, {2}));
  ExpectRefused(differ, "merge-squeezes", "not merged with 'a': the axes differ");
}

TEST(MergeReshapes, KeepsAShapeThatMeansTheSame) {
  Net net;
  ir::Value* a = net.Op("Flatten", "a", {net.Input("x", {2, 3, 4})});
  ir::Value* b = net.Squeeze("Unsqueeze", "b", a, {1});
  net.Output(net.Reshape("y", b, {4, -1}));
  Merged(net, "merge-reshapes", 2, "y = Reshape(x, y_shape)\nreturn y\n");
}

TEST(MergeReshapes, ZeroStandsForAnExtentOfTheMiddle) {
  Net net;
  ir::Value* a = net.Reshape("a", net.Input("x", {2, 3, 4}), {6, 4});
  net.Output(net.Reshape("y", a, {0, 2, -1}));
  EXPECT_THAT(
      IntsOf(Merged(net, "merge-reshapes", 1, "y = Reshape(x, y.shape)\nreturn y\n").input(1)),
      ElementsAre(6, 2, -1));
}

TEST(MergeReshapes, ASymbolInItsPlaceStaysZero) {
  Net net;
  ir::Value* a = net.Reshape("a", net.Symbolic("x", {-1, 3, 4}), {0, 12});
  net.Output(net.Reshape("y", a, {0, 4, 3}));
  EXPECT_THAT(
      IntsOf(Merged(net, "merge-reshapes", 1, "y = Reshape(x, y_shape)\nreturn y\n").input(1)),
      ElementsAre(0, 4, 3));
}

TEST(MergeReshapes, OneUnknownExtentIsInferred) {
  Net net;
  ir::Value* a = net.Reshape("a", net.Symbolic("x", {3, -1}), {-1, 3});
  net.Output(net.Reshape("y", a, {0, 3, 1}));
  EXPECT_THAT(
      IntsOf(Merged(net, "merge-reshapes", 1, "y = Reshape(x, y.shape)\nreturn y\n").input(1)),
      ElementsAre(-1, 3, 1));
}

TEST(MergeReshapes, FlattenBecomesReshape) {
  Net net;
  ir::Value* a = net.Reshape("a", net.Symbolic("x", {-1, 24}), {0, 2, 3, 4});
  net.Output(net.Op("Flatten", "y", {a}, {{"axis", int64_t{1}}}));
  const ir::Node& y = Merged(net, "merge-reshapes", 1, "y = Reshape(x, y.shape)\nreturn y\n");
  EXPECT_THAT(IntsOf(y.input(1)), ElementsAre(0, 24));
  EXPECT_EQ(y.FindAttribute("axis"), nullptr);
}

TEST(MergeReshapes, RefusesWhatIsNotKnown) {
  Net net;
  ir::Value* a = net.Reshape("a", net.Symbolic("x", {-1, -2}), {-1});
  net.Output(net.Op("Reshape", "y", {a, net.Typed("shape", ir::ElementType::kInt64)}));
  ExpectRefused(net, "merge-reshapes",
                "not merged with 'a': the extents of the result are not known");

  Net two;
  ir::Value* b = two.Op("Flatten", "a", {two.Symbolic("x", {-1, -2, -3})});
  two.Output(two.Reshape("y", b, {-1, 0}));
  ExpectRefused(two, "merge-reshapes",
                "not merged with 'a': the extents of the result are not known");
}

TEST(MergeCasts, DropsACastThatLosesNothing) {
  Net net;
  ir::Value* a =
      net.Op("Cast", "a", {net.Typed("x", ir::ElementType::kFloat16)}, {{"to", int64_t{1}}});
  net.Output(net.Op("Cast", "y", {a}, {{"to", int64_t{11}}}));
  Merged(net, "merge-casts", 1, "y = Cast(x)\nreturn y\n");

  Net back;
  ir::Value* b =
      back.Op("Cast", "a", {back.Typed("x", ir::ElementType::kUint8)}, {{"to", int64_t{10}}});
  back.Output(back.Op("Cast", "y", {b}, {{"to", int64_t{2}}}));
  Merged(back, "merge-casts", 1, "y = Identity(x)\nreturn y\n");
}

TEST(MergeCasts, LowBitsOfIntegers) {
  Net net;
  ir::Value* a =
      net.Op("Cast", "a", {net.Typed("x", ir::ElementType::kInt64)}, {{"to", int64_t{12}}});
  net.Output(net.Op("Cast", "y", {a}, {{"to", int64_t{3}}}));
  Merged(net, "merge-casts", 1, "y = Cast(x)\nreturn y\n");
}

TEST(MergeCasts, Refuses) {
  struct Case {
    ir::ElementType from;
    int64_t between, to;
    std::string reason;
  };
  for (const Case& c : {
           Case{ir::ElementType::kFloat32, 10, 11, "f16 does not hold every value of f32"},
           Case{ir::ElementType::kInt32, 1, 11, "f32 does not hold every value of i32"},
           Case{ir::ElementType::kInt64, 6, 7, "i32 does not hold every value of i64"},
           Case{ir::ElementType::kInt8, 2, 6, "u8 does not hold every value of i8"},
           Case{ir::ElementType::kInt16, 9, 5, "bool does not hold every value of i16"},
           Case{ir::ElementType::kInt32, 11, 3, "i8 does not hold every value of i32"},
           Case{ir::ElementType::kFloat16, 17, 1, "f16 to f8e4m3fn to f32 is not looked at"},
       }) {
    Net net;
    ir::Value* a = net.Op("Cast", "a", {net.Typed("x", c.from)}, {{"to", c.between}});
    net.Output(net.Op("Cast", "y", {a}, {{"to", c.to}}));
    ExpectRefused(net, "merge-casts", "not merged with 'a': " + c.reason);
  }
}

TEST(MergeSlices, AxesSideBySide) {
  Net net;
  ir::Value* a = net.Slice("a", net.Symbolic("x", {-1, -2, -3}), {2}, {9}, {1}, {1});
  net.Output(net.Slice("y", a, {-4}, {8}, {-1}, {2}));
  const ir::Node& y =
      Merged(net, "merge-slices", 1, "y = Slice(x, y.starts, y.ends, y.axes, y.steps)\nreturn y\n");
  EXPECT_THAT(IntsOf(y.input(1)), ElementsAre(2, -4));
  EXPECT_THAT(IntsOf(y.input(2)), ElementsAre(9, 8));
  EXPECT_THAT(IntsOf(y.input(3)), ElementsAre(1, 2));
  EXPECT_THAT(IntsOf(y.input(4)), ElementsAre(1, 2));
}

TEST(MergeSlices, OneAxisOfKnownExtent) {
  Net net;
  // 9, 7, 5, 3, 1, then every other from the back: 1, 5, 9.
  ir::Value* a = net.Slice("a", net.Input("x", {10}), {-1}, {-100}, {0}, {-2});
  net.Output(net.Slice("y", a, {-1}, {-100}, {0}, {-2}));
  const ir::Node& y =
      Merged(net, "merge-slices", 1, "y = Slice(x, y.starts, y.ends, y.axes, y.steps)\nreturn y\n");
  EXPECT_THAT(IntsOf(y.input(1)), ElementsAre(1));
  EXPECT_THAT(IntsOf(y.input(2)), ElementsAre(10));
  EXPECT_THAT(IntsOf(y.input(4)), ElementsAre(4));
}

TEST(MergeSlices, OneAxisOfUnknownExtent) {
  Net net;
  ir::Value* a = net.Slice("a", net.Symbolic("x", {-1}), {2}, {INT64_MAX}, {0}, {1});
  net.Output(net.Slice("y", a, {3}, {7}, {0}, {1}));
  const ir::Node& y =
      Merged(net, "merge-slices", 1, "y = Slice(x, y.starts, y.ends, y.axes)\nreturn y\n");
  EXPECT_THAT(IntsOf(y.input(1)), ElementsAre(5));
  EXPECT_THAT(IntsOf(y.input(2)), ElementsAre(9));
}

TEST(MergeSlices, Refuses) {
  Net net;
  ir::Value* a = net.Slice("a", net.Symbolic("x", {-1}), {2}, {-1}, {0}, {1});
  net.Output(net.Slice("y", a, {3}, {7}, {0}, {1}));
  ExpectRefused(net, "merge-slices", "not merged with 'a': the extent of axis 0 is not known");

  Net computed;
  ir::Value* starts = computed.Typed("starts", ir::ElementType::kInt64);
  ir::Value* b =
      computed.Op("Slice", "a", {computed.Input("x"), starts, computed.Constant("e", {3})});
  computed.Output(computed.Slice("y", b, {0}, {1}, {0}, {1}));
  ExpectRefused(computed, "merge-slices", "not merged with 'a': what they cut is not known");
}

TEST(MergeSlices, RefusesToGoBackFromTheLargestEnd) {
  for (const int64_t end : {INT64_MAX, int64_t{INT32_MAX}}) {
    Net net;
    ir::Value* a = net.Slice("a", net.Input("x", {10}), {-1}, {end}, {0}, {-2});
    net.Output(net.Slice("y", a, {0}, {3}, {0}, {1}));
    ExpectRefused(net, "merge-slices", "not merged with 'a': what they cut is not known");
  }
}

TEST(MergePads, AddsAmounts) {
  Net net;
  ir::Value* a = net.Pad("a", net.Input("x", {2, 3}), {1, 0, 0, 2});
  net.Output(net.Pad("y", a, {0, 1, 2, 0}));
  EXPECT_THAT(IntsOf(Merged(net, "merge-pads", 1, "y = Pad(x, y.pads)\nreturn y\n").input(1)),
              ElementsAre(1, 1, 2, 2));
}

TEST(MergePads, Refuses) {
  Net value;
  ir::Value* a = value.Op(
      "Pad", "a", {value.Input("x", {2}), value.Constant("p", {1, 1}), value.Init("v", {})});
  value.Output(value.Pad("y", a, {1, 1}));
  ExpectRefused(value, "merge-pads", "not merged with 'a': the constant values differ");

  Net mode;
  ir::Value* b = mode.Pad("a", mode.Input("x", {2}), {1, 1}, "reflect");
  mode.Output(mode.Pad("y", b, {1, 1}));
  ExpectRefused(mode, "merge-pads", "not merged with 'a': the modes are reflect and constant");

  Net crop;
  ir::Value* c = crop.Pad("a", crop.Input("x", {2}), {1, 1});
  crop.Output(crop.Pad("y", c, {-1, 1}));
  ExpectRefused(crop, "merge-pads", "not merged with 'a': an amount is negative");
}

TEST(MergeConcats, FlattensATree) {
  Net net;
  ir::Value* p = net.Input("p", {2, 3});
  ir::Value* a = net.Op("Concat", "a", {p, net.Input("q", {2, 3})}, {{"axis", int64_t{1}}});
  ir::Value* b = net.Op("Concat", "b", {net.Input("r", {2, 3}), a}, {{"axis", int64_t{-1}}});
  net.Output(net.Op("Concat", "y", {b, p}, {{"axis", int64_t{1}}}));
  const ir::Node& y = Merged(net, "merge-concats", 2, "y = Concat(r, p, q, p)\nreturn y\n");
  EXPECT_EQ(net.model().OriginNames(y.origin()).size(), 3u);
}

TEST(MergeConcats, OperandsWithoutElementsGo) {
  Net net;
  ir::Value* p = net.Input("p", {2, 3});
  ir::Value* e = net.Input("e", {2, 0});
  ir::Value* a = net.Op("Concat", "a", {e, p}, {{"axis", int64_t{1}}});
  net.Output(net.Op("Concat", "y", {e, a, e, net.Input("q", {2, 1})}, {{"axis", int64_t{-1}}}));
  Merged(net, "merge-concats", 1, "y = Concat(p, q)\nreturn y\n");

  Net only;
  ir::Value* empty = only.Input("e", {2, 0});
  only.Output(only.Op("Concat", "y", {empty, empty, empty}, {{"axis", int64_t{1}}}));
  EXPECT_TRUE(RunPass(only.model(), "merge-concats").changed);
  EXPECT_EQ(Listing(only.graph()), "y = Concat(e)\nreturn y\n");
  EXPECT_FALSE(RunPass(only.model(), "merge-concats").changed);

  Net other;
  ir::Value* wide = other.Input("e", {0, 3});
  other.Output(other.Op("Concat", "y", {wide, wide}, {{"axis", int64_t{1}}}));
  EXPECT_FALSE(RunPass(other.model(), "merge-concats").changed);
}

TEST(MergeConcats, Refuses) {
  Net axis;
  ir::Value* a = axis.Op("Concat", "a", {axis.Input("p", {2, 3}), axis.Input("q", {2, 3})},
                         {{"axis", int64_t{0}}});
  axis.Output(axis.Op("Concat", "y", {a, axis.Input("r", {4, 1})}, {{"axis", int64_t{1}}}));
  ExpectRefused(axis, "merge-concats", "not merged with 'a': it joins along another axis");
}

TEST(MergeConcats, RefusesWhatOthersRead) {
  Net net;
  ir::Value* p = net.Input("p", {2, 3});
  ir::Value* a = net.Op("Concat", "a", {p, p}, {{"axis", int64_t{1}}});
  net.Output(net.Op("Concat", "y", {a, p}, {{"axis", int64_t{1}}}));
  net.Output(a);
  ExpectRefused(net, "merge-concats", "not merged with 'a': it has other uses");
}

TEST(MergeReduces, UnitesAxes) {
  Net net;
  ir::Value* a = net.Op("ReduceMax", "a", {net.Input("x", {2, 3, 4, 5})},
                        {{"axes", Ints{1}}, {"keepdims", int64_t{0}}});
  net.Output(net.Op("ReduceMax", "y", {a}, {{"axes", Ints{-1}}, {"keepdims", int64_t{0}}}));
  EXPECT_THAT(Merged(net, "merge-reduces", 1, "y = ReduceMax(x)\nreturn y\n").IntsAttribute("axes"),
              ElementsAre(1, 3));

  Net kept;
  ir::Value* b = kept.Op("ReduceMean", "a", {kept.Input("x", {2, 3, 4, 5})}, {{"axes", Ints{3}}});
  kept.Output(kept.Op("ReduceMean", "y", {b}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}));
  EXPECT_THAT(
      Merged(kept, "merge-reduces", 1, "y = ReduceMean(x)\nreturn y\n").IntsAttribute("axes"),
      ElementsAre(2, 3));
}

TEST(MergeReduces, Refuses) {
  Net ops;
  ir::Value* a = ops.Op("ReduceMax", "a", {ops.Input("x")}, {{"axes", Ints{1}}});
  ops.Output(ops.Op("ReduceMin", "y", {a}, {{"axes", Ints{2}}}));
  ExpectRefused(ops, "merge-reduces", "not merged with 'a': the operators differ");

  Net keep;
  ir::Value* b = keep.Op("ReduceMax", "a", {keep.Input("x")}, {{"axes", Ints{1}}});
  keep.Output(keep.Op("ReduceMax", "y", {b}, {{"axes", Ints{2}}, {"keepdims", int64_t{0}}}));
  ExpectRefused(keep, "merge-reduces", "not merged with 'a': keepdims differs");

  Net integer;
  ir::Value* c = integer.Op("ReduceMean", "a", {integer.Typed("x", ir::ElementType::kInt32)},
                            {{"axes", Ints{0}}});
  integer.Output(integer.Op("ReduceMean", "y", {c}, {{"axes", Ints{0}}}));
  ExpectRefused(integer, "merge-reduces",
                "not merged with 'a': the input is not known to be of floating point");

  Net all;
  ir::Value* d = all.Op("ReduceSum", "a", {all.Input("x")});
  all.Output(all.Op("ReduceSum", "y", {d}));
  ExpectRefused(all, "merge-reduces", "not merged with 'a': the axes are not known");
}

}  // namespace
}  // namespace lathe::passes
