// Lowering of LSTM and GRU: the accelerator's operators, and the simulation on rounded values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"
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
  bool lstm = true;
  bool bias = true;
  bool sequence_lens = false;
};

// One step of input size 4 and hidden size 2, called "rnn"; all of W 0.5, of R 0.25, of B 0.125.
struct Net : GraphBuilder {
  explicit Net(const Options& options = {}) : gates(options.lstm ? 4 : 3) {
    std::vector<ir::Value*> inputs = {Input("x", {3, 1, 4}),
                                      Init("w", {1, 2 * gates, 4}, 0.5f),
                                      Init("r", {1, 2 * gates, 2}, 0.25f),
                                      options.bias ? Init("b", {1, 4 * gates}, 0.125f) : nullptr,
                                      options.sequence_lens ? Input("lens", {1}) : nullptr,
                                      Input("h", {1, 1, 2})};
    if (options.lstm) inputs.push_back(Input("c", {1, 1, 2}));
    ir::Node* node = Node(options.lstm ? "LSTM" : "GRU", "rnn", inputs,
                          {{"hidden_size", int64_t{2}}}, options.lstm ? 3 : 2);
    if (!options.lstm) rewriter().SetAttribute(*node, "linear_before_reset", int64_t{1});
    for (ir::Value* output : node->outputs()) Output(output);
    quant::LayerRecord entry;
    entry.scale_d = 0.5f;
    entry.offset_d = -3;
    entry.scale_h = 0.25f;
    entry.offset_h = 5;
    entry.act_type = "INT8";
    entry.wts_type = "INT8";
    record.entries.push_back({.key = "rnn", .value = entry});
    Scales(static_cast<size_t>(gates), 0.125f, 0.0625f);
  }
  quant::LayerRecord& Entry() { return *record.entries.front().value; }
  // The first scale of W is `w`, the first of R is `r`; every further one is twice the first.
  void Scales(size_t count, float w, float r) {
    Entry().scale_w.assign(count, 2 * w);
    Entry().scale_r.assign(count, 2 * r);
    Entry().scale_w[0] = w;
    Entry().scale_r[0] = r;
    Entry().offset_w.assign(count, 0);
    Entry().offset_r.assign(count, 0);
  }
  Status Run(std::string_view pipeline) {
    Resources resources;
    resources.Provide(&record);
    return RunWith(model(), pipeline, resources, {"calibrated", "ascend-lowered"}).status();
  }
  const ir::Node* Find(std::string_view name) {
    for (const ir::Node& node : graph().nodes()) {
      if (node.name_text() == name) return &node;
    }
    return nullptr;
  }

  int64_t gates;
  quant::Record record;
};

std::vector<std::string> InputNames(const ir::Node& node) {
  std::vector<std::string> names;
  for (const ir::Use& use : node.inputs()) {
    names.emplace_back(use.value() == nullptr ? "-" : use.value()->name_text());
  }
  return names;
}

// The dequantisation scales of the operator's parameter.
std::vector<float> Scales(const ir::Value& param) {
  std::vector<float> scales;
  const std::vector<uint64_t> words = *param.tensor().Values<uint64_t>();
  for (const uint64_t word : words) {
    EXPECT_EQ(word >> 32, 0u);
    scales.push_back(quant::DecodeDequantWord(word).deq_scale);
  }
  return scales;
}

TEST(Recurrent, LstmForTheAccelerator) {
  Net net({.sequence_lens = true});
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  const ir::Node& node = *net.Find("rnn");
  EXPECT_EQ(node.op_text(), "BasicLSTMInplaceFillWindowCache");
  EXPECT_EQ(net.graph().first_node(), &node);
  EXPECT_EQ(node.next(), nullptr);
  EXPECT_THAT(InputNames(node),
              ElementsAre("x", "w", "r", "h", "c", "b", "lens", "-", "rnn.dequant.param"));
  // W is 0.5: 4 steps of 0.125 for the first gate, 2 of 0.25 for the others.
  EXPECT_THAT(*node.input(1)->tensor().Values<int8_t>(),
              ElementsAre(4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                          2, 2, 2, 2, 2, 2, 2));
  EXPECT_THAT(*node.input(2)->tensor().Values<int8_t>(),
              ElementsAre(4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2));
  // 0.125 / (0.125 * 0.5) = 2, then half of it; 0.125 / (0.0625 * 0.25) = 8, then half of it.
  EXPECT_THAT(*node.input(5)->tensor().Values<int32_t>(),
              ElementsAre(2, 2, 1, 1, 1, 1, 1, 1, 8, 8, 4, 4, 4, 4, 4, 4));
  EXPECT_THAT(Scales(*node.input(8)), ElementsAre(0.0625f, 0.125f, 0.125f, 0.125f, 0.015625f,
                                                  0.03125f, 0.03125f, 0.03125f));
  EXPECT_EQ(node.IntAttribute("hidden_size", 0), 2);
  EXPECT_EQ(node.IntAttribute("quant_dtype", 0), 2);
  EXPECT_EQ(node.IntAttribute("quant_sqrt_mode_x", 7), 0);
  EXPECT_EQ(node.IntAttribute("quant_sqrt_mode_h", 7), 0);
  EXPECT_EQ(node.FloatAttribute("quant_scale_x", 0), 2);
  EXPECT_EQ(node.FloatAttribute("quant_offset_x", 0), -3);
  EXPECT_EQ(node.FloatAttribute("quant_scale_h", 0), 4);
  EXPECT_EQ(node.FloatAttribute("quant_offset_h", 0), 5);
  EXPECT_EQ(node.FloatAttribute("clip", 0), -1);
  EXPECT_EQ(node.StringAttribute("direction", ""), "forward");
  EXPECT_EQ(node.IntAttribute("input_forget", 7), 0);
  for (const std::string_view name : {"activation_alpha", "activation_beta", "activations"}) {
    EXPECT_NE(node.FindAttribute(name), nullptr) << name;
  }
  EXPECT_EQ(node.FindAttribute("linear_before_reset"), nullptr);
  EXPECT_EQ(node.FindAttribute("op_data_type"), nullptr);
}

TEST(Recurrent, GruForTheAccelerator) {
  Net net({.lstm = false});
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  const ir::Node& node = *net.Find("rnn");
  EXPECT_EQ(node.op_text(), "BasicGRUInplaceFillWindowCache");
  EXPECT_THAT(InputNames(node),
              ElementsAre("x", "w", "r", "h", "b", "-", "-", "rnn.dequant.param"));
  EXPECT_THAT(*node.input(4)->tensor().Values<int32_t>(),
              ElementsAre(2, 2, 1, 1, 1, 1, 8, 8, 4, 4, 4, 4));
  EXPECT_EQ(node.IntAttribute("linear_before_reset", 0), 1);
  EXPECT_EQ(node.FindAttribute("input_forget"), nullptr);
}

TEST(Recurrent, WithoutBiasAndWithAScaleAChannel) {
  Net net({.bias = false});
  net.Scales(8, 0.125f, 0.0625f);
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  const ir::Node& node = *net.Find("rnn");
  EXPECT_THAT(InputNames(node),
              ElementsAre("x", "w", "r", "h", "c", "-", "-", "-", "rnn.dequant.param"));
  EXPECT_EQ(Scales(*node.input(8)).size(), 16u);
  EXPECT_THAT(*node.input(2)->tensor().Values<int8_t>(),
              ElementsAre(4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2));
}

TEST(Recurrent, SixteenBitActivations) {
  Net net;
  net.Entry().act_type = "INT16";
  net.Entry().offset_h = 1000;
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  const std::unique_ptr<ir::Model> simulated = net.model().Clone();
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  EXPECT_EQ(net.Find("rnn")->IntAttribute("quant_dtype", 0), 6);
  EXPECT_EQ(net.Find("rnn")->FloatAttribute("quant_offset_h", 0), 1000);
}

TEST(Recurrent, FourBitActivationsAreRefused) {
  Net net;
  net.Entry().act_type = "INT4";
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  EXPECT_EQ(FormatError(net.Run(kDeployPipeline)),
            "node 'rnn': pass lower-recurrent: the accelerator has no LSTM with 4-bit activations");
}

TEST(Recurrent, FourBitWeightsArePackedAlongTheirInputs) {
  Net net;
  net.Entry().wts_type = "INT4";
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  const ir::Node& node = *net.Find("rnn");
  EXPECT_THAT(node.input(1)->tensor().dims(), ElementsAre(1, 8, 2));
  EXPECT_THAT(node.input(2)->tensor().dims(), ElementsAre(1, 8, 1));
  EXPECT_THAT(*node.input(2)->tensor().Values<int8_t>(),
              ElementsAre(0x44, 0x44, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22));
}

TEST(Recurrent, TruncatedScalesOnRequestOfTheRecord) {
  Net net;
  net.Scales(4, 0.0078125f, 0.0023622047f);
  net.Entry().scale_d = 0.015686275f;
  net.Entry().fakequant_precision_mode = "FORCE_FP16_QUANT";
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kDeployPipeline)), kNoError);
  const std::vector<uint64_t> words = *net.Find("rnn")->input(8)->tensor().Values<uint64_t>();
  for (const uint64_t word : words) {
    EXPECT_EQ(word & 0x1FFF, 0u);
  }
}

TEST(Recurrent, SimulationComputesOnRealValues) {
  Net net;
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kFakeQuantPipeline)), kNoError);
  const ir::Node& node = *net.Find("rnn");
  EXPECT_EQ(node.op_text(), "LSTM");
  EXPECT_THAT(InputNames(node),
              ElementsAre("rnn.anti_quant.fake_antiquant.mul.output0", "w", "r", "b", "-",
                          "rnn.anti_quant1.fake_antiquant.mul.output0", "c"));
  EXPECT_THAT(*node.input(1)->tensor().Values<float>(), Each(0.5f));
  EXPECT_THAT(*node.input(2)->tensor().Values<float>(), Each(0.25f));
  EXPECT_THAT(*node.input(3)->tensor().Values<float>(), Each(0.125f));
  const auto constant = [&](std::string_view name) {
    return *net.Find(name)->output()->ConstantTensor().ScalarValue<float>();
  };
  EXPECT_EQ(constant("rnn.quant.fakequant.scale"), 2);
  EXPECT_EQ(constant("rnn.quant.fakequant.offset"), -3);
  EXPECT_EQ(constant("rnn.anti_quant.fake_antiquant.scale"), 0.5f);
  EXPECT_EQ(constant("rnn.quant1.fakequant.scale"), 4);
  EXPECT_EQ(constant("rnn.quant1.fakequant.offset"), 5);
  EXPECT_EQ(constant("rnn.quant1.fakequant.max_val"), 127);
  EXPECT_EQ(constant("rnn.anti_quant1.fake_antiquant.scale"), 0.25f);
  EXPECT_EQ(net.Find("rnn.quant"), nullptr);
  EXPECT_EQ(net.Find("rnn.anti_quant"), nullptr);
}

TEST(Recurrent, UnmarkedLayersStayAsTheyAre) {
  for (const std::string_view pass : {"lower-recurrent", "simulate-recurrent"}) {
    Net net;
    const std::string before = Listing(net.graph());
    Resources resources;
    resources.Provide(&net.record);
    const auto report = RunWith(net.model(), pass, resources,
                                {"quant-points-marked", "calibrated", "ascend-lowered"});
    ASSERT_TRUE(report.ok()) << FormatError(report.status());
    EXPECT_FALSE(report->changed) << pass;
    EXPECT_EQ(Listing(net.graph()), before) << pass;
  }
}

TEST(Recurrent, ARecordWithoutTheHiddenStateIsAnError) {
  Net net;
  net.Entry().scale_h.reset();
  EXPECT_EQ(FormatError(net.Run(kLoweringPipeline)),
            "node 'rnn': pass quantize-bias: the record lacks scale_h, offset_h or scale_r "
            "(calibration did not finish: run it with batch_num batches)");
}

}  // namespace
}  // namespace lathe::passes
