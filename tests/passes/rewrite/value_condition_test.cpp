// Conditions on values: element type, rank, shape with shared symbols, numbers of constants.
#include <limits>

#include <gtest/gtest.h>

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/support/half.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/refusal_of.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

constexpr DimHandle kN{"N"}, kC{"C"};
constexpr ValueHandle kX{"x"}, kY{"y"};

struct Net : GraphBuilder {
  ir::Value* Typed(const std::string& name, ir::Type type) {
    return &rewriter().AddGraphInput(graph(), model().Intern(name), model().Intern(type));
  }
  // Relu of the value.
  ir::Node& Of(ir::Value* value) { return *Node("Relu", "r", {value}); }
  ir::Node& OfConstant(ir::Tensor tensor) {
    return Of(&rewriter().CreateInitializer(graph(), "w", std::move(tensor)));
  }
};

Pattern ReluOf(Operand operand) { return Op("Relu", {std::move(operand)}); }

TEST(ValueCondition, ElementType) {
  Net net;
  ir::Node& floats = net.Of(net.Input("x"));
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfElementType(ElementType::kFloat32)), floats), "matched");
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfElementType(ElementType::kInt8)), floats),
            "node 'r': operand 0: element type is f32, not i8");
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfElementType({ElementType::kFloat16, ElementType::kBfloat16})),
                      floats),
            "node 'r': operand 0: element type is f32, not f16 or bf16");
  ir::Node& unknown = *net.Node("Relu", "u", {floats.output()});
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfElementType(ElementType::kInt8)), unknown),
            "node 'u': operand 0: element type is not known, i8 is asked for");
}

TEST(ValueCondition, AConstantKnowsItsTypeThroughIdentity) {
  Net net;
  ir::Value* same = net.Op("Identity", "same", {net.Init("w", {2, 3})});
  ir::Node& node = net.Of(same);
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfElementType(ElementType::kFloat32).OfRank(2)), node),
            "matched");
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfShape({2, 3})), node), "matched");
}

TEST(ValueCondition, Rank) {
  Net net;
  ir::Node& node = net.Of(net.Input("x", {1, 2, 3}));
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfRank(3)), node), "matched");
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfRank(4)), node), "node 'r': operand 0: rank is 3, not 4");
  ir::Node& unknown = *net.Node("Relu", "u", {node.output()});
  EXPECT_EQ(RefusalOf(ReluOf(Any().OfRank(4)), unknown),
            "node 'u': operand 0: rank is not known, 4 is asked for");
}

TEST(ValueCondition, ShapeBindsSymbolsOverTheWholeMatch) {
  Net net;
  ir::Value* x = net.Input("x", {4, 3, 5, 5});
  const Pattern scale =
      Op("Mul", {Any(kX).OfShape({kN, kC, AnyDim(), AnyDim()}), Any(kY).OfShape({kN, kC, 1, 1})});
  ir::Node* fits = net.Node("Mul", "fits", {x, net.Input("a", {4, 3, 1, 1})});
  std::optional<Match> match = FindMatch(scale, *fits);
  ASSERT_TRUE(match);
  EXPECT_EQ((*match)[kC].extent(), 3);
  EXPECT_EQ((*match)[kN].extent(), 4);
  EXPECT_FALSE((*match)[DimHandle{"other"}].is_known());
  EXPECT_EQ(RefusalOf(scale, *net.Node("Mul", "n", {x, net.Input("b", {4, 2, 1, 1})})),
            "node 'n': operand 1: dimension 1 is 2, not C = 3");
  EXPECT_EQ(RefusalOf(scale, *net.Node("Mul", "n", {x, net.Input("c", {4, 3, 1, 2})})),
            "node 'n1': operand 1: dimension 3 is 2, not 1");
  EXPECT_EQ(RefusalOf(scale, *net.Node("Mul", "n", {x, net.Input("d", {3, 1, 1})})),
            "node 'n2': operand 1: rank is 3, not 4");
  EXPECT_EQ(RefusalOf(scale, *net.Node("Mul", "n", {x, fits->output()})),
            "node 'n3': operand 1: shape is not known");
}

TEST(ValueCondition, NamedExtentsAreEqualByName) {
  Net net;
  const auto typed = [&](const std::string& name, std::vector<ir::Dim> dims) {
    return net.Typed(name, ir::Type::Tensor(ElementType::kFloat32, std::move(dims)));
  };
  ir::Value* x = typed("x", {ir::Dim::Symbol("batch"), ir::Dim::Known(3)});
  ir::Value* y = typed("y", {ir::Dim::Symbol("batch"), ir::Dim::Symbol("width")});
  ir::Value* z = typed("z", {ir::Dim::Symbol("other"), ir::Dim()});
  const Pattern same_batch =
      Op("Mul", {Any().OfShape({kN, AnyDim()}), Any().OfShape({kN, AnyDim()})});
  EXPECT_EQ(RefusalOf(same_batch, *net.Node("Mul", "a", {x, y})), "matched");
  EXPECT_EQ(RefusalOf(same_batch, *net.Node("Mul", "b", {x, z})),
            "node 'b': operand 1: dimension 0 is 'other', not N = 'batch'");
  const Pattern square = Op("Relu", {Any().OfShape({kN, kN})});
  EXPECT_EQ(RefusalOf(square, *net.Node("Relu", "c", {x})),
            "node 'c': operand 0: dimension 1 is 3, not N = 'batch'");
  EXPECT_EQ(RefusalOf(square, *net.Node("Relu", "d", {z})),
            "node 'd': operand 0: dimension 1 is not known");
}

TEST(ValueCondition, AnyPartOfTheMatchSharesSymbols) {
  Net net;
  ir::Node* inner = net.Node("Relu", "inner", {net.Input("x", {2, 3})});
  ir::Node* fits = net.Node("Add", "fits", {inner->output(), net.Input("y", {2, 3})});
  ir::Node* not_fits = net.Node("Add", "not", {inner->output(), net.Input("z", {3, 2})});
  const Pattern pattern =
      Op("Add", {Op("Relu", {Any().OfShape({kN, kC})}), Any().OfShape({kN, kC})});
  EXPECT_EQ(RefusalOf(pattern, *fits), "matched");
  EXPECT_EQ(RefusalOf(pattern, *not_fits), "node 'not': operand 1: dimension 0 is 3, not N = 2");
}

TEST(ValueCondition, ScalarEquals) {
  Net net;
  const Pattern two = ReluOf(Constant().ScalarEquals(2));
  EXPECT_EQ(RefusalOf(two, net.OfConstant(ir::Tensor::Scalar<float>(2))), "matched");
  EXPECT_EQ(RefusalOf(two, net.OfConstant(ir::Tensor::Of<int64_t>({1, 1}, {2}))), "matched");
  EXPECT_EQ(RefusalOf(two, net.OfConstant(ir::Tensor::Scalar<float>(3))),
            "node 'r2': operand 0: condition 'is the number 2' does not hold");
  EXPECT_EQ(RefusalOf(two, net.OfConstant(ir::Tensor::Of<float>({2}, {2, 2}))),
            "node 'r3': operand 0: condition 'is the number 2' does not hold");
  EXPECT_EQ(RefusalOf(two, *net.Node("Relu", "n", {net.Input("x")})),
            "node 'n': operand 0 is not constant");
}

TEST(ValueCondition, AllEqual) {
  Net net;
  const Pattern ones = ReluOf(Any().AllEqual(1));
  EXPECT_EQ(RefusalOf(ones, net.OfConstant(ir::Tensor::Of<float>({3}, {1, 1, 1}))), "matched");
  EXPECT_EQ(RefusalOf(ones, net.OfConstant(ir::Tensor::Of<float>({3}, {1, 1, 0}))),
            "node 'r1': operand 0: condition 'every element is 1' does not hold");
  EXPECT_EQ(RefusalOf(ones, net.OfConstant(ir::Tensor::Of<float>({0}, std::vector<float>()))),
            "node 'r2': operand 0: condition 'every element is 1' does not hold");
}

// True for a tensor with these raw elements.
template <typename Raw>
bool Fits(ElementType type, std::vector<Raw> elements, double number) {
  std::vector<std::byte> bytes(elements.size() * sizeof(Raw));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  Net net;
  ir::Node& node = net.OfConstant(
      *ir::Tensor::FromVector(type, {static_cast<int64_t>(elements.size())}, std::move(bytes)));
  return FindMatch(ReluOf(Any().AllEqual(number)), node).has_value();
}

TEST(ValueCondition, NumbersAreComparedInTheElementType) {
  EXPECT_TRUE(Fits<uint16_t>(ElementType::kFloat16, {FloatToHalf(0.5f)}, 0.5));
  EXPECT_FALSE(Fits<uint16_t>(ElementType::kFloat16, {FloatToHalf(0.1f)}, 0.1));
  EXPECT_TRUE(Fits<uint16_t>(ElementType::kBfloat16, {FloatToBfloat16(2)}, 2));
  EXPECT_TRUE(Fits<double>(ElementType::kFloat64, {0.1}, 0.1));
  EXPECT_FALSE(Fits<float>(ElementType::kFloat32, {0.1f}, 0.1));
  EXPECT_TRUE(Fits<float>(ElementType::kFloat32, {0.1f}, static_cast<double>(0.1f)));
  EXPECT_FALSE(Fits<float>(ElementType::kFloat32, {-0.0f}, 0));
  EXPECT_TRUE(Fits<float>(ElementType::kFloat32, {-0.0f}, -0.0));
  EXPECT_TRUE(Fits<int8_t>(ElementType::kInt8, {-128, -128}, -128));
  EXPECT_FALSE(Fits<int8_t>(ElementType::kInt8, {-128}, 128));
  EXPECT_TRUE(Fits<uint8_t>(ElementType::kUint8, {255}, 255));
  EXPECT_FALSE(Fits<uint8_t>(ElementType::kUint8, {255}, -1));
  EXPECT_TRUE(Fits<int16_t>(ElementType::kInt16, {7}, 7));
  EXPECT_TRUE(Fits<uint16_t>(ElementType::kUint16, {7}, 7));
  EXPECT_TRUE(Fits<int32_t>(ElementType::kInt32, {7}, 7));
  EXPECT_TRUE(Fits<uint32_t>(ElementType::kUint32, {7}, 7));
  EXPECT_FALSE(Fits<int32_t>(ElementType::kInt32, {0}, 0.5));
  EXPECT_TRUE(Fits<int64_t>(ElementType::kInt64, {std::numeric_limits<int64_t>::min()}, -0x1p63));
  EXPECT_FALSE(Fits<int64_t>(ElementType::kInt64, {std::numeric_limits<int64_t>::max()}, 0x1p63));
  EXPECT_TRUE(Fits<uint64_t>(ElementType::kUint64, {uint64_t{1} << 63}, 0x1p63));
  EXPECT_TRUE(Fits<uint8_t>(ElementType::kBool, {1}, 1));
  EXPECT_FALSE(Fits<uint8_t>(ElementType::kBool, {2}, 2));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(Fits<float>(ElementType::kFloat32, {0}, nan));
  EXPECT_FALSE(Fits<int32_t>(ElementType::kInt32, {0}, nan));
  EXPECT_FALSE(Fits<uint8_t>(ElementType::kFloat8E4M3FN, {0}, 0));
}

TEST(ValueCondition, EqualsInts) {
  Net net;
  const Pattern axes = ReluOf(Any().EqualsInts({0, -1}));
  EXPECT_EQ(RefusalOf(axes, net.OfConstant(ir::Tensor::Of<int64_t>({2}, {0, -1}))), "matched");
  EXPECT_EQ(RefusalOf(axes, net.OfConstant(ir::Tensor::Of<int32_t>({2, 1}, {0, -1}))), "matched");
  for (const ir::Tensor& other :
       {ir::Tensor::Of<int64_t>({2}, {0, 1}), ir::Tensor::Of<int64_t>({1}, {0}),
        ir::Tensor::Of<float>({2}, {0, -1})}) {
    ir::Node& node = net.OfConstant(other);
    EXPECT_EQ(RefusalOf(axes, node), "node '" + node.display_name() +
                                         "': operand 0: condition 'is [0, -1]' does not hold");
  }
}

TEST(ValueCondition, ConstantsHaveNamedConditions) {
  Net net;
  const Pattern pattern = ReluOf(Constant(kX).WhereConstant(
      "has two elements", [](const ir::Tensor& tensor) { return tensor.num_elements() == 2; }));
  EXPECT_EQ(RefusalOf(pattern, net.OfConstant(ir::Tensor::Of<float>({2}, {0, 1}))), "matched");
  EXPECT_EQ(RefusalOf(pattern, net.OfConstant(ir::Tensor::Scalar<float>(1))),
            "node 'r1': operand 0: condition 'has two elements' does not hold");
}

TEST(ValueCondition, TypesAreWorthARemark) {
  Net net;
  ir::Node& node = net.Of(net.Input("x"));
  for (const Operand& operand : {Any().OfElementType(ElementType::kInt8), Any().OfRank(1),
                                 Any().OfShape({1}), Any().OfShape({9, 9, 9, 9})}) {
    Refusal refusal;
    EXPECT_FALSE(FindMatch(ReluOf(operand), node, &refusal));
    EXPECT_TRUE(refusal.by_condition) << refusal.reason;
  }
}

}  // namespace
}  // namespace lathe::passes
