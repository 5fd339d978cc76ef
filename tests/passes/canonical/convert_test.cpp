// convert-batch-norm and convert-matmul-add.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;

struct Net : GraphBuilder {
  ir::Value* Constant(const std::string& name, std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    return &rewriter().AddInitializer(graph(), model().Intern(name),
                                      ir::Tensor::Of({count}, values));
  }
  ir::Node* BatchNorm(ir::Value* x) {
    ir::Node* bn = Node("BatchNormalization", "y",
                        {x, Constant("gamma", {2, 3}), Constant("beta", {0.5f, -1}),
                         Constant("mean", {1, 2}), Constant("var", {4, 1})},
                        {{"epsilon", 0.0f}});
    Output(bn->output());
    return bn;
  }
  ir::Value* Matrix(const std::string& name, const std::string& rows, int64_t columns) {
    return &rewriter().AddGraphInput(
        graph(), model().Intern(name),
        model().Intern(ir::Type::Tensor(
            ir::ElementType::kFloat32, ir::Shape{ir::Dim::Symbol(rows), ir::Dim::Known(columns)})));
  }
};

std::vector<float> Floats(const ir::Value* value) {
  return *value->ConstantTensor().ValuesAsFloat();
}

void ExpectRefused(Net& net, const std::string& pass, const std::string& message) {
  const std::string before = Listing(net.graph());
  const PassReport report = RunPass(net.model(), pass);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(net.graph()), before);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, message);
}

TEST(ConvertBatchNorm, ScaleAndShift) {
  Net net;
  net.BatchNorm(net.Op("Relu", "r", {net.Input("x")}));
  RunPass(net.model(), "infer-shapes");
  EXPECT_TRUE(RunPass(net.model(), "convert-batch-norm").changed);
  EXPECT_EQ(Listing(net.graph()),
            "r = Relu(x)\ny.mul.output0 = Mul(r, y.scale)\n"
            "y = Add(y.mul.output0, y.shift)\nreturn y\n");
  const ir::Node& add = *net.graph().outputs()[0].value()->producer();
  EXPECT_TRUE(add.attributes().empty());
  EXPECT_THAT(Floats(add.input(0)->producer()->input(1)), ElementsAre(1, 3));
  EXPECT_THAT(Floats(add.input(1)), ElementsAre(-0.5f, -7));
  EXPECT_THAT(add.input(1)->ConstantTensor().dims(), ElementsAre(2, 1, 1));
  EXPECT_EQ(net.graph().initializers().size(), 2u);
}

TEST(ConvertBatchNorm, Refuses) {
  const std::string pass = "convert-batch-norm";
  Net conv;
  conv.BatchNorm(conv.Op("Conv", "c", {conv.Input("x"), conv.Init("w", {2, 2, 1, 1})}));
  ExpectRefused(conv, pass, "Conv feeds it");

  Net rank;
  rank.BatchNorm(rank.Op("Unknown", "r", {rank.Input("x")}));
  ExpectRefused(rank, pass, "the rank of its input is not known to be 2 or more");

  Net training;
  training.rewriter().SetAttribute(*training.BatchNorm(training.Input("x")), "training_mode",
                                   int64_t{1});
  ExpectRefused(training, pass, "it is in training mode");

  Net computed;
  computed.rewriter().SetInput(*computed.BatchNorm(computed.Input("x")), 3,
                               computed.Input("m", {2}));
  ExpectRefused(computed, pass, "a parameter is not a constant of floating point");

  Net variance;
  variance.rewriter().SetTensor(*variance.BatchNorm(variance.Input("x"))->input(4),
                                ir::Tensor::Of<float>({2}, std::vector<float>{-1, 1}));
  ExpectRefused(variance, pass, "scale or shift would not be finite");
}

// What becomes of a MatMul and `op` of its result and a bias; the result is the `first` operand.
const ir::Node& GemmOf(Net& net, const std::string& op, bool first) {
  ir::Value* product =
      net.Op("MatMul", "product", {net.Matrix("x", "n", 3), net.Init("w", {3, 4})});
  ir::Value* bias = net.Init("b", {4});
  net.Output(net.Op(
      op, "y",
      first ? std::vector<ir::Value*>{product, bias} : std::vector<ir::Value*>{bias, product}));
  EXPECT_TRUE(RunPass(net.model(), "convert-matmul-add").changed);
  EXPECT_EQ(Listing(net.graph()), "y = Gemm(x, w, b)\nreturn y\n");
  return *net.graph().first_node();
}

TEST(ConvertMatMulAdd, EitherOperandOfAdd) {
  for (const bool first : {true, false}) {
    Net net;
    const ir::Node& gemm = GemmOf(net, "Add", first);
    EXPECT_EQ(gemm.name_text(), "product");
    EXPECT_EQ(net.model().OriginNames(gemm.origin()).size(), 2u);
  }
}

TEST(ConvertMatMulAdd, EitherOperandOfSub) {
  for (const bool first : {true, false}) {
    Net net;
    const ir::Node& gemm = GemmOf(net, "Sub", first);
    EXPECT_EQ(gemm.FloatAttribute("alpha", 1.0f), first ? 1.0f : -1.0f);
    EXPECT_EQ(gemm.FloatAttribute("beta", 1.0f), first ? -1.0f : 1.0f);
  }
}

TEST(ConvertMatMulAdd, AComputedBiasOfTheSameSymbol) {
  Net net;
  ir::Value* product =
      net.Op("MatMul", "product", {net.Matrix("x", "n", 3), net.Init("w", {3, 4})});
  net.Output(net.Op("Add", "y", {product, net.Matrix("c", "n", 4)}));
  EXPECT_TRUE(RunPass(net.model(), "convert-matmul-add").changed);

  Net other;
  product = other.Op("MatMul", "product", {other.Matrix("x", "n", 3), other.Init("w", {3, 4})});
  other.Output(other.Op("Add", "y", {product, other.Matrix("c", "m", 4)}));
  ExpectRefused(other, "convert-matmul-add", "the bias is not known to leave the shape as it is");
}

TEST(ConvertMatMulAdd, Refuses) {
  const std::string pass = "convert-matmul-add";
  Net batches;
  ir::Value* product =
      batches.Op("MatMul", "product", {batches.Input("x", {2, 3, 3}), batches.Init("w", {3, 4})});
  batches.Output(batches.Op("Add", "y", {product, batches.Init("b", {4})}));
  ExpectRefused(batches, pass,
                "the operands of MatMul are not known to be matrices of floating point");

  Net grows;
  product = grows.Op("MatMul", "product", {grows.Matrix("x", "n", 3), grows.Init("w", {3, 4})});
  grows.Output(grows.Op("Add", "y", {product, grows.Init("b", {2, 1, 4})}));
  ExpectRefused(grows, pass, "the bias is no vector or matrix");

  Net shared;
  product = shared.Op("MatMul", "product", {shared.Matrix("x", "n", 3), shared.Init("w", {3, 4})});
  shared.Output(shared.Op("Add", "y", {product, shared.Init("b", {4})}));
  shared.Output(product);
  ExpectRefused(shared, pass, "the MatMul has other uses");
}

}  // namespace
}  // namespace lathe::passes
