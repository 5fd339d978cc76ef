// The network that benchmarks of models and passes run on: as long and as wide as asked for.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::benchmarks {

// `blocks` times Conv (3x3, channels to channels, no bias), BatchNormalization, Relu: 3 nodes, 5
// constants and about 36 * channels^2 bytes a block.
inline std::unique_ptr<ir::Model> MakeConvChain(int64_t blocks, int64_t channels) {
  auto model = std::make_unique<ir::Model>();
  ir::Rewriter rewriter(*model);
  rewriter.MutableInfo().opset_imports = {{"", 13}};
  ir::Graph& graph = model->graph();
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0.0f, 0.1f);
  const auto constant = [&](const std::string& name, std::vector<int64_t> dims, bool positive) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = positive ? 1.0f + std::abs(normal(random)) : normal(random);
    return &rewriter.AddInitializer(graph, model->Intern(name),
                                    ir::Tensor::Of(std::move(dims), values));
  };
  const auto node = [&](const std::string& op, const std::string& name,
                        std::vector<ir::Value*> inputs) -> ir::Node& {
    ir::NodeSpec spec;
    spec.op = op;
    spec.name = name;
    spec.inputs = std::move(inputs);
    ir::Node& made = rewriter.CreateNode(graph, nullptr, std::move(spec));
    rewriter.SetOrigin(made, model->OriginOf(made.name()));
    return made;
  };
  const ir::Type* image = model->Intern(
      ir::Type::Tensor(ir::ElementType::kFloat32, std::vector<int64_t>{1, channels, 32, 32}));
  ir::Value* value = &rewriter.AddGraphInput(graph, model->Intern("image"), image);
  for (int64_t i = 0; i < blocks; ++i) {
    const std::string number = std::to_string(i);
    ir::Value* weight = constant("weight" + number, {channels, channels, 3, 3}, false);
    ir::Node& conv = node("Conv", "conv" + number, {value, weight});
    rewriter.SetAttribute(conv, "pads", std::vector<int64_t>{1, 1, 1, 1});
    std::vector<ir::Value*> normalized = {conv.output()};
    for (const char* parameter : {"scale", "bias", "mean", "var"}) {
      normalized.push_back(constant(parameter + number, {channels}, *parameter == 'v'));
    }
    value = node("BatchNormalization", "norm" + number, std::move(normalized)).output();
    value = node("Relu", "relu" + number, {value}).output();
  }
  rewriter.AddGraphOutput(graph, value);
  rewriter.SetType(*value, image);
  return model;
}

}  // namespace lathe::benchmarks
