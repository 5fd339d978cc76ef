#include "lathe/flows/torch_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::flows {
namespace {

TEST(ModulePath, NamesOfTheExporterBecomePathsOfModules) {
  EXPECT_EQ(ModulePath("layer1.0.conv1"), "layer1.0.conv1");
  EXPECT_EQ(ModulePath("/d1/d1.2/PRelu"), "d1.2");
  EXPECT_EQ(ModulePath("/layer2/down/down.0/Conv"), "layer2.down.0");
  EXPECT_EQ(ModulePath("/layer2/layer2.0/down/down.1/BatchNormalization"), "layer2.0.down.1");
  EXPECT_EQ(ModulePath("/act/sub_module/Clip"), "act");
  // "down" is no parent of "downs.0".
  EXPECT_EQ(ModulePath("/down/downs.0/Conv_1"), "down.downs.0");
  EXPECT_EQ(ModulePath("/MatMul"), "");
}

TEST(GateBlocks, TorchsGatesInOnnxOrder) {
  // i, f, g, o and r, z, n.
  EXPECT_EQ(InGateOrder(std::vector<float>{1, 2, 3, 4}, GateBlocks(ParameterLayout::kLstmGates)),
            (std::vector<float>{1, 4, 2, 3}));
  EXPECT_EQ(
      InGateOrder(std::vector<float>{1, 1, 2, 2, 3, 3}, GateBlocks(ParameterLayout::kGruGates)),
      (std::vector<float>{2, 2, 1, 1, 3, 3}));
  EXPECT_TRUE(GateBlocks(ParameterLayout::kSame).empty());
}

// As PyTorch stores equal values once.
TEST(FindTorchParameters, LookThroughIdentity) {
  passes::GraphBuilder net;
  ir::Value* shared = net.Init("norm.bias", {2});
  ir::Value* gamma = net.Init("norm.weight", {2});
  ir::Value* mean = net.Op("Identity", "same", {shared});
  ir::Value* variance = net.Op("Identity", "same_too", {gamma});
  ir::Value* norm =
      net.Op("BatchNormalization", "norm", {net.Input("x"), gamma, shared, mean, variance});
  net.Output(net.Op("Mul", "scaled", {norm, net.Op("Identity", "copy", {shared})}));
  const std::vector<TorchParameter> found = FindTorchParameters(net.model(), {});
  std::vector<std::string> keys;
  for (const TorchParameter& parameter : found) {
    EXPECT_FALSE(parameter.node->Is("Identity"));
    keys.push_back(parameter.keys.front().name);
  }
  EXPECT_THAT(keys, testing::ElementsAre("norm.weight", "norm.bias", "norm.running_mean",
                                         "norm.running_var", "copy"));
}

}  // namespace
}  // namespace lathe::flows
