#include <gtest/gtest.h>

#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

class PoolReduceNoOps : public testing::TestWithParam<NoOpCase> {};

TEST_P(PoolReduceNoOps, GoOrStay) { GoesOrStays(GetParam()); }

constexpr NoOpCase kPool[] = {
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

constexpr NoOpCase kReduce[] = {
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

constexpr NoOpCase kVariadic[] = {
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

constexpr NoOpCase kRepetition[] = {
    {"NegOfNeg", "eliminate-nop-repetition", true,
     [](Net& net) { return net.One("Neg", {net.Op("Neg", "a", {net.x})}); }},
    {"NotOfNot", "eliminate-nop-repetition", true,
     [](Net& net) {
       return net.One("Not", {net.Op("Not", "a", {net.Typed(ElementType::kBool, "p")})});
     }},
    {"NegOfAbs", "eliminate-nop-repetition", false,
     [](Net& net) { return net.One("Neg", {net.Op("Abs", "a", {net.x})}); }},
};

INSTANTIATE_TEST_SUITE_P(Pool, PoolReduceNoOps, testing::ValuesIn(kPool), NameOf);
INSTANTIATE_TEST_SUITE_P(Reduce, PoolReduceNoOps, testing::ValuesIn(kReduce), NameOf);
INSTANTIATE_TEST_SUITE_P(Variadic, PoolReduceNoOps, testing::ValuesIn(kVariadic), NameOf);
INSTANTIATE_TEST_SUITE_P(Repetition, PoolReduceNoOps, testing::ValuesIn(kRepetition), NameOf);

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

}  // namespace
}  // namespace lathe::passes
