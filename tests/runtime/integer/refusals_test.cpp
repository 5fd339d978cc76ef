// What integer regions do not execute, and what does not fit, is refused by name.
#include <gtest/gtest.h>

#include "../graphs.h"
#include "lathe/runtime/engine.h"

namespace lathe::runtime {
namespace {

using test::GraphBuilder;

std::string CompileError(const GraphBuilder& graph) {
  const auto compiled = MakeEngine()->Compile(*graph.model, {});
  return compiled.ok() ? "compiled" : FormatError(compiled.status());
}

ir::Value& Quant(GraphBuilder& graph, ir::Value& x, float offset = 0.0f,
                 const std::string& type = "INT8") {
  return graph.Node("AscendQuant", "q", {&x},
                    {{"scale", 10.0f}, {"offset", offset}, {"dst_type", type}});
}

ir::Value& Dequant(GraphBuilder& graph, ir::Value& x, std::vector<uint64_t> words) {
  const auto count = static_cast<int64_t>(words.size());
  return graph.Node("AscendDequant", "d",
                    {&x, &graph.Constant("param", ir::Tensor::Of({count}, words))},
                    {{"dtype", int64_t{0}}});
}

constexpr uint64_t kOne = 0x3f800000;

ir::Value& Weights(GraphBuilder& graph, const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return graph.Constant("w",
                        ir::Tensor::Of(dims, std::vector<int8_t>(static_cast<size_t>(count), 1)));
}

TEST(IntegerRefusals, OffsetThatIsNoInteger) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}), 0.5f);
  ir::Value& y = graph.Node("MatMul", "m", {&q, &Weights(graph, {3, 4})});
  graph.Output(Dequant(graph, y, {kOne}));
  EXPECT_EQ(CompileError(graph), "node 'q': the offset 0.5 is no integer from -128 to 127");
}

TEST(IntegerRefusals, UnknownType) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}), 0.0f, "INT9");
  ir::Value& y = graph.Node("MatMul", "m", {&q, &Weights(graph, {3, 4})});
  graph.Output(Dequant(graph, y, {kOne}));
  EXPECT_EQ(CompileError(graph), "node 'q': dst_type 'INT9' is none of INT4, INT8, INT16");
}

TEST(IntegerRefusals, WordsThatDoNotFit) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}));
  ir::Value& y = graph.Node("MatMul", "m", {&q, &Weights(graph, {3, 4})});
  graph.Output(Dequant(graph, y, {kOne, kOne}));
  EXPECT_EQ(CompileError(graph), "node 'd': the parameter has 2 words for 4 channels");
}

TEST(IntegerRefusals, ScaleThatIsNotFinite) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}));
  ir::Value& y = graph.Node("MatMul", "m", {&q, &Weights(graph, {3, 4})});
  graph.Output(Dequant(graph, y, {0x7f800000}));
  EXPECT_EQ(CompileError(graph), "node 'd': the parameter of channel 0 has scale inf and shift 0");
}

TEST(IntegerRefusals, OperatorOnQuantisedValues) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}));
  graph.Output(graph.Node("Sigmoid", "s", {&q}));
  EXPECT_EQ(CompileError(graph), "node 's': operator Sigmoid on quantised values is not executed");
}

TEST(IntegerRefusals, SumsThatAreNotBroughtBack) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 3}));
  ir::Value& y = graph.Node("MatMul", "m", {&q, &Weights(graph, {3, 4})});
  graph.Output(graph.Node("Relu", "r", {&y}), ir::ElementType::kInt32);
  EXPECT_EQ(CompileError(graph),
            "node 'r': operator Relu on the sums of a quantised layer is not executed");
}

TEST(IntegerRefusals, WeightForOtherChannels) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {2, 5, 4, 4}));
  ir::Value& y = graph.Node("Conv", "c", {&q, &Weights(graph, {4, 3, 1, 1})});
  graph.Output(Dequant(graph, y, {kOne}));
  EXPECT_EQ(CompileError(graph),
            "node 'c': the weight [4,3,1,1] is for 3 input channels, the input has 5");
}

TEST(IntegerRefusals, FloatBehindDequant) {
  GraphBuilder graph;
  graph.Output(Dequant(graph, graph.Input("x", {2, 3}), {kOne}));
  EXPECT_EQ(CompileError(graph),
            "node 'd': operator AscendDequant takes the sums of a quantised layer, 'x' is "
            "something else");
}

TEST(IntegerRefusals, WindowThatDoesNotFit) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {1, 1, 2, 2}));
  ir::Value& y = graph.Node("Conv", "c", {&q, &Weights(graph, {1, 1, 5, 1})});
  graph.Output(Dequant(graph, y, {kOne}));
  EXPECT_NE(CompileError(graph).find("node 'c': the window does not fit: axis 2 of [1,1,2,2] with "
                                     "kernel 5, pads 0 and 0"),
            std::string::npos)
      << CompileError(graph);
}

TEST(IntegerRefusals, OperandThatRecurrentLayersDoNotHave) {
  GraphBuilder graph;
  ir::Value& x = graph.Input("x", {2, 1, 3});
  ir::Value& peepholes =
      graph.Constant("p", ir::Tensor::Of({1, 3}, std::vector<float>{1.0f, 2.0f, 3.0f}));
  graph.Output(graph.Node("BasicGRUInplaceFillWindowCache", "g",
                          {&x, &Weights(graph, {1, 3, 3}), &Weights(graph, {1, 3, 1}), nullptr,
                           nullptr, nullptr, &peepholes, nullptr},
                          {{"quant_scale_x", 1.0f}, {"quant_scale_h", 1.0f}}));
  EXPECT_EQ(CompileError(graph), "node 'g': operand 6 ('p') is not executed");
}

TEST(IntegerNotes, SumsBeyond32BitsAreTold) {
  GraphBuilder graph;
  ir::Value& q = Quant(graph, graph.Input("x", {1, 600}), 0.0f, "INT16");
  const std::vector<int8_t> weights(600, -128);
  ir::Value& y =
      graph.Node("MatMul", "m", {&q, &graph.Constant("w", ir::Tensor::Of({600, 1}, weights))});
  graph.Output(Dequant(graph, y, {kOne}));
  std::vector<std::string> notes;
  const auto engine =
      MakeEngine({.isa = {}, .note = [&](const std::string& note) { notes.push_back(note); }});
  const auto compiled = engine->Compile(*graph.model, {});
  ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0], "layer 'm': sums may reach 2516582400, so they are added up in 64 bits");
  // -32768 * 600 * -128 is clipped to int32.
  const auto outputs = (*compiled)->Run(
      std::vector<ir::Tensor>{ir::Tensor::Of({1, 600}, std::vector<float>(600, -1e9f))});
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*(*outputs)[0].ValuesAsFloat())[0], 2147483648.0f);
}

}  // namespace
}  // namespace lathe::runtime
