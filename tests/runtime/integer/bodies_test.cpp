// Quantised layers inside bodies of If, Loop and Scan: the same bytes as the slow evaluator gives
// for the layers written out one after the other.
#include <bit>

#include <gtest/gtest.h>

#include "generated.h"
#include "lathe/runtime/engine.h"

namespace lathe::test {
namespace {

constexpr int64_t kRows = 2;
constexpr int64_t kWidth = 6;
const std::vector<int64_t> kDims = {kRows, kWidth};

struct LayerData {
  explicit LayerData(uint32_t seed) {
    Generator make(seed);
    weights = make.Weights({kWidth, kWidth});
    x = make.Floats(kRows * kWidth);
    other = make.Floats(3 * kRows * kWidth);
  }
  ir::Tensor weights;
  std::vector<float> x;
  std::vector<float> other;
  ir::Tensor words = ir::Tensor::Of({1}, std::vector<uint64_t>{std::bit_cast<uint32_t>(0.0005f)});
};

ir::Value& Node(ir::Rewriter& rewriter, ir::Graph& graph, const std::string& op,
                const std::string& name, std::vector<ir::Value*> inputs,
                std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
  ir::NodeSpec spec;
  spec.op = op;
  spec.name = name;
  spec.inputs = std::move(inputs);
  spec.attributes = std::move(attributes);
  spec.outputs = {name + "_out"};
  return *rewriter.CreateNode(graph, nullptr, std::move(spec)).output();
}

// A quantised layer on x, with weights of its own unless they are given.
ir::Value& Layer(ir::Rewriter& rewriter, ir::Graph& graph, ir::Value& x, const std::string& name,
                 const LayerData& data, ir::Value* weights = nullptr) {
  ir::Value& q = Node(rewriter, graph, "AscendQuant", name + ".quant", {&x},
                      {{"scale", 40.0f}, {"offset", 3.0f}, {"dst_type", std::string("INT8")}});
  if (weights == nullptr) {
    weights = &rewriter.CreateInitializer(graph, name + ".w", data.weights);
  }
  ir::Value& sums = Node(rewriter, graph, "MatMul", name, {&q, weights});
  ir::Value& words = rewriter.CreateInitializer(graph, name + ".words", data.words);
  return Node(rewriter, graph, "AscendDequant", name + ".dequant", {&sums, &words},
              {{"dtype", int64_t{0}}});
}

// A node with bodies and so many results, which are the graph's.
ir::Node& Control(GraphBuilder& graph, const std::string& op, std::vector<ir::Value*> inputs,
                  size_t results,
                  std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
  ir::NodeSpec spec;
  spec.op = op;
  spec.name = "control";
  spec.inputs = std::move(inputs);
  spec.attributes = std::move(attributes);
  spec.outputs.clear();
  for (size_t i = 0; i < results; ++i) spec.outputs.push_back("result" + std::to_string(i));
  ir::Node& node = graph.rewriter.CreateNode(graph.model->graph(), nullptr, std::move(spec));
  for (ir::Value* output : node.outputs()) graph.Output(*output);
  return node;
}

ir::Graph& Body(GraphBuilder& graph, ir::Node& node, const std::string& attribute) {
  ir::Graph& body = graph.rewriter.AddBody(node, graph.model->Intern(attribute), false);
  graph.rewriter.SetGraphText(body, attribute, "", {});
  return body;
}

ir::Value& BodyInput(GraphBuilder& graph, ir::Graph& body, const std::string& name,
                     ir::ElementType type, std::vector<int64_t> dims) {
  return graph.rewriter.AddGraphInput(body, graph.model->Intern(name),
                                      graph.model->Intern(ir::Type::Tensor(type, std::move(dims))));
}

void ExpectResults(const GraphBuilder& graph, const std::vector<ir::Tensor>& inputs,
                   const std::vector<SlowValue>& expected) {
  for (const runtime::integer::Isa isa : runtime::integer::AvailableIsas()) {
    const auto engine = runtime::MakeEngine({.isa = isa, .note = {}});
    const auto compiled = engine->Compile(*graph.model, {});
    ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
    // Twice: nothing of a run is left for the next.
    for (int run = 0; run < 2; ++run) {
      const auto outputs = (*compiled)->Run(inputs);
      ASSERT_TRUE(outputs.ok()) << FormatError(outputs.status());
      ASSERT_EQ(outputs->size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        const auto dims = (*outputs)[i].dims();
        EXPECT_EQ(std::vector<int64_t>(dims.begin(), dims.end()), expected[i].dims);
        EXPECT_EQ(*(*outputs)[i].ValuesAsFloat(), expected[i].floats);
      }
    }
  }
}

ir::Tensor Bool(bool value) { return ir::Tensor::Scalar(value); }

TEST(IntegerBodies, EitherBranchOfAnIf) {
  const LayerData data(1);
  GraphBuilder graph;
  ir::Value& condition = graph.Input("condition", {}, ir::ElementType::kBool);
  ir::Value& x = graph.Input("x", kDims);
  ir::Value& weights = graph.Constant("w", data.weights);
  ir::Node& node = Control(graph, "If", {&condition}, 1);
  ir::Graph& then_body = Body(graph, node, "then_branch");
  ir::Graph& else_body = Body(graph, node, "else_branch");
  graph.rewriter.AddGraphOutput(
      then_body, &Layer(graph.rewriter, then_body, graph.rewriter.Capture(then_body, x), "layer",
                        data, &graph.rewriter.Capture(then_body, weights)));
  graph.rewriter.AddGraphOutput(else_body, &Node(graph.rewriter, else_body, "Relu", "relu",
                                                 {&graph.rewriter.Capture(else_body, x)}));
  GraphBuilder flat;
  ir::Value& flat_x = flat.Input("x", kDims);
  Layer(flat.rewriter, flat.model->graph(), flat_x, "layer", data);
  flat.Node("Relu", "relu", {&flat_x});
  const auto values = EvaluateSlowly(*flat.model, {{"x", {.dims = kDims, .floats = data.x}}});
  const ir::Tensor fed = ir::Tensor::Of(kDims, data.x);
  ExpectResults(graph, {Bool(true), fed}, {values.at("layer.dequant_out")});
  ExpectResults(graph, {Bool(false), fed}, {values.at("relu_out")});
}

TEST(IntegerBodies, LoopCarriesAndCollects) {
  const LayerData data(2);
  GraphBuilder graph;
  ir::Value& count = graph.Input("count", {}, ir::ElementType::kInt64);
  ir::Value& x = graph.Input("x", kDims);
  ir::Value& bias = graph.Input("bias", {kWidth});
  ir::Node& node = Control(graph, "Loop", {&count, nullptr, &x}, 2);
  ir::Graph& body = Body(graph, node, "body");
  BodyInput(graph, body, "i", ir::ElementType::kInt64, {});
  ir::Value& go_on = BodyInput(graph, body, "go_on", ir::ElementType::kBool, {});
  ir::Value& state = BodyInput(graph, body, "state", ir::ElementType::kFloat32, kDims);
  graph.rewriter.AddGraphOutput(body, &Node(graph.rewriter, body, "Identity", "still", {&go_on}));
  ir::Value& y = Layer(graph.rewriter, body, state, "layer", data);
  ir::Value& next =
      Node(graph.rewriter, body, "Add", "next", {&y, &graph.rewriter.Capture(body, bias)});
  graph.rewriter.AddGraphOutput(body, &next);
  graph.rewriter.AddGraphOutput(body, &y);

  const std::vector<float> bias_data(data.other.begin(), data.other.begin() + kWidth);
  GraphBuilder flat;
  ir::Value* value = &flat.Input("x", kDims);
  ir::Value& flat_bias = flat.Input("bias", {kWidth});
  for (int i = 0; i < 3; ++i) {
    const std::string name = "layer" + std::to_string(i);
    ir::Value& made = Layer(flat.rewriter, flat.model->graph(), *value, name, data);
    value = &flat.Node("Add", "next" + std::to_string(i), {&made, &flat_bias});
  }
  const auto values =
      EvaluateSlowly(*flat.model, {{"x", {.dims = kDims, .floats = data.x}},
                                   {"bias", {.dims = {kWidth}, .floats = bias_data}}});
  SlowValue collected{.dims = {3, kRows, kWidth}};
  for (int i = 0; i < 3; ++i) {
    const SlowValue& part = values.at("layer" + std::to_string(i) + ".dequant_out");
    collected.floats.insert(collected.floats.end(), part.floats.begin(), part.floats.end());
  }
  ExpectResults(graph,
                {ir::Tensor::Scalar(int64_t{3}), ir::Tensor::Of(kDims, data.x),
                 ir::Tensor::Of({kWidth}, bias_data)},
                {values.at("next2_out"), collected});
  ExpectResults(graph,
                {ir::Tensor::Scalar(int64_t{0}), ir::Tensor::Of(kDims, data.x),
                 ir::Tensor::Of({kWidth}, bias_data)},
                {{.dims = kDims, .floats = data.x}, {.dims = {0, kRows, kWidth}}});
}

TEST(IntegerBodies, ScanFromTheEnd) {
  const LayerData data(3);
  const std::vector<int64_t> sequence = {kRows, 3, kWidth};
  GraphBuilder graph;
  ir::Value& x = graph.Input("x", kDims);
  ir::Value& parts = graph.Input("parts", sequence);
  const std::vector<int64_t> one = {1};
  ir::Node& node = Control(graph, "Scan", {&x, &parts}, 2,
                           {{"num_scan_inputs", int64_t{1}},
                            {"scan_input_axes", one},
                            {"scan_input_directions", one},
                            {"scan_output_axes", one},
                            {"scan_output_directions", one}});
  ir::Graph& body = Body(graph, node, "body");
  ir::Value& state = BodyInput(graph, body, "state", ir::ElementType::kFloat32, kDims);
  ir::Value& part = BodyInput(graph, body, "part", ir::ElementType::kFloat32, kDims);
  ir::Value& y = Layer(graph.rewriter, body, state, "layer", data);
  graph.rewriter.AddGraphOutput(body, &Node(graph.rewriter, body, "Add", "next", {&y, &part}));
  graph.rewriter.AddGraphOutput(body, &y);

  GraphBuilder flat;
  ir::Value* value = &flat.Input("x", kDims);
  std::map<std::string, SlowValue> fed = {{"x", {.dims = kDims, .floats = data.x}}};
  for (int64_t i = 2; i >= 0; --i) {
    const std::string number = std::to_string(i);
    ir::Value& other = flat.Input("part" + number, kDims);
    SlowValue& slice = fed["part" + number];
    slice.dims = kDims;
    for (int64_t row = 0; row < kRows; ++row) {
      const auto first = data.other.begin() + (row * 3 + i) * kWidth;
      slice.floats.insert(slice.floats.end(), first, first + kWidth);
    }
    ir::Value& made = Layer(flat.rewriter, flat.model->graph(), *value, "layer" + number, data);
    value = &flat.Node("Add", "next" + number, {&made, &other});
  }
  const auto values = EvaluateSlowly(*flat.model, fed);
  SlowValue collected{.dims = sequence};
  for (size_t row = 0; row < kRows; ++row) {
    for (int i = 0; i < 3; ++i) {
      const SlowValue& made = values.at("layer" + std::to_string(i) + ".dequant_out");
      const auto first = made.floats.begin() + static_cast<int64_t>(row) * kWidth;
      collected.floats.insert(collected.floats.end(), first, first + kWidth);
    }
  }
  ExpectResults(graph, {ir::Tensor::Of(kDims, data.x), ir::Tensor::Of(sequence, data.other)},
                {values.at("next0_out"), collected});
}

TEST(IntegerBodies, WhatABodyCannotDoIsToldWithItsNode) {
  const LayerData data(4);
  GraphBuilder graph;
  ir::Value& condition = graph.Input("condition", {}, ir::ElementType::kBool);
  ir::Value& x = graph.Input("x", kDims);
  ir::Node& node = Control(graph, "If", {&condition}, 1);
  for (const char* branch : {"then_branch", "else_branch"}) {
    ir::Graph& body = Body(graph, node, branch);
    ir::Value& q =
        Node(graph.rewriter, body, "AscendQuant", "quant", {&graph.rewriter.Capture(body, x)},
             {{"scale", 40.0f}, {"offset", 0.5f}, {"dst_type", std::string("INT8")}});
    graph.rewriter.AddGraphOutput(body, &q);
  }
  const auto compiled = runtime::MakeEngine()->Compile(*graph.model, {});
  ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
  const std::vector<ir::Tensor> inputs = {Bool(true), ir::Tensor::Of(kDims, data.x)};
  const auto outputs = (*compiled)->Run(inputs);
  EXPECT_EQ(FormatError(outputs.status()),
            "node 'quant': the offset 0.5 is no integer from -128 to 127");
}

TEST(IntegerBodies, QuantisedValuesDoNotGoIntoBodies) {
  const LayerData data(5);
  GraphBuilder graph;
  ir::Value& condition = graph.Input("condition", {}, ir::ElementType::kBool);
  ir::Value& q =
      graph.Node("AscendQuant", "quant", {&graph.Input("x", kDims)},
                 {{"scale", 40.0f}, {"offset", 0.0f}, {"dst_type", std::string("INT8")}});
  ir::Node& node = Control(graph, "If", {&condition}, 1);
  for (const char* branch : {"then_branch", "else_branch"}) {
    ir::Graph& body = Body(graph, node, branch);
    ir::Value& y = Node(graph.rewriter, body, "AscendAntiQuant", std::string(branch) + "_anti",
                        {&graph.rewriter.Capture(body, q)}, {{"scale", 0.025f}, {"offset", 0.0f}});
    graph.rewriter.AddGraphOutput(body, &y);
  }
  const auto compiled = runtime::MakeEngine()->Compile(*graph.model, {});
  EXPECT_EQ(FormatError(compiled.status()),
            "node 'control': operator If takes 'quant_out', which is quantised long before: that "
            "is not executed");
}

}  // namespace
}  // namespace lathe::test
