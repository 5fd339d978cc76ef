// Every family of eliminate-nop-*: what goes and what stays. Each case computes y = Erf(v) with v
// made from the graph input x; where v equals x, y reads x afterwards.
#include <cmath>
#include <limits>
#include <ostream>

#include <gtest/gtest.h>

#include "lathe/passes/canonical/eliminate_no_ops.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ir::ElementType;
using Ints = std::vector<int64_t>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A net with an input x : f32[2,n,1,5], where n is a symbol, and short ways to make constants.
class Net : public GraphBuilder {
 public:
  Net() {
    SetOpset(18);
    x = Typed(ElementType::kFloat32, "x");
  }

  void SetOpset(int64_t version) { rewriter().MutableInfo().opset_imports = {{"", version}}; }

  ir::Value* Typed(ElementType element, const std::string& name) {
    const ir::Shape shape = {ir::Dim::Known(2), ir::Dim::Symbol("n"), ir::Dim::Known(1),
                             ir::Dim::Known(5)};
    return &rewriter().AddGraphInput(graph(), model().Intern(name),
                                     model().Intern(ir::Type::Tensor(element, shape)));
  }
  template <typename T>
  ir::Value* Const(Ints dims, const std::vector<T>& values) {
    return &rewriter().CreateInitializer(graph(), "c", ir::Tensor::Of(std::move(dims), values));
  }
  ir::Value* Floats(const std::vector<float>& values) {
    return Const<float>({static_cast<int64_t>(values.size())}, values);
  }
  ir::Value* Integers(const Ints& values) {
    return Const<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  ir::Value* Scalar(float value) { return Const<float>({}, {value}); }
  ir::Value* Bool(bool value) {
    return &rewriter().CreateInitializer(graph(), "b", ir::Tensor::Scalar(value));
  }
  ir::Value* One(const std::string& op, std::vector<ir::Value*> inputs,
                 std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    return Op(op, "v", std::move(inputs), std::move(attributes));
  }

  ir::Value* x;
};

struct Case {
  const char* name;
  const char* pass;
  bool goes;
  ir::Value* (*make)(Net& net);
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class NoOps : public testing::TestWithParam<Case> {};

TEST_P(NoOps, GoOrStay) {
  for (const std::string pass : {GetParam().pass, "eliminate-no-ops"}) {
    Net net;
    ir::Value* v = GetParam().make(net);
    ir::Value* y = net.Op("Erf", "y", {v});
    net.Output(y);
    const auto report = RunWith(net.model(), "infer-shapes{list=false}," + pass, {});
    ASSERT_TRUE(report.ok()) << FormatError(report.status());
    EXPECT_EQ(report->passes.back().changed, GetParam().goes) << Listing(net.graph());
    const ir::Value* read = y->producer()->input(0);
    EXPECT_EQ(read == net.graph().inputs().back(), GetParam().goes) << Listing(net.graph());
    const auto again = RunWith(net.model(), pass, {});
    ASSERT_TRUE(again.ok());
    EXPECT_FALSE(again->changed);
  }
}

constexpr Case kCast[] = {
    {"CastToOwnType", "eliminate-nop-cast", true,
     [](Net& net) {
       return net.One("Cast", {net.x}, {{"to", int64_t{1}}});
     }},
    {"CastToAnotherType", "eliminate-nop-cast", false,
     [](Net& net) {
       return net.One("Cast", {net.x}, {{"to", int64_t{10}}});
     }},
    {"CastLikeOwnType", "eliminate-nop-cast", true,
     [](Net& net) {
       return net.One("CastLike", {net.x, net.Scalar(3)});
     }},
    {"CastLikeAnotherType", "eliminate-nop-cast", false,
     [](Net& net) {
       return net.One("CastLike", {net.x, net.Integers({3})});
     }},
    {"CastOfUnknownType", "eliminate-nop-cast", false,
     [](Net& net) {
       net.rewriter().SetType(*net.x, net.model().unknown_type());
       return net.One("Cast", {net.x}, {{"to", int64_t{1}}});
     }},
};

constexpr Case kReshape[] = {
    {"ReshapeByZeros", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({0, 0, 0, 0})});
     }},
    {"ReshapeWithOneInferred", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, -1, 1, 5})});
     }},
    {"ReshapeWithTheSymbolGuessed", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, 7, 1, 5})});
     }},
    {"ReshapeSwapsExtents", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, -1, 5, 1})});
     }},
    {"ReshapeToAnotherRank", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({0, 0, 5})});
     }},
    {"ReshapeToZeroExtent", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, 0, 1, 5})}, {{"allowzero", int64_t{1}}});
     }},
    {"ReshapeToOwnShape", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Op("Shape", "s", {net.x})});
     }},
    {"ReshapeToPartOfOwnShape", "eliminate-nop-reshape", false,
     [](Net& net) {
       ir::Value* shape = net.Op("Shape", "s", {net.x}, {{"start", int64_t{1}}});
       return net.One("Reshape", {net.x, shape});
     }},
    {"SqueezeOfOneAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Squeeze", {net.x, net.Integers({2})});
     }},
    {"UnsqueezeOfNoAxis", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Unsqueeze", {net.x, net.Integers({})});
     }},
    {"UnsqueezeOfOneAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Unsqueeze", {net.x, net.Integers({0})});
     }},
    {"FlattenOfRankFour", "eliminate-nop-reshape", false,
     [](Net& net) { return net.One("Flatten", {net.x}); }},
    {"FlattenOfRankTwo", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Flatten", {net.Input("m", {3, 4})});
     }},
    {"FlattenOfRankTwoBeforeTheFirstAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Flatten", {net.Input("m", {3, 4})}, {{"axis", int64_t{0}}});
     }},
};

constexpr Case kExpand[] = {
    {"ExpandToOnes", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({1, 1})});
     }},
    {"ExpandToOwnExtents", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({2, 1, 1, 5})});
     }},
    {"ExpandOfAnAxis", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({3, 1})});
     }},
    {"ExpandToMoreAxes", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({1, 1, 1, 1, 1})});
     }},
    {"ExpandOfUnknownRank", "eliminate-nop-expand", false,
     [](Net& net) {
       net.rewriter().SetType(*net.x, net.model().Intern(ir::Type::Tensor(ElementType::kFloat32)));
       return net.One("Expand", {net.x, net.Integers({1, 1})});
     }},
    {"TileByOnes", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Tile", {net.x, net.Integers({1, 1, 1, 1})});
     }},
    {"TileByTwo", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Tile", {net.x, net.Integers({1, 1, 2, 1})});
     }},
};

constexpr Case kTranspose[] = {
    {"TransposeToSamePlaces", "eliminate-nop-transpose", true,
     [](Net& net) {
       return net.One("Transpose", {net.x}, {{"perm", Ints{0, 1, 2, 3}}});
     }},
    {"TransposeOfTwoAxes", "eliminate-nop-transpose", false,
     [](Net& net) {
       return net.One("Transpose", {net.x}, {{"perm", Ints{0, 1, 3, 2}}});
     }},
    {"TransposeWithoutPermutation", "eliminate-nop-transpose", false,
     [](Net& net) { return net.One("Transpose", {net.x}); }},
    {"TransposeOfOneAxis", "eliminate-nop-transpose", true,
     [](Net& net) { return net.One("Transpose", {net.Input("m", {3})}); }},
    {"TransposeOfOnes", "eliminate-nop-transpose", true,
     [](Net& net) {
       return net.One("Transpose", {net.Input("m", {1, 1, 3})}, {{"perm", Ints{1, 0, 2}}});
     }},
    {"TransposeOfEqualExtents", "eliminate-nop-transpose", false,
     [](Net& net) {
       return net.One("Transpose", {net.Input("m", {3, 3})}, {{"perm", Ints{1, 0}}});
     }},
};

constexpr Case kPad[] = {
    {"PadByNothing", "eliminate-nop-pad", true,
     [](Net& net) {
       return net.One("Pad", {net.x, net.Integers(Ints(8, 0))});
     }},
    {"PadByOne", "eliminate-nop-pad", false,
     [](Net& net) {
       return net.One("Pad", {net.x, net.Integers({0, 0, 0, 0, 0, 0, 0, 1})});
     }},
    {"PadByTheUnknown", "eliminate-nop-pad", false,
     [](Net& net) {
       ir::Value* x = net.x;
       ir::Value* pads = net.Op("Shape", "s", {x});
       return net.One("Pad", {x, net.Op("Concat", "p", {pads, pads}, {{"axis", int64_t{0}}})});
     }},
    {"PadAttributesByNothing", "eliminate-nop-pad", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Pad", {net.x}, {{"pads", Ints(8, 0)}});
     }},
};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

constexpr Case kSlice[] = {
    {"SliceToTheEnd", "eliminate-nop-slice", true,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0, 0}), net.Integers({kMost, 2147483647})});
     }},
    {"SliceOfKnownExtents", "eliminate-nop-slice", true,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({-2, 0}), net.Integers({2, 5}),
                                net.Integers({0, -1}), net.Integers({1, 1})});
     }},
    {"SliceWithoutTheFirst", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({1}), net.Integers({kMost})});
     }},
    {"SliceWithoutTheLast", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({-1}), net.Integers({3})});
     }},
    {"SliceOfUnknownExtent", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({7}), net.Integers({1})});
     }},
    {"SliceWithStepTwo", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({kMost}), net.Integers({2}),
                                net.Integers({2})});
     }},
    {"SliceBackwards", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({-1}), net.Integers({-kMost}),
                                net.Integers({0}), net.Integers({-1})});
     }},
    {"SliceAttributesToTheEnd", "eliminate-nop-slice", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Slice", {net.x},
                      {{"starts", Ints{0}}, {"ends", Ints{kMost}}, {"axes", Ints{1}}});
     }},
};

constexpr Case kConcat[] = {
    {"ConcatOfOne", "eliminate-nop-concat", true,
     [](Net& net) {
       return net.One("Concat", {net.x}, {{"axis", int64_t{1}}});
     }},
    {"ConcatOfTwo", "eliminate-nop-concat", false,
     [](Net& net) {
       return net.One("Concat", {net.x, net.x}, {{"axis", int64_t{1}}});
     }},
    {"SplitIntoOne", "eliminate-nop-concat", true,
     [](Net& net) {
       return net.One("Split", {net.x}, {{"num_outputs", int64_t{1}}});
     }},
    {"SplitIntoTwo", "eliminate-nop-concat", false,
     [](Net& net) {
       return net.Node("Split", "v", {net.x}, {{"num_outputs", int64_t{2}}}, 2)->output();
     }},
};

ir::Value* Resize(Net& net, const std::vector<float>& scales, const std::string& coordinates) {
  return net.One("Resize", {net.x, nullptr, net.Floats(scales)},
                 {{"coordinate_transformation_mode", coordinates}});
}

constexpr Case kResize[] = {
    {"ResizeByOne", "eliminate-nop-resize", true,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "half_pixel");
     }},
    {"ResizeByALittle", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1.1f}, "half_pixel");
     }},
    {"ResizeOfACrop", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "tf_crop_and_resize");
     }},
    {"ResizeHalfAnElementOff", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "tf_half_pixel_for_nn");
     }},
    {"ResizeToOwnSizes", "eliminate-nop-resize", true,
     [](Net& net) {
       return net.One("Resize", {net.Input("m", {2, 3}), nullptr, nullptr, net.Integers({2, 3})});
     }},
    {"ResizeToOtherSizes", "eliminate-nop-resize", false,
     [](Net& net) {
       return net.One("Resize", {net.Input("m", {2, 3}), nullptr, nullptr, net.Integers({2, 4})});
     }},
    {"ResizeOfOperatorSet10", "eliminate-nop-resize", true,
     [](Net& net) {
       net.SetOpset(10);
       return net.One("Resize", {net.x, net.Floats({1, 1, 1, 1})});
     }},
    {"UpsampleByOne", "eliminate-nop-resize", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Upsample", {net.x, net.Floats({1, 1, 1, 1})});
     }},
    {"BlocksOfOne", "eliminate-nop-resize", true,
     [](Net& net) {
       return net.One("DepthToSpace", {net.x}, {{"blocksize", int64_t{1}}});
     }},
    {"BlocksOfTwo", "eliminate-nop-resize", false,
     [](Net& net) {
       return net.One("DepthToSpace", {net.x}, {{"blocksize", int64_t{2}}});
     }},
};

constexpr Case kPool[] = {
    {"PoolOfOne", "eliminate-nop-pool", true,
     [](Net& net) {
       return net.One("MaxPool", {net.x}, {{"kernel_shape", Ints{1, 1}}});
     }},
    {"PoolOfTwo", "eliminate-nop-pool", false,
     [](Net& net) {
       return net.One("MaxPool", {net.x}, {{"kernel_shape", Ints{1, 2}}});
     }},
    {"PoolWithStride", "eliminate-nop-pool", false,
     [](Net& net) {
       return net.One("AveragePool", {net.x},
                      {{"kernel_shape", Ints{1, 1}}, {"strides", Ints{1, 2}}});
     }},
    {"PoolWithPads", "eliminate-nop-pool", false,
     [](Net& net) {
       return net.One("AveragePool", {net.x},
                      {{"kernel_shape", Ints{1, 1}}, {"pads", Ints{0, 0, 0, 1}}});
     }},
    {"PoolWithIndices", "eliminate-nop-pool", false,
     [](Net& net) {
       ir::Node* pool = net.Node("MaxPool", "v", {net.x}, {{"kernel_shape", Ints{1, 1}}}, 2);
       net.Output(pool->output(1));
       return pool->output();
     }},
    {"GlobalPoolOfOnePixel", "eliminate-nop-pool", true,
     [](Net& net) {
       return net.One("GlobalMaxPool", {net.Input("m", {2, 3, 1, 1})});
     }},
    {"GlobalPoolOfARow", "eliminate-nop-pool", false,
     [](Net& net) { return net.One("GlobalAveragePool", {net.x}); }},
};

constexpr Case kReduce[] = {
    {"ReduceOverOneElement", "eliminate-nop-reduce", true,
     [](Net& net) {
       return net.One("ReduceMax", {net.x, net.Integers({2})});
     }},
    {"ReduceOverFive", "eliminate-nop-reduce", false,
     [](Net& net) {
       return net.One("ReduceMax", {net.x, net.Integers({3})});
     }},
    {"ReduceOverNothing", "eliminate-nop-reduce", true,
     [](Net& net) {
       return net.One("ReduceSum", {net.x, nullptr}, {{"noop_with_empty_axes", int64_t{1}}});
     }},
    {"ReduceOverEverything", "eliminate-nop-reduce", false,
     [](Net& net) { return net.One("ReduceSum", {net.x}); }},
    {"ReduceWithoutTheAxis", "eliminate-nop-reduce", false,
     [](Net& net) {
       return net.One("ReduceSum", {net.x, net.Integers({2})}, {{"keepdims", int64_t{0}}});
     }},
    {"NormOfOneElement", "eliminate-nop-reduce", false,
     [](Net& net) {
       return net.One("ReduceL2", {net.x, net.Integers({2})});
     }},
};

constexpr Case kArithmetic[] = {
    {"TimesOne", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Scalar(1)});
     }},
    {"OneTimes", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Mul", {net.Floats(std::vector<float>(5, 1)), net.x});
     }},
    {"TimesTwo", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Scalar(2)});
     }},
    {"TimesAlmostOnes", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Floats({1, 1, 1, 1, 1.5})});
     }},
    {"TimesOnesThatBroadcast", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Const<float>({3, 1}, std::vector<float>(3, 1))});
     }},
    {"TimesOnesOfHigherRank", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Const<float>({1, 1, 1, 1, 1}, {1})});
     }},
    {"TimesOnesBesideTheSymbol", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Const<float>({7, 1, 1}, std::vector<float>(7, 1))});
     }},
    {"TimesOnesOfUnknownRank", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       net.rewriter().SetType(*net.x, net.model().unknown_type());
       return net.One("Mul", {net.x, net.Floats({1})});
     }},
    {"TimesAnInputWithDefaultOne", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       ir::Value* one = net.Input("one", {});
       net.rewriter().SetDefault(*one, ir::Tensor::Scalar(1.0f));
       return net.One("Mul", {net.x, one});
     }},
    {"DividedByOne", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Div", {net.x, net.Scalar(1)});
     }},
    {"OneDividedBy", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Div", {net.Scalar(1), net.x});
     }},
    {"ToThePowerOfOne", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Pow", {net.x, net.Const<int64_t>({}, {1})});
     }},
    {"OneToThePower", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Pow", {net.Scalar(1), net.x});
     }},
    {"PlusNegativeZero", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Add", {net.x, net.Scalar(-0.0f)});
     }},
    {"PlusZeroMakesZerosPositive", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Add", {net.x, net.Scalar(0.0f)});
     }},
    {"MinusZero", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Sub", {net.x, net.Scalar(0.0f)});
     }},
    {"MinusNegativeZeroMakesZerosPositive", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Sub", {net.x, net.Scalar(-0.0f)});
     }},
    {"ZeroMinus", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Sub", {net.Scalar(0.0f), net.x});
     }},
    {"IntegerPlusZero", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Add", {net.Typed(ElementType::kInt64, "i"), net.Const<int64_t>({}, {0})});
     }},
    {"AttributesOfOldBroadcasts", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Mul", {net.x, net.Scalar(1)}, {{"broadcast", int64_t{1}}});
     }},
    {"ShiftByZero", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("BitShift",
                      {net.Typed(ElementType::kUint8, "i"), net.Const<uint8_t>({}, {0})},
                      {{"direction", std::string("LEFT")}});
     }},
    {"BitwiseOrWithZero", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("BitwiseOr",
                      {net.Typed(ElementType::kInt32, "i"), net.Const<int32_t>({}, {0})});
     }},
    {"BitwiseAndWithAllBits", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("BitwiseAnd",
                      {net.Typed(ElementType::kInt32, "i"), net.Const<int32_t>({}, {-1})});
     }},
    {"BitwiseAndWithOne", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("BitwiseAnd",
                      {net.Typed(ElementType::kInt32, "i"), net.Const<int32_t>({}, {1})});
     }},
};

constexpr Case kLogic[] = {
    {"AndTrue", "eliminate-nop-logic", true,
     [](Net& net) {
       return net.One("And", {net.Typed(ElementType::kBool, "p"), net.Bool(true)});
     }},
    {"AndFalse", "eliminate-nop-logic", false,
     [](Net& net) {
       return net.One("And", {net.Typed(ElementType::kBool, "p"), net.Bool(false)});
     }},
    {"AndItself", "eliminate-nop-logic", true,
     [](Net& net) {
       ir::Value* p = net.Typed(ElementType::kBool, "p");
       return net.One("And", {p, p});
     }},
    {"OrFalse", "eliminate-nop-logic", true,
     [](Net& net) {
       return net.One("Or", {net.Bool(false), net.Typed(ElementType::kBool, "p")});
     }},
    {"OrTrue", "eliminate-nop-logic", false,
     [](Net& net) {
       return net.One("Or", {net.Bool(true), net.Typed(ElementType::kBool, "p")});
     }},
    {"XorFalse", "eliminate-nop-logic", true,
     [](Net& net) {
       return net.One("Xor", {net.Typed(ElementType::kBool, "p"), net.Bool(false)});
     }},
    {"XorItself", "eliminate-nop-logic", false,
     [](Net& net) {
       ir::Value* p = net.Typed(ElementType::kBool, "p");
       return net.One("Xor", {p, p});
     }},
    {"EqualsTrue", "eliminate-nop-logic", true,
     [](Net& net) {
       return net.One("Equal", {net.Typed(ElementType::kBool, "p"), net.Bool(true)});
     }},
    {"EqualsOne", "eliminate-nop-logic", false,
     [](Net& net) {
       return net.One("Equal", {net.x, net.Scalar(1)});
     }},
    {"WhereAlwaysYes", "eliminate-nop-logic", true,
     [](Net& net) {
       ir::Value* other = net.Input("other", {});
       return net.One("Where", {net.Bool(true), net.Typed(ElementType::kFloat32, "m"), other});
     }},
    {"WhereAlwaysNo", "eliminate-nop-logic", true,
     [](Net& net) {
       ir::Value* other = net.Input("other", {});
       return net.One("Where", {net.Bool(false), other, net.Typed(ElementType::kFloat32, "m")});
     }},
    {"WhereYesButLarger", "eliminate-nop-logic", false,
     [](Net& net) {
       ir::Value* other = net.Input("other", {3, 1, 1, 1, 1});
       return net.One("Where", {net.Bool(true), net.Typed(ElementType::kFloat32, "m"), other});
     }},
    {"WhereBothAreOne", "eliminate-nop-logic", true,
     [](Net& net) {
       ir::Value* condition = &net.rewriter().AddGraphInput(
           net.graph(), net.model().Intern("p"),
           net.model().Intern(ir::Type::Tensor(ElementType::kBool, Ints{})));
       ir::Value* m = net.Typed(ElementType::kFloat32, "m");
       return net.One("Where", {condition, m, m});
     }},
    {"WhereConditionBroadcasts", "eliminate-nop-logic", false,
     [](Net& net) {
       ir::Value* condition = net.Typed(ElementType::kBool, "p");
       ir::Value* m = net.Input("m", {1, 5});
       return net.One("Where", {condition, m, m});
     }},
};

constexpr Case kClip[] = {
    {"ClipWithoutBounds", "eliminate-nop-clip", true,
     [](Net& net) { return net.One("Clip", {net.x}); }},
    {"ClipToInfinity", "eliminate-nop-clip", true,
     [](Net& net) {
       return net.One("Clip", {net.x, net.Scalar(-kInfinity), net.Scalar(kInfinity)});
     }},
    {"ClipWithMinimum", "eliminate-nop-clip", false,
     [](Net& net) {
       return net.One("Clip", {net.x, net.Scalar(0)});
     }},
    {"ClipToTheLargestFloat", "eliminate-nop-clip", false,
     [](Net& net) {
       return net.One("Clip", {net.x, nullptr, net.Scalar(std::numeric_limits<float>::max())});
     }},
    {"ClipOfBytesToTheirRange", "eliminate-nop-clip", true,
     [](Net& net) {
       return net.One("Clip", {net.Typed(ElementType::kInt8, "i"), net.Const<int8_t>({}, {-128}),
                               net.Const<int8_t>({}, {127})});
     }},
    {"ClipBeforeOperatorSet11", "eliminate-nop-clip", false,
     [](Net& net) {
       net.SetOpset(10);
       return net.One("Clip", {net.x});
     }},
};

constexpr Case kVariadic[] = {
    {"SumOfOne", "eliminate-nop-variadic", true, [](Net& net) { return net.One("Sum", {net.x}); }},
    {"SumOfTwo", "eliminate-nop-variadic", false,
     [](Net& net) {
       return net.One("Sum", {net.x, net.x});
     }},
    {"MeanOfOne", "eliminate-nop-variadic", true,
     [](Net& net) { return net.One("Mean", {net.x}); }},
    {"MaxOfItself", "eliminate-nop-variadic", true,
     [](Net& net) {
       return net.One("Max", {net.x, net.x, net.x});
     }},
    {"MaxOfTwo", "eliminate-nop-variadic", false,
     [](Net& net) {
       return net.One("Max", {net.x, net.Scalar(1)});
     }},
};

constexpr Case kRepetition[] = {
    {"NegOfNeg", "eliminate-nop-repetition", true,
     [](Net& net) { return net.One("Neg", {net.Op("Neg", "a", {net.x})}); }},
    {"NotOfNot", "eliminate-nop-repetition", true,
     [](Net& net) {
       return net.One("Not", {net.Op("Not", "a", {net.Typed(ElementType::kBool, "p")})});
     }},
    {"NegOfAbs", "eliminate-nop-repetition", false,
     [](Net& net) { return net.One("Neg", {net.Op("Abs", "a", {net.x})}); }},
};

std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Cast, NoOps, testing::ValuesIn(kCast), NameOf);
INSTANTIATE_TEST_SUITE_P(Reshape, NoOps, testing::ValuesIn(kReshape), NameOf);
INSTANTIATE_TEST_SUITE_P(Expand, NoOps, testing::ValuesIn(kExpand), NameOf);
INSTANTIATE_TEST_SUITE_P(Transpose, NoOps, testing::ValuesIn(kTranspose), NameOf);
INSTANTIATE_TEST_SUITE_P(Pad, NoOps, testing::ValuesIn(kPad), NameOf);
INSTANTIATE_TEST_SUITE_P(Slice, NoOps, testing::ValuesIn(kSlice), NameOf);
INSTANTIATE_TEST_SUITE_P(Concat, NoOps, testing::ValuesIn(kConcat), NameOf);
INSTANTIATE_TEST_SUITE_P(Resize, NoOps, testing::ValuesIn(kResize), NameOf);
INSTANTIATE_TEST_SUITE_P(Pool, NoOps, testing::ValuesIn(kPool), NameOf);
INSTANTIATE_TEST_SUITE_P(Reduce, NoOps, testing::ValuesIn(kReduce), NameOf);
INSTANTIATE_TEST_SUITE_P(Arithmetic, NoOps, testing::ValuesIn(kArithmetic), NameOf);
INSTANTIATE_TEST_SUITE_P(Logic, NoOps, testing::ValuesIn(kLogic), NameOf);
INSTANTIATE_TEST_SUITE_P(Clip, NoOps, testing::ValuesIn(kClip), NameOf);
INSTANTIATE_TEST_SUITE_P(Variadic, NoOps, testing::ValuesIn(kVariadic), NameOf);
INSTANTIATE_TEST_SUITE_P(Repetition, NoOps, testing::ValuesIn(kRepetition), NameOf);

// --- Operators whose operand shows their effect already

// y = Erf(outer(inner(x))): whether `outer` goes.
bool Goes(const std::string& outer, const std::string& inner,
          ElementType element = ElementType::kFloat32) {
  Net net;
  ir::Value* a = net.Op(inner, "a", {net.Typed(element, "m")});
  net.Output(net.Op("Erf", "y", {net.Op(outer, "b", {a})}));
  const auto report = RunWith(net.model(), "infer-shapes,eliminate-nop-repetition", {});
  EXPECT_TRUE(report.ok());
  return report->passes.back().changed;
}

TEST(NopRepetition, WhatIsNotNegativeStays) {
  EXPECT_TRUE(Goes("Relu", "Relu"));
  EXPECT_TRUE(Goes("Relu", "Sigmoid"));
  EXPECT_TRUE(Goes("Relu", "Abs"));
  EXPECT_TRUE(Goes("Abs", "Abs"));
  EXPECT_TRUE(Goes("Abs", "Exp"));
  EXPECT_FALSE(Goes("Relu", "Tanh"));
  // Relu may hand -0.0 on.
  EXPECT_FALSE(Goes("Abs", "Relu"));
}

TEST(NopRepetition, TheSmallestIntegerHasNoAbsoluteValue) {
  EXPECT_FALSE(Goes("Relu", "Abs", ElementType::kInt8));
  EXPECT_TRUE(Goes("Abs", "Abs", ElementType::kInt8));
}

TEST(NopRepetition, WholeNumbersAreNotRounded) {
  EXPECT_TRUE(Goes("Floor", "Floor"));
  EXPECT_TRUE(Goes("Ceil", "Round"));
  EXPECT_TRUE(Goes("Round", "Sign"));
  EXPECT_FALSE(Goes("Floor", "Tanh"));
  EXPECT_TRUE(Goes("Sign", "Sign"));
  EXPECT_FALSE(Goes("Sign", "Floor"));
}

TEST(NopArithmetic, ZeroIsAddedToWhatIsNeverNegativeZero) {
  for (const std::string inner : {"Abs", "Exp", "Sigmoid", "Tanh", "Neg"}) {
    Net net;
    ir::Value* a = net.Op(inner, "a", {net.x});
    net.Output(net.Op("Erf", "y", {net.Op("Add", "b", {a, net.Scalar(0)})}));
    EXPECT_EQ(RunPass(net.model(), "eliminate-nop-arithmetic").changed,
              inner != "Tanh" && inner != "Neg");
  }
}

TEST(NopArithmetic, TheSecondZeroAddsNothing) {
  Net net;
  ir::Value* a = net.Op("Add", "a", {net.x, net.Scalar(0)});
  net.Output(net.Op("Erf", "y", {net.Op("Add", "b", {net.Scalar(0), a})}));
  EXPECT_TRUE(RunPass(net.model(), "eliminate-nop-arithmetic").changed);
  EXPECT_EQ(Listing(net.graph()), "a = Add(x, c)\ny = Erf(a)\nreturn y\n");
}

// --- What all families share

TEST(NoOps, ChainsOfDifferentFamiliesGoInOneWalk) {
  Net net;
  ir::Value* a = net.Op("Tanh", "a", {net.x});
  ir::Value* v = net.Op("Identity", "i", {a});
  v = net.Op("Mul", "m", {v, net.Scalar(1)});
  v = net.Op("Dropout", "d", {v});
  v = net.Op("Sum", "s", {v});
  net.Output(net.Op("Erf", "y", {v}));
  const PassReport report = RunPass(net.model(), "eliminate-no-ops");
  EXPECT_EQ(Statistic(report, "removed"), 4);
  EXPECT_EQ(Listing(net.graph()), "a = Tanh(x)\ny = Erf(a)\nreturn y\n");
}

TEST(NoOps, AGraphOutputKeepsNameAndType) {
  Net net;
  ir::Value* a = net.Op("Tanh", "a", {net.x});
  ir::Value* y = net.Op("Mul", "y", {a, net.Scalar(1)});
  const ir::Type* declared = net.model().Intern(ir::Type::Tensor(ElementType::kFloat32));
  net.rewriter().SetType(*y, declared);
  net.Output(y);
  EXPECT_TRUE(RunPass(net.model(), "eliminate-no-ops").changed);
  EXPECT_EQ(Listing(net.graph()), "y = Tanh(x)\nreturn y\n");
  EXPECT_EQ(net.graph().outputs()[0].value()->type_ref(), declared);
}

TEST(NoOps, AnInputIsNoOutput) {
  Net net;
  net.Output(net.Op("Mul", "y", {net.x, net.Scalar(1)}));
  const PassReport report = RunPass(net.model(), "eliminate-no-ops");
  EXPECT_FALSE(report.changed);
  EXPECT_TRUE(report.remarks.empty());
}

TEST(NoOps, AQuantisationPointStays) {
  Net net;
  ir::Value* v = net.One("MaxPool", {net.x}, {{"kernel_shape", Ints{1, 1}}});
  net.rewriter().SetAnnotation(v->producer()->inputs()[0], net.model().Intern("quantise"));
  net.Output(net.Op("Erf", "y", {v}));
  EXPECT_FALSE(RunPass(net.model(), "eliminate-no-ops").changed);
}

TEST(NoOps, AnAttributeOfAFunctionsCallIsNotKnown) {
  for (const bool reference : {false, true}) {
    GraphBuilder net;
    ir::Model& model = net.model();
    ir::Function& function = net.rewriter().AddFunction(model.Intern("own"), model.Intern("F"), {});
    net.rewriter().SetFunctionInterface(function, {model.Intern("k")}, {}, {{"", 18}});
    ir::Graph& body = function.body();
    ir::Value* x = net.Input(body, "fx", {2, 3});
    ir::Node* flat = net.Node(body, "Flatten", "ff", {x});
    if (reference) {
      ir::Attribute axis;
      axis.name = model.Intern("axis");
      axis.reference = model.Intern("k");
      axis.reference_kind = ir::AttributeKind::kInt;
      net.rewriter().AddAttribute(*flat, std::move(axis));
    }
    net.rewriter().AddGraphOutput(body, net.Node(body, "Erf", "fy", {flat->output()})->output());
    EXPECT_EQ(RunPass(model, "eliminate-no-ops").changed, !reference);
  }
}

TEST(NoOps, BodiesAreVisited) {
  Net net;
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  for (const char* name : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(name), false);
    ir::Value& inner = net.rewriter().Capture(body, *net.x);
    ir::Node* sum = net.Node(body, "Sum", std::string(name) + "s", {&inner});
    ir::Node* erf = net.Node(body, "Erf", std::string(name) + "e", {sum->output()});
    net.rewriter().AddGraphOutput(body, erf->output());
  }
  net.Output(branch->output());
  EXPECT_EQ(Statistic(RunPass(net.model(), "eliminate-no-ops"), "removed"), 2);
}

}  // namespace
}  // namespace lathe::passes
