#include "lathe/passes/quant/fold_quantizers.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

PassReport Fold(GraphBuilder& net) { return RunPass(net.model(), "fold-quantizers"); }

ir::Value* Byte(GraphBuilder& net, const std::string& name, int8_t value) {
  return &net.rewriter().AddInitializer(net.graph(), net.model().Intern(name),
                                        ir::Tensor::Scalar(value));
}

// A zero point as exporters write it: of another type, and cast.
ir::Value* CastZero(GraphBuilder& net, const std::string& name) {
  return net.Op("Cast", name, {net.Init(name + ".raw", {}, 0)}, {{"to", int64_t{3}}});
}

TEST(FoldQuantizers, ParametersOfBothEndsBecomeConstants) {
  GraphBuilder net;
  ir::Value* scale = net.Op("Mul", "s", {net.Init("a", {}, 2), net.Init("b", {}, 3)});
  ir::Value* zero = CastZero(net, "z");
  ir::Value* low = net.Op("Neg", "low", {Byte(net, "seven", 7)});
  ir::Value* q = net.Op("QuantizeLinear", "q", {net.Input("x", {1, 2}), scale, zero});
  q = net.Op("Clip", "c", {q, low, nullptr});
  net.Output(net.Op("DequantizeLinear", "y", {q, scale, zero}));
  const PassReport report = Fold(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "folded"), 3);
  EXPECT_EQ(Listing(net.graph()),
            "q = QuantizeLinear(x, s, z)\nc = Clip(q, low, -)\ny = DequantizeLinear(c, s, z)\n"
            "return y\n");
  EXPECT_FALSE(Fold(net).changed);
}

TEST(FoldQuantizers, AWeightIsComputedUpToItsQuantizer) {
  GraphBuilder net;
  ir::Value* s = net.Init("s", {}, 2);
  ir::Value* w = net.Op("Mul", "w", {net.Init("a", {2, 2}, 2), net.Init("b", {}, 3)});
  ir::Value* q = net.Op("QuantizeLinear", "q", {w, s, CastZero(net, "z")});
  ir::Value* d = net.Op("DequantizeLinear", "d", {q, s, CastZero(net, "z2")});
  net.Output(net.Op("MatMul", "y", {net.Input("x", {1, 2}), d}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()),
            "q = QuantizeLinear(w, s, z)\nd = DequantizeLinear(q, s, z2)\ny = MatMul(x, d)\n"
            "return y\n");
}

TEST(FoldQuantizers, IntegersThatAreMovedBecomeAConstant) {
  GraphBuilder net;
  ir::Value* w = &net.rewriter().AddInitializer(net.graph(), net.model().Intern("w"),
                                                ir::Tensor::Of({1, 2}, std::vector<int8_t>{3, 4}));
  ir::Value* t = net.Op("Transpose", "t", {w});
  ir::Value* d = net.Op("DequantizeLinear", "d", {t, net.Init("s", {}, 2)});
  net.Output(net.Op("MatMul", "y", {net.Input("x", {1, 2}), d}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), "d = DequantizeLinear(t, s)\ny = MatMul(x, d)\nreturn y\n");
}

TEST(FoldQuantizers, WhatDependsOnInputsAndOtherClipsStay) {
  GraphBuilder net;
  ir::Value* x = net.Input("x", {1, 2});
  ir::Value* s = net.Op("ReduceMax", "s", {x}, {{"keepdims", int64_t{0}}});
  ir::Value* q = net.Op("QuantizeLinear", "q", {x, s});
  ir::Value* d = net.Op("DequantizeLinear", "d", {q, s});
  ir::Value* high = net.Op("Neg", "high", {net.Init("seven", {}, -7)});
  net.Output(net.Op("Clip", "y", {d, nullptr, high}));
  const std::string before = Listing(net.graph());
  EXPECT_FALSE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), before);
}

}  // namespace
}  // namespace lathe::passes
