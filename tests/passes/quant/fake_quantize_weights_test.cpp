#include "lathe/passes/quant/fake_quantize_weights.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/quant_report.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

// The weights of the worked example of the reference's 7.2, as a 1x1 convolution.
struct Net : GraphBuilder {
  quant::QuantSettings settings;
  quant::Record record;
  QuantReport report;
  Resources resources;
  ir::Value* weight = nullptr;

  explicit Net(const std::string& op = "Conv", std::vector<int64_t> dims = {2, 3, 1, 1}) {
    weight = &rewriter().AddInitializer(
        graph(), model().Intern("w"),
        ir::Tensor::Of<float>(std::move(dims),
                              std::vector<float>{0.5f, -1, 0.25f, -0.2f, 0.1f, 0.3f}));
    Output(Op(op, "conv", {Input("x"), weight}));
    settings.layers.push_back({.name = "conv", .channel_wise = true});
    resources.Provide(&settings);
    EXPECT_TRUE(RunWith(model(), "mark-quant-points", resources).ok());
    resources.Provide(&record);
    resources.Provide(&report);
  }
  std::vector<float> Weights() const { return *weight->tensor().ValuesAsFloat(); }
};

TEST(FakeQuantizeWeights, TheWorkedExampleOfTheReference) {
  Net net;
  ASSERT_TRUE(RunWith(net.model(), "fake-quantize-weights", net.resources).ok());
  const quant::LayerRecord& entry = *net.record.Find("conv");
  EXPECT_THAT(entry.scale_w, ElementsAre(FloatEq(0.0078125f), FloatEq(0.0023622047f)));
  EXPECT_THAT(entry.offset_w, ElementsAre(0, 0));
  EXPECT_EQ(entry.wts_type, "INT8");
  EXPECT_EQ(entry.act_type, "INT8");
  const float s = 0.3f / 127;
  EXPECT_THAT(net.Weights(), ElementsAre(0.5f, -1, 0.25f, -85 * s, 42 * s, 127 * s));
}

TEST(FakeQuantizeWeights, ScalesOfTheRecordAreKept) {
  Net net;
  quant::LayerRecord known;
  known.scale_w = {0.25f, 0.125f};
  net.record.entries.push_back({.key = "conv", .value = known});
  ASSERT_TRUE(RunWith(net.model(), "fake-quantize-weights", net.resources).ok());
  EXPECT_THAT(net.record.Find("conv")->scale_w, ElementsAre(0.25f, 0.125f));
  EXPECT_THAT(net.Weights(), ElementsAre(0.5f, -1, 0.25f, -0.25f, 0.125f, 0.25f));
}

TEST(FakeQuantizeWeights, ConvTransposeKeepsItsWeight) {
  Net net("ConvTranspose", {3, 2, 1, 1});
  ASSERT_TRUE(RunWith(net.model(), "fake-quantize-weights", net.resources).ok());
  EXPECT_THAT(net.Weights(), ElementsAre(0.5f, -1, 0.25f, -0.2f, 0.1f, 0.3f));
  EXPECT_EQ(net.record.Find("conv")->scale_w.size(), 2u);
}

TEST(FakeQuantizeWeights, RecurrentWeightsAreRoundedOnRequest) {
  for (const bool rounded : {false, true}) {
    GraphBuilder net;
    const auto weight = [&](const std::string& name, std::vector<int64_t> dims) {
      int64_t count = 1;
      for (const int64_t dim : dims) count *= dim;
      std::vector<float> values;
      for (int64_t i = 0; i < count; ++i) values.push_back(0.01f * static_cast<float>(i + 1));
      return &net.rewriter().AddInitializer(net.graph(), net.model().Intern(name),
                                            ir::Tensor::Of(std::move(dims), values));
    };
    ir::Value* w = weight("w", {1, 3, 2});
    ir::Value* r = weight("r", {1, 3, 1});
    net.Output(
        net.Node("GRU", "rnn",
                 {net.Input("x", {3, 1, 2}), w, r, nullptr, nullptr, net.Input("h", {1, 1, 1})},
                 {{"linear_before_reset", int64_t{1}}}, 2)
            ->output());
    quant::QuantSettings settings;
    settings.layers.push_back({.name = "rnn", .channel_wise = true});
    quant::Record record;
    QuantReport report;
    Resources resources;
    resources.Provide(&settings);
    ASSERT_TRUE(RunWith(net.model(), "mark-quant-points", resources).ok());
    resources.Provide(&record);
    resources.Provide(&report);
    ASSERT_TRUE(RunWith(net.model(),
                        rounded ? "fake-quantize-weights{recurrent=true}" : "fake-quantize-weights",
                        resources)
                    .ok());
    const quant::LayerRecord& entry = *record.Find("rnn");
    EXPECT_THAT(entry.scale_w, ElementsAre(0.02f / 127, 0.04f / 127, 0.06f / 127));
    EXPECT_THAT(entry.scale_r, ElementsAre(0.01f / 127, 0.02f / 127, 0.03f / 127));
    EXPECT_THAT(entry.offset_r, ElementsAre(0, 0, 0));
    EXPECT_EQ((*w->tensor().Values<float>())[2], rounded ? 95 * (0.04f / 127) : 0.03f);
  }
}

TEST(FakeQuantizeWeights, AWeightThatIsNotFiniteStaysFloatAndIsReported) {
  Net net;
  net.rewriter().SetTensor(
      *net.weight,
      ir::Tensor::Of<float>(
          {2, 3, 1, 1}, std::vector<float>{1, 2, std::numeric_limits<float>::infinity(), 4, 5, 6}));
  ASSERT_TRUE(RunWith(net.model(), "fake-quantize-weights", net.resources).ok());
  EXPECT_EQ(net.record.Find("conv"), nullptr);
  EXPECT_TRUE(MarkedLayers(net.model()).empty());
  ASSERT_EQ(net.report.left_float.size(), 1u);
  EXPECT_EQ(net.report.left_float[0].layer, "conv");
  EXPECT_THAT(net.report.left_float[0].reason, ::testing::HasSubstr("2"));
}

TEST(FakeQuantizeWeights, NeedsMarks) {
  GraphBuilder net;
  net.Output(net.Op("Relu", "r", {net.Input("x")}));
  EXPECT_THAT(FormatError(RunWith(net.model(), "fake-quantize-weights", {}).status()),
              ::testing::HasSubstr("quant-points-marked"));
}

}  // namespace
}  // namespace lathe::passes
