#include <limits>

#include <gtest/gtest.h>

#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class ArithmeticNoOps : public testing::TestWithParam<NoOpCase> {};

TEST_P(ArithmeticNoOps, GoOrStay) { GoesOrStays(GetParam()); }

constexpr NoOpCase kCast[] = {
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

constexpr NoOpCase kArithmetic[] = {
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

constexpr NoOpCase kNeutral[] = {
    {"MaxOfTheLowest", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Max", {net.x, net.Scalar(-kInfinity)});
     }},
    {"MaxOfTheLowestFloat", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Max", {net.x, net.Scalar(std::numeric_limits<float>::lowest())});
     }},
    {"MinOfTheHighest", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("Min", {net.Scalar(kInfinity), net.x});
     }},
    {"MinOfTheLowest", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("Min", {net.Scalar(-kInfinity), net.x});
     }},
    {"BitsAndThemselves", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       ir::Value* bits = net.Typed(ElementType::kInt32, "i");
       return net.One("BitwiseAnd", {bits, bits});
     }},
    {"BitsExclusiveOrThemselves", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       ir::Value* bits = net.Typed(ElementType::kInt32, "i");
       return net.One("BitwiseXor", {bits, bits});
     }},
    {"LeaksAll", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("LeakyRelu", {net.x}, {{"alpha", 1.0f}});
     }},
    {"LeaksByDefault", "eliminate-nop-arithmetic", false,
     [](Net& net) { return net.One("LeakyRelu", {net.x}); }},
    {"SlopesOfOne", "eliminate-nop-arithmetic", true,
     [](Net& net) {
       return net.One("PRelu", {net.x, net.Floats({1, 1, 1, 1, 1})});
     }},
    {"SlopesOfAlmostOne", "eliminate-nop-arithmetic", false,
     [](Net& net) {
       return net.One("PRelu", {net.x, net.Floats({1, 1, 1, 1, 0.5})});
     }},
};

constexpr NoOpCase kLogic[] = {
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

INSTANTIATE_TEST_SUITE_P(Cast, ArithmeticNoOps, testing::ValuesIn(kCast), NameOf);
INSTANTIATE_TEST_SUITE_P(Arithmetic, ArithmeticNoOps, testing::ValuesIn(kArithmetic), NameOf);
INSTANTIATE_TEST_SUITE_P(Neutral, ArithmeticNoOps, testing::ValuesIn(kNeutral), NameOf);
INSTANTIATE_TEST_SUITE_P(Logic, ArithmeticNoOps, testing::ValuesIn(kLogic), NameOf);

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

}  // namespace
}  // namespace lathe::passes
