// Reverse and bidirectional LSTM and GRU for the accelerator, whose operators run forward.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/pipelines/quantization.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

const std::string kNoError = FormatError(OkStatus());

using ::testing::Each;
using ::testing::ElementsAre;

struct Options {
  std::string op = "LSTM";
  std::string direction = "bidirectional";
  bool lengths = false;
  bool initial = true;
  // Of x; 0: free.
  int64_t batch = 1;
  // The results that somebody reads.
  std::vector<size_t> used = {0, 1, 2};
};

// Hidden size 2, called "rnn". Of the forward direction W is 0.5, R 0.25 and B 0.125; of the
// reverse one they are the double. One scale for each direction and gate, all of one direction
// equal.
struct Net : GraphBuilder {
  explicit Net(const Options& options)
      : gates(options.op == "LSTM" ? 4 : 3), both(options.direction == "bidirectional") {
    const int64_t directions = both ? 2 : 1;
    ir::Value* x = Input("x", {3, 1, 4});
    if (options.batch == 0) {
      ir::Type type = x->type();
      (*type.shape)[1] = ir::Dim::Symbol("N");
      rewriter().SetType(*x, model().Intern(std::move(type)));
    }
    std::vector<ir::Value*> inputs = {x, Doubling("w", {directions, 2 * gates, 4}, 0.5f),
                                      Doubling("r", {directions, 2 * gates, 2}, 0.25f),
                                      Doubling("b", {directions, 4 * gates}, 0.125f),
                                      options.lengths ? Input("lens", {1}) : nullptr};
    if (options.initial) {
      inputs.push_back(Input("h", {directions, 1, 2}));
      if (gates == 4) inputs.push_back(Input("c", {directions, 1, 2}));
    }
    ir::Node* node =
        Node(options.op, "rnn", inputs,
             {{"hidden_size", int64_t{2}}, {"direction", options.direction}}, gates == 4 ? 3 : 2);
    for (const size_t output : options.used) Output(node->output(output));
    quant::LayerRecord entry;
    entry.scale_d = 0.5f;
    entry.offset_d = 0;
    entry.scale_h = 0.25f;
    entry.offset_h = 0;
    entry.act_type = "INT8";
    entry.wts_type = "INT8";
    for (int64_t d = 0; d < directions; ++d) {
      for (int64_t gate = 0; gate < gates; ++gate) {
        entry.scale_w.push_back(d == 0 ? 0.25f : 0.125f);
        entry.scale_r.push_back(d == 0 ? 0.125f : 0.0625f);
      }
    }
    entry.offset_w.assign(entry.scale_w.size(), 0);
    entry.offset_r.assign(entry.scale_r.size(), 0);
    record.entries.push_back({.key = "rnn", .value = entry});
  }

  ir::Value* Doubling(const std::string& name, const std::vector<int64_t>& dims, float value) {
    const int64_t count = dims[1] * (dims.size() > 2 ? dims[2] : 1);
    std::vector<float> values(static_cast<size_t>(count), value);
    if (dims[0] == 2) values.insert(values.end(), static_cast<size_t>(count), 2 * value);
    return &rewriter().AddInitializer(graph(), model().Intern(name), ir::Tensor::Of(dims, values));
  }

  void Run(std::string_view pipeline) {
    Resources resources;
    resources.Provide(&record);
    for (const std::string_view each : {kLoweringPipeline, pipeline}) {
      ASSERT_EQ(
          FormatError(RunWith(model(), each, resources, {"calibrated", "ascend-lowered"}).status()),
          kNoError);
    }
  }

  const ir::Node& Find(std::string_view name) {
    for (const ir::Node& node : graph().nodes()) {
      if (node.name_text() == name) return node;
    }
    ADD_FAILURE() << "no node " << name;
    return *graph().first_node();
  }

  int64_t gates;
  bool both;
  quant::Record record;
};

std::vector<int64_t> Ints(const ir::Value* value) {
  return *value->ConstantTensor().Values<int64_t>();
}

// The dequantisation scales of the operator's parameter.
std::vector<float> Scales(const ir::Value* param) {
  std::vector<float> scales;
  const std::vector<uint64_t> words = *param->ConstantTensor().Values<uint64_t>();
  for (const uint64_t word : words) scales.push_back(quant::DecodeDequantWord(word).deq_scale);
  return scales;
}

TEST(RecurrentDirections, BothBecomeTwoForwardOperators) {
  Net net({});
  net.Run(kDeployPipeline);
  EXPECT_EQ(
      Listing(net.graph()),
      "rnn.forward.state5.output0 = Slice(h, rnn.forward.state5.first, rnn.forward.state5.end, "
      "rnn.forward.state5.axis)\n"
      "rnn.forward.state6.output0 = Slice(c, rnn.forward.state6.first, rnn.forward.state6.end, "
      "rnn.forward.state6.axis)\n"
      "rnn.forward.output0, rnn.forward.output1, rnn.forward.output2 = "
      "BasicLSTMInplaceFillWindowCache(x, w.forward, r.forward, rnn.forward.state5.output0, "
      "rnn.forward.state6.output0, b.forward, -, -, rnn.forward.dequant.param)\n"
      "rnn.reverse.steps.turned.output0 = Slice(x, rnn.reverse.steps.back, rnn.reverse.steps.end, "
      "rnn.reverse.steps.axis, rnn.reverse.steps.back)\n"
      "rnn.reverse.state5.output0 = Slice(h, rnn.reverse.state5.first, rnn.reverse.state5.end, "
      "rnn.reverse.state5.axis)\n"
      "rnn.reverse.state6.output0 = Slice(c, rnn.reverse.state6.first, rnn.reverse.state6.end, "
      "rnn.reverse.state6.axis)\n"
      "rnn.reverse.output0, rnn.reverse.output1, rnn.reverse.output2 = "
      "BasicLSTMInplaceFillWindowCache(rnn.reverse.steps.turned.output0, w.reverse, r.reverse, "
      "rnn.reverse.state5.output0, rnn.reverse.state6.output0, b.reverse, -, -, "
      "rnn.reverse.dequant.param)\n"
      "rnn.reverse.result.turned.output0 = Slice(rnn.reverse.output0, rnn.reverse.result.back, "
      "rnn.reverse.result.end, rnn.reverse.result.axis, rnn.reverse.result.back)\n"
      "rnn = Concat(rnn.forward.output0, rnn.reverse.result.turned.output0)\n"
      "rnn.output1 = Concat(rnn.forward.output1, rnn.reverse.output1)\n"
      "rnn.output2 = Concat(rnn.forward.output2, rnn.reverse.output2)\n"
      "return rnn, rnn.output1, rnn.output2\n");
  EXPECT_EQ(net.Find("rnn").IntAttribute("axis", 7), 1);
  EXPECT_EQ(net.Find("rnn.join1").IntAttribute("axis", 7), 0);
  const ir::Node& turned = net.Find("rnn.reverse.steps.turned");
  EXPECT_THAT(Ints(turned.input(1)), ElementsAre(-1));
  EXPECT_THAT(Ints(turned.input(2)), ElementsAre(std::numeric_limits<int64_t>::min()));
  EXPECT_THAT(Ints(turned.input(3)), ElementsAre(0));
  const ir::Node& state = net.Find("rnn.reverse.state5");
  EXPECT_THAT(Ints(state.input(1)), ElementsAre(1));
  EXPECT_THAT(Ints(state.input(2)), ElementsAre(2));
  for (const std::string name : {"rnn.forward", "rnn.reverse"}) {
    const ir::Node& node = net.Find(name);
    const bool forward = name == "rnn.forward";
    EXPECT_EQ(node.StringAttribute("direction", ""), "forward");
    EXPECT_EQ(node.IntAttribute("hidden_size", 0), 2);
    EXPECT_THAT(node.input(1)->tensor().dims(), ElementsAre(1, 8, 4));
    // 0.5 / 0.25, and 1 / 0.125.
    EXPECT_THAT(*node.input(1)->tensor().Values<int8_t>(), Each(forward ? 2 : 8));
    EXPECT_THAT(*node.input(2)->tensor().Values<int8_t>(), Each(forward ? 2 : 8));
    // 0.125 / (0.25 * 0.5) and 0.125 / (0.125 * 0.25); 0.25 / (0.125 * 0.5) and 0.25 / (0.0625 *
    // 0.25).
    EXPECT_THAT(node.input(5)->tensor().dims(), ElementsAre(1, 16));
    std::vector<int32_t> bias(8, forward ? 1 : 4);
    bias.insert(bias.end(), 8, forward ? 4 : 16);
    EXPECT_EQ(*node.input(5)->tensor().Values<int32_t>(), bias);
    EXPECT_THAT(Scales(node.input(8)),
                forward ? ElementsAre(0.125f, 0.125f, 0.125f, 0.125f, 0.03125f, 0.03125f, 0.03125f,
                                      0.03125f)
                        : ElementsAre(0.0625f, 0.0625f, 0.0625f, 0.0625f, 0.015625f, 0.015625f,
                                      0.015625f, 0.015625f));
  }
}

// sequence_lens: only the steps that there are, are turned around.
TEST(RecurrentDirections, ReverseWithLengths) {
  Net net({.op = "GRU", .direction = "reverse", .lengths = true, .used = {0, 1}});
  net.Run(kDeployPipeline);
  EXPECT_EQ(Listing(net.graph()),
            "rnn.reverse.lengths.output0 = Cast(lens)\n"
            "rnn.reverse.steps.turned.output0 = ReverseSequence(x, rnn.reverse.lengths.output0)\n"
            "rnn.reverse.output0, rnn.output1 = "
            "BasicGRUInplaceFillWindowCache(rnn.reverse.steps.turned.output0, w, r, h, b, lens, -, "
            "rnn.reverse.dequant.param)\n"
            "rnn.reverse.result.flat.output0 = Reshape(rnn.reverse.output0, "
            "rnn.reverse.result.flat.shape)\n"
            "rnn.reverse.result.turned.output0 = ReverseSequence(rnn.reverse.result.flat.output0, "
            "rnn.reverse.lengths.output0)\n"
            "rnn = Reshape(rnn.reverse.result.turned.output0, rnn.reverse.result.shape)\n"
            "return rnn, rnn.output1\n");
  const ir::Node& turned = net.Find("rnn.reverse.steps.turned");
  EXPECT_EQ(turned.IntAttribute("time_axis", 7), 0);
  EXPECT_EQ(turned.IntAttribute("batch_axis", 7), 1);
  EXPECT_EQ(net.Find("rnn.reverse.lengths").IntAttribute("to", 0), 7);
  EXPECT_THAT(Ints(net.Find("rnn.reverse.result.flat").input(1)), ElementsAre(0, -1, 2));
  EXPECT_THAT(Ints(net.Find("rnn").input(1)), ElementsAre(0, 1, -1, 2));
  // What ONNX means where it says nothing.
  EXPECT_EQ(net.Find("rnn.reverse").IntAttribute("linear_before_reset", 7), 0);
}

TEST(RecurrentDirections, ResultsThatNobodyReadsAreNotMade) {
  Net net({.op = "GRU", .direction = "reverse", .used = {1}});
  net.Run(kDeployPipeline);
  EXPECT_EQ(Listing(net.graph()),
            "rnn.reverse.steps.turned.output0 = Slice(x, rnn.reverse.steps.back, "
            "rnn.reverse.steps.end, rnn.reverse.steps.axis, rnn.reverse.steps.back)\n"
            "rnn.reverse.output0, rnn.output1 = "
            "BasicGRUInplaceFillWindowCache(rnn.reverse.steps.turned.output0, w, r, h, b, -, -, "
            "rnn.reverse.dequant.param)\n"
            "return rnn.output1\n");
}

TEST(RecurrentDirections, StatesThatAreLeftOutAreZeros) {
  Net net({.direction = "forward", .initial = false});
  net.Run(kDeployPipeline);
  const ir::Node& node = net.Find("rnn");
  EXPECT_EQ(Listing(net.graph()),
            "rnn, rnn.output1, rnn.output2 = BasicLSTMInplaceFillWindowCache(x, w, r, "
            "rnn.initial_h, rnn.initial_c, b, -, -, rnn.dequant.param)\n"
            "return rnn, rnn.output1, rnn.output2\n");
  for (const size_t place : {3, 4}) {
    EXPECT_THAT(node.input(place)->tensor().dims(), ElementsAre(1, 1, 2));
    EXPECT_THAT(*node.input(place)->tensor().Values<float>(), Each(0.0f));
  }
}

TEST(RecurrentDirections, ZerosOfAFreeBatch) {
  Net net({.op = "GRU", .direction = "forward", .initial = false, .batch = 0, .used = {0, 1}});
  net.Run(kDeployPipeline);
  EXPECT_EQ(
      Listing(net.graph()),
      "rnn.initial_h.sizes.output0 = Shape(x)\n"
      "rnn.initial_h.batch.output0 = Gather(rnn.initial_h.sizes.output0, rnn.initial_h.axis)\n"
      "rnn.initial_h.dims.output0 = Concat(rnn.initial_h.one, rnn.initial_h.batch.output0, "
      "rnn.initial_h.hidden)\n"
      "rnn.initial_h.output0 = ConstantOfShape(rnn.initial_h.dims.output0)\n"
      "rnn, rnn.output1 = BasicGRUInplaceFillWindowCache(x, w, r, rnn.initial_h.output0, b, "
      "-, -, rnn.dequant.param)\n"
      "return rnn, rnn.output1\n");
}

TEST(RecurrentDirections, TheSimulationKeepsItsDirection) {
  Net net({.initial = false});
  net.Run(kFakeQuantPipeline);
  const ir::Node& node = net.Find("rnn");
  EXPECT_EQ(node.StringAttribute("direction", ""), "bidirectional");
  EXPECT_EQ(node.input(0)->name_text(), "rnn.anti_quant.fake_antiquant.mul.output0");
  EXPECT_EQ(node.input(5), nullptr);
  const std::vector<float> w = *node.input(1)->tensor().Values<float>();
  EXPECT_THAT(std::vector<float>(w.begin(), w.begin() + 32), Each(0.5f));
  EXPECT_THAT(std::vector<float>(w.begin() + 32, w.end()), Each(1.0f));
  const std::vector<float> bias = *node.input(3)->tensor().Values<float>();
  EXPECT_THAT(std::vector<float>(bias.begin(), bias.begin() + 16), Each(0.125f));
  EXPECT_THAT(std::vector<float>(bias.begin() + 16, bias.end()), Each(0.25f));
}

}  // namespace
}  // namespace lathe::passes
