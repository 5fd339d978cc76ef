#include "lathe/quant/config/create_retrain_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_network.h"

namespace lathe::quant {
namespace {

using test::SmallNetwork;
using testing::ElementsAre;
using testing::IsEmpty;

CreatedRetrainConfig Create(const AmctRetrainConfig& simplified) {
  auto created = CreateRetrainConfig(SmallNetwork(), simplified);
  EXPECT_TRUE(created.ok()) << FormatError(created.status());
  return created.ok() ? *created : CreatedRetrainConfig{};
}

std::string Error(const AmctRetrainConfig& simplified,
                  const NetworkDescription& network = SmallNetwork()) {
  const auto created = CreateRetrainConfig(network, simplified);
  return created.ok() ? "no error" : FormatError(created.status());
}

const RetrainLayerConfig& Layer(const CreatedRetrainConfig& created, std::string_view name) {
  for (const RetrainLayerConfig& layer : created.config.layers) {
    if (layer.name == name) return layer;
  }
  ADD_FAILURE() << "no layer " << name;
  return created.config.layers.front();
}

TEST(CreateRetrainConfig, Defaults) {
  const CreatedRetrainConfig created = Create({});
  EXPECT_EQ(created.config.batch_num, 1);
  EXPECT_THAT(created.notes, IsEmpty());
  std::vector<std::string> names;
  for (const RetrainLayerConfig& layer : created.config.layers) {
    names.push_back(layer.name);
    EXPECT_TRUE(layer.retrain_enable);
    EXPECT_EQ(layer.data, RetrainDataConfig());
    const bool one_scale = layer.name == "fc1" || layer.name == "fc2";
    EXPECT_EQ(layer.weight, (RetrainWeightConfig{false, !one_scale, 8}));
  }
  // The model's order; AvgPool2d has nothing to train.
  EXPECT_THAT(names, ElementsAre("stem", "body.conv", "body.dw", "conv1d", "conv3d", "up1d", "up2d",
                                 "lstm", "gru", "fc1", "fc2"));
}

TEST(CreateRetrainConfig, AnOverrideTravelsAsAWhole) {
  AmctRetrainConfig simplified;
  simplified.data = {ClipRange{3, -3}, std::nullopt, 8};
  simplified.weight = {true, std::nullopt, 8};
  simplified.override_layer_types = {{"Conv2d", {ClipRange{2, -2}, true, 8}, {}}};
  simplified.override_layer_configs = {{"stem", {}, {true, false, 8}}};
  const CreatedRetrainConfig created = Create(simplified);
  EXPECT_EQ(Layer(created, "conv1d").data, simplified.data);
  EXPECT_EQ(Layer(created, "conv1d").weight, (RetrainWeightConfig{true, true, 8}));
  EXPECT_EQ(Layer(created, "body.conv").data, (RetrainDataConfig{ClipRange{2, -2}, true, 8}));
  EXPECT_EQ(Layer(created, "body.conv").weight, (RetrainWeightConfig{false, true, 8}));
  EXPECT_EQ(Layer(created, "stem").data, RetrainDataConfig());
  EXPECT_EQ(Layer(created, "stem").weight, (RetrainWeightConfig{true, false, 8}));
}

TEST(CreateRetrainConfig, TypesThatTheModelHasNotHaveNoEffect) {
  NetworkDescription network = SmallNetwork();
  std::erase_if(network.layers,
                [](const LayerDescription& layer) { return layer.type == LayerType::kGru; });
  AmctRetrainConfig simplified;
  simplified.skip_layer_types = {"GRU"};
  simplified.override_layer_types = {{"GRU", {}, {}}};
  const auto created = CreateRetrainConfig(network, simplified);
  ASSERT_TRUE(created.ok()) << FormatError(created.status());
  EXPECT_THAT(created->notes,
              ElementsAre("skip_layer_types: the model has no layer of type GRU; it has no effect",
                          "override_layer_types: the model has no layer of type GRU; it has no "
                          "effect"));
  EXPECT_EQ(created->config, CreateRetrainConfig(network, {})->config);
}

TEST(CreateRetrainConfig, LayersBeyondTheReferenceAreNotTrained) {
  NetworkDescription network = SmallNetwork();
  for (LayerDescription& layer : network.layers) {
    if (layer.type == LayerType::kLstm) layer.on_request = "it runs backwards";
  }
  const auto created = CreateRetrainConfig(network, {});
  ASSERT_TRUE(created.ok()) << FormatError(created.status());
  for (const RetrainLayerConfig& layer : created->config.layers) EXPECT_NE(layer.name, "lstm");
  AmctRetrainConfig simplified;
  simplified.override_layer_configs = {{"lstm", {}, {}}};
  EXPECT_EQ(Error(simplified, network),
            "override_layer_configs: 'lstm' of type LSTM cannot be quantised: it runs backwards");
}

TEST(CreateRetrainConfig, SkippedUnlessOverridden) {
  AmctRetrainConfig simplified;
  simplified.skip_layers = {"stem"};
  simplified.quant_skip_layers = {"fc1", "conv1d"};
  simplified.skip_layer_types = {"LSTM"};
  simplified.quant_skip_types = {"GRU", "ConvTranspose"};
  simplified.override_layer_types = {{"Linear", {}, {}}};
  simplified.override_layer_configs = {{"gru", {}, {}}};
  const CreatedRetrainConfig created = Create(simplified);
  std::vector<std::string> skipped;
  for (const RetrainLayerConfig& layer : created.config.layers) {
    if (!layer.retrain_enable) skipped.push_back(layer.name);
  }
  EXPECT_THAT(skipped, ElementsAre("stem", "conv1d", "up1d", "up2d", "lstm"));
}

TEST(CreateRetrainConfig, WishesOfGlobalValuesAreChangedAndNoted) {
  AmctRetrainConfig simplified;
  simplified.data.num_bits = 16;
  simplified.weight.channel_wise = true;
  EXPECT_THAT(Create(simplified).notes,
              ElementsAre("retrain_data_quant_config: layer 'conv3d': Conv3d takes no 16-bit "
                          "activations; 8 bits are used",
                          "retrain_weight_quant_config: layer 'fc1': channel_wise cannot be true, "
                          "Linear has one weight scale; it is false",
                          "retrain_data_quant_config: layer 'fc2': a Linear layer takes 16-bit "
                          "activations only if it has a bias; 8 bits are used",
                          "retrain_weight_quant_config: layer 'fc2': channel_wise cannot be true, "
                          "Linear has one weight scale; it is false"));
  simplified = {};
  simplified.weight.num_bits = 4;
  simplified.weight.channel_wise = false;
  const CreatedRetrainConfig created = Create(simplified);
  EXPECT_EQ(Layer(created, "body.conv").weight.num_bits, 4);
  EXPECT_EQ(Layer(created, "stem").weight.num_bits, 8);
  EXPECT_EQ(Layer(created, "body.dw").weight.num_bits, 8);
  EXPECT_EQ(Layer(created, "lstm").weight.channel_wise, true);
  ASSERT_EQ(created.notes.size(), 5u);
  EXPECT_EQ(created.notes[0],
            "retrain_weight_quant_config: layer 'stem': 4-bit weights are packed in pairs and "
            "there are 3 input channels; 8 bits are used");
}

TEST(CreateRetrainConfig, WishesOfOverridesAreErrors) {
  AmctRetrainConfig simplified;
  simplified.override_layer_configs = {{"conv3d", {std::nullopt, std::nullopt, 16}, {}}};
  EXPECT_EQ(Error(simplified),
            "override_layer_configs 'conv3d', retrain_data_quant_config: layer 'conv3d': Conv3d "
            "takes no 16-bit activations");
  simplified.override_layer_configs.clear();
  simplified.override_layer_types = {{"Linear", {}, {false, true, 8}}};
  EXPECT_EQ(Error(simplified),
            "override_layer_types 'Linear', retrain_weight_quant_config: layer 'fc1': channel_wise "
            "cannot be true, Linear has one weight scale");
  simplified.override_layer_types = {{"Conv2d", {std::nullopt, std::nullopt, 16}, {false, {}, 4}}};
  EXPECT_EQ(Error(simplified, {{{"a", LayerType::kConv2d, 1, {4}, true, "Conv"}}, {}}),
            "override_layer_types 'Conv2d': activations of INT16 with weights of INT4: allowed are "
            "INT4 with INT4, INT8 with INT8 or INT4, INT16 with INT8");
}

TEST(CreateRetrainConfig, ErrorsOfRules) {
  const auto with = [](auto change) {
    AmctRetrainConfig simplified;
    change(simplified);
    return Error(simplified);
  };
  EXPECT_EQ(with([](auto& s) { s.batch_num = 0; }), "batch_num is 0, it must be above 0");
  EXPECT_EQ(with([](auto& s) { s.skip_layers = {"stm"}; }),
            "skip_layers: the model has no layer 'stm' (did you mean 'stem' or 'lstm'?)");
  EXPECT_EQ(with([](auto& s) {
              s.quant_skip_layers = {"stem", "stem"};
            }),
            "quant_skip_layers: 'stem' is there twice");
  EXPECT_EQ(with([](auto& s) { s.quant_skip_layers = {"pool"}; }),
            "quant_skip_layers: 'pool' of type AvgPool2d cannot be quantised: it has nothing to "
            "train");
  EXPECT_EQ(with([](auto& s) { s.quant_skip_types = {"AvgPool2d"}; }),
            "quant_skip_types: no layer of type AvgPool2d can be quantised; 'pool': it has nothing "
            "to train");
  EXPECT_EQ(with([](auto& s) {
              s.override_layer_types = {{"Conv", {}, {}}, {"Conv2d", {}, {}}};
            }),
            "override_layer_types: both 'Conv' and 'Conv2d' are types of layer 'stem': give only "
            "one");
  EXPECT_EQ(with([](auto& s) {
              s.override_layer_configs = {{"stem", {}, {}}, {"stem", {}, {}}};
            }),
            "override_layer_configs: 'stem' is there twice");
  EXPECT_EQ(with([](auto& s) {
              s.override_layer_configs = {{"relu", {}, {}}};
            }),
            "override_layer_configs: 'relu' of type Relu cannot be quantised: its operator is not "
            "among those");
  EXPECT_EQ(with([](auto& s) {
              s.data.clips = {-1, -2};
            }),
            "retrain_data_quant_config: clip_max is -1.0, it must be above 0 and finite");
  EXPECT_EQ(with([](auto& s) { s.data.num_bits = 4; }),
            "retrain_data_quant_config: dst_type is INT4, a simplified configuration may ask for "
            "INT8, INT16");
  EXPECT_EQ(with([](auto& s) {
              s.override_layer_configs = {{"stem", {}, {false, {}, 16}}};
            }),
            "override_layer_configs 'stem', retrain_weight_quant_config: dst_type is INT16, "
            "allowed are INT4, INT8");
}

TEST(CreateRetrainConfig, ErrorsOfNetworks) {
  NetworkDescription network;
  network.layers = {{"pool", LayerType::kAvgPool2d, 1, {}, false, "AveragePool"}};
  EXPECT_EQ(Error({}, network), "the model has no layer that can be trained");
  network.layers = {{"batch_num", LayerType::kConv2d, 1, {2}, false, "Conv"}};
  EXPECT_EQ(Error({}, network),
            "layer 'batch_num' has the name of a global key of the configuration: rename it");
  network.layers = {{"a", LayerType::kConv2d, 1, {2}, false, "Conv"}};
  AmctRetrainConfig simplified;
  simplified.skip_layers = {"a"};
  EXPECT_EQ(Error(simplified, network),
            "every layer that can be trained is skipped: nothing is left to do");
}

}  // namespace
}  // namespace lathe::quant
