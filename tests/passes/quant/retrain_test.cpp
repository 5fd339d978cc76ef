#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/core/model_form.h"
#include "lathe/passes/quant/insert_retrain.h"
#include "lathe/passes/quant/remove_retrain.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

// x -> a -> relu -> { b, c }, and BatchNormalization behind a.
struct Net : GraphBuilder {
  Net() {
    ir::Value* a = Op("Conv", "a", {Input("x"), Init("wa", {2, 2, 1, 1})});
    ir::Value* norm =
        Op("BatchNormalization", "bn",
           {a, Init("gamma", {2}), Init("beta", {2}), Init("mean", {2}), Init("var", {2})});
    ir::Value* relu = Op("Relu", "relu", {norm});
    Output(Op("Conv", "b", {relu, Init("wb", {2, 2, 1, 1})}));
    Output(Op("Conv", "c", {relu, Init("wc", {2, 2, 1, 1})}));
  }
};

quant::RetrainSettings Settings(const std::vector<std::string>& names) {
  quant::RetrainSettings settings;
  for (const std::string& name : names) {
    settings.layers.push_back({.name = name, .channel_wise = true});
  }
  return settings;
}

TEST(RetrainLayer, SharesClipsAndKnowsItsBatchNormalization) {
  Net net;
  quant::RetrainSettings settings = Settings({"a", "b", "c"});
  auto layers = FindRetrainLayers(net.model(), settings);
  ASSERT_TRUE(layers.ok()) << FormatError(layers.status());
  ASSERT_EQ(layers->size(), 3u);
  EXPECT_EQ((*layers)[0].batch_norm->name_text(), "bn");
  EXPECT_EQ((*layers)[1].batch_norm, nullptr);
  EXPECT_FALSE((*layers)[0].fixed_min);
  EXPECT_TRUE((*layers)[1].fixed_min);
  const auto owners = [&] {
    return std::vector<size_t>{(*layers)[0].clips_of, (*layers)[1].clips_of, (*layers)[2].clips_of};
  };
  EXPECT_THAT(owners(), ElementsAre(0, 1, 1));

  settings.layers[2].activation_bits = 16;
  settings.layers[1].fixed_min = false;
  layers = FindRetrainLayers(net.model(), settings);
  ASSERT_TRUE(layers.ok());
  EXPECT_THAT(owners(), ElementsAre(0, 1, 2));
  EXPECT_FALSE((*layers)[1].fixed_min);

  EXPECT_EQ(FormatError(FindRetrainLayers(net.model(), Settings({"d"})).status()),
            "the model has no layer 'd' to train");
}

TEST(Retrain, InsertedAndRemovedIsTheSameGraph) {
  Net net;
  const std::string before = Listing(net.graph());
  quant::RetrainSettings settings = Settings({"a", "b", "c"});
  settings.layers[0].ulq = true;
  const auto layers = FindRetrainLayers(net.model(), settings);
  ASSERT_TRUE(layers.ok());
  quant::RetrainState state;
  state.clips = {3, -2};
  state.weight_scales = {0.5f, 0.25f};
  const Status inserted = InsertRetrain(net.model(), *layers, {state, state, state});
  ASSERT_TRUE(inserted.ok()) << FormatError(inserted);
  EXPECT_EQ(RecognizeForm(net.model()).form, ModelForm::kRetrain);
  const std::string between = Listing(net.graph());
  EXPECT_NE(between, before);
  // One quantiser for b and c.
  EXPECT_NE(between.find("b = Conv(b.acts_quant.output0, b.wts_quant.output0)"), std::string::npos)
      << between;
  EXPECT_NE(between.find("c = Conv(b.acts_quant.output0, c.wts_quant.output0)"), std::string::npos)
      << between;

  const auto constants = RemoveRetrain(net.model());
  ASSERT_TRUE(constants.ok()) << FormatError(constants.status());
  EXPECT_EQ(Listing(net.graph()), before);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : *constants) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("a.quant_module.acts_clip_max", "a.quant_module.acts_clip_min",
                                 "a.quant_module.wts_scales", "b.quant_module.acts_clip_max"));
}

// An LSTM over `steps` time steps whose state comes from outside.
struct RecurrentNet : GraphBuilder {
  explicit RecurrentNet(int64_t steps) {
    ir::Node* lstm = Node("LSTM", "rnn",
                          {Input("x", {steps, 2, 3}), Init("w", {1, 8, 3}), Init("r", {1, 8, 2}),
                           nullptr, nullptr, Input("h", {1, 2, 2}), Input("c", {1, 2, 2})},
                          {{"hidden_size", int64_t{2}}}, 3);
    Output(lstm->output());
  }
};

TEST(Retrain, RecurrentLayersHaveTwoQuantizersOfEachKind) {
  RecurrentNet net(1);
  const std::string before = Listing(net.graph());
  quant::RetrainSettings settings = Settings({"rnn"});
  settings.layers[0].ulq = true;
  const auto layers = FindRetrainLayers(net.model(), settings);
  ASSERT_TRUE(layers.ok()) << FormatError(layers.status());
  quant::RetrainState state;
  state.weight_scales.assign(8, 0.5f);
  state.recurrence_scales.assign(8, 0.25f);
  ASSERT_TRUE(InsertRetrain(net.model(), *layers, {state}).ok());
  EXPECT_NE(Listing(net.graph())
                .find("LSTM(rnn.acts_quant.output0, rnn.wts_quant.output0, "
                      "rnn.rec_wts_quant.output0, -, -, rnn.acts_h_quant.output0, c)"),
            std::string::npos)
      << Listing(net.graph());
  const auto constants = RemoveRetrain(net.model());
  ASSERT_TRUE(constants.ok()) << FormatError(constants.status());
  EXPECT_EQ(constants->size(), 6u);
  EXPECT_EQ(*constants->at("rnn.quant_module.rec_wts_scales").ValuesAsFloat(),
            state.recurrence_scales);
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(RetrainLayer, RecurrentLayersAreTrainedOverOneStep) {
  RecurrentNet net(4);
  EXPECT_EQ(FormatError(FindRetrainLayers(net.model(), Settings({"rnn"})).status()),
            "layer 'rnn': LSTM cannot be trained: it runs over 4 time steps, 1 can be trained (set "
            "its retrain_enable to false)");
}

TEST(Retrain, AGraphThatSomeoneRewroteIsRefused) {
  GraphBuilder net;
  net.Output(net.Op("Relu", "a.acts_quant", {net.Input("x")}));
  EXPECT_EQ(FormatError(RemoveRetrain(net.model()).status()),
            "node 'a.acts_quant': it is called like the end of a quantiser and is none: another "
            "tool has rewritten the retrain model");
}

}  // namespace
}  // namespace lathe::passes
