// The code of docs/patterns.md: it compiles, and does what the page says.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/refusal_of.h"

namespace lathe::passes {
namespace {

constexpr NodeHandle kNorm{"norm"}, kConv{"conv"};
constexpr ValueHandle kX{"x"}, kWeight{"weight"}, kBias{"bias"}, kScale{"scale"};
constexpr ValuesHandle kOthers{"others"};
constexpr DimHandle kN{"N"}, kC{"C"};

TEST(PatternGuide, ConvNorm) {
  // clang-format off
const Pattern conv = Op("Conv", {Any(kX), Constant(kWeight), Optional(Constant(kBias))})
                         .Bind(kConv)
                         .OnlyConsumerIsMatch();
const Pattern conv_norm =
    Op("BatchNormalization", {conv, Constant(kScale), Constant(), Constant(), Constant()})
        .Bind(kNorm)
        .AttrOrAbsent("training_mode", 0);
  // clang-format on
  GraphBuilder net;
  ir::Value* s = net.Init("s", {2});
  ir::Node* node = net.Node("Conv", "c", {net.Input("x"), net.Init("w", {2, 2, 1, 1})});
  ir::Node* norm = net.Node("BatchNormalization", "n", {node->output(), s, s, s, s});
  EXPECT_EQ(RefusalOf(conv_norm, *norm), "matched");
  net.rewriter().SetAttribute(*norm, "training_mode", int64_t{1});
  EXPECT_EQ(RefusalOf(conv_norm, *norm), "node 'n': attribute 'training_mode' is 1, not 0");
}

TEST(PatternGuide, Scaled) {
  // clang-format off
const Pattern scaled = Op("Mul", {Any(kX).OfShape({kN, kC, AnyDim(), AnyDim()}),
                                  Constant(kScale).OfShape({1, kC, 1, 1})})
                           .AnyOrder();
  // clang-format on
  GraphBuilder net;
  ir::Value* x = net.Input("x", {4, 3, 5, 5});
  EXPECT_EQ(RefusalOf(scaled, *net.Node("Mul", "a", {net.Init("w", {1, 3, 1, 1}), x})), "matched");
  EXPECT_EQ(RefusalOf(scaled, *net.Node("Mul", "b", {x, net.Init("v", {1, 1, 1, 1})})),
            "node 'b': operand 1: dimension 1 is 1, not C = 3");
}

TEST(PatternGuide, Activation) {
  // clang-format off
const Pattern activation = OneOf({Op("Relu", {Any(kX)}), Op("Clip", {Any(kX), Rest()}),
                                  Op("Mul", {Op("Sigmoid", {Any(kX)}), Any(kX)}).AnyOrder()});
  // clang-format on
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* sigmoid = net.Op("Sigmoid", "s", {x});
  for (ir::Node* node : {net.Node("Relu", "r", {x}), net.Node("Clip", "c", {x, net.Init("w", {})}),
                         net.Node("Mul", "m", {x, sigmoid})}) {
    EXPECT_EQ(RefusalOf(activation, *node), "matched");
  }
  EXPECT_NE(RefusalOf(activation, *net.Node("Mul", "m", {x, x})), "matched");
}

TEST(PatternGuide, Sum) {
  // clang-format off
const Pattern sum_with_constant = Op("Sum", {Constant(kBias), Rest(kOthers)}).AnyOrder();
  // clang-format on
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  EXPECT_EQ(RefusalOf(sum_with_constant, *net.Node("Sum", "s", {x, net.Init("b", {1}), x})),
            "matched");
  EXPECT_EQ(RefusalOf(sum_with_constant, *net.Node("Sum", "t", {x, x})),
            "node 't': operand 0 is not constant");
}

TEST(PatternGuide, TwoHeads) {
  // clang-format off
const Pattern two_heads =
    Op("MatMul", {Any(kX), Constant()}).AlsoUser(kX, Op("MatMul", {Any(kX), Constant()}));
  // clang-format on
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  ir::Node* first = net.Node("MatMul", "a", {x, w});
  EXPECT_EQ(RefusalOf(two_heads, *first), "node 'a': no other node that reads x fits MatMul");
  net.Node("MatMul", "b", {x, w});
  EXPECT_EQ(RefusalOf(two_heads, *first), "matched");
}

std::string TextOf(const std::string& path) {
  std::ifstream file(std::string(LATHE_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(PatternGuide, ThePageHasThisCode) {
  const std::string page = TextOf("docs/patterns.md");
  const std::string source = TextOf("tests/passes/rewrite/guide_test.cpp");
  const std::string open = "```cpp\n";
  size_t blocks = 0;
  for (size_t at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
    at += open.size();
    const std::string code = page.substr(at, page.find("```\n", at) - at);
    EXPECT_NE(source.find(code), std::string::npos) << "copy it from here:\n" << code;
    ++blocks;
  }
  EXPECT_EQ(blocks, 6u);
}

}  // namespace
}  // namespace lathe::passes
