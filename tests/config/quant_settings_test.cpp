#include "lathe/quant/config/quant_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_network.h"

namespace lathe::quant {
namespace {

using test::SmallNetwork;
using testing::ElementsAre;
using testing::IsEmpty;

PtqLayerConfig Enabled(const std::string& name) {
  PtqLayerConfig layer;
  layer.name = name;
  layer.quant_enable = true;
  return layer;
}

std::string Error(const PtqConfig& config) {
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  return settings.ok() ? "no error" : FormatError(settings.status());
}

std::string Error(const PtqLayerConfig& layer) {
  PtqConfig config;
  config.layers = {layer};
  return Error(config);
}

TEST(QuantSettings, DefaultsAreFilledInGraphOrder) {
  PtqConfig config;
  config.batch_num = 5;
  config.do_fusion = false;
  config.force_fp16_quant = true;
  config.skip_fusion_layers = {"stem"};
  for (const char* name : {"fc1", "lstm", "stem", "conv3d", "pool"}) {
    config.layers.push_back(Enabled(name));
  }
  config.layers.push_back({});
  config.layers.back().name = "fc2";  // Not enabled.
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
  EXPECT_EQ(settings->batch_num, 5);
  EXPECT_FALSE(settings->do_fusion);
  EXPECT_TRUE(settings->force_fp16_quant);
  EXPECT_THAT(settings->skip_fusion_layers, ElementsAre("stem"));
  EXPECT_THAT(settings->notes, IsEmpty());
  std::vector<std::string> names;
  for (const LayerSettings& layer : settings->layers) {
    names.push_back(layer.name);
    EXPECT_EQ(layer.activation_bits, 8);
    EXPECT_EQ(layer.weight_bits, 8);
    EXPECT_EQ(layer.with_offset, layer.name != "conv3d") << layer.name;
    EXPECT_EQ(layer.channel_wise, layer.name != "fc1" && layer.name != "pool") << layer.name;
  }
  EXPECT_THAT(names, ElementsAre("stem", "conv3d", "pool", "lstm", "fc1"));
}

TEST(QuantSettings, OffsetIsTheLayersOwnOrTheGlobalOne) {
  PtqConfig config;
  config.activation_offset = false;
  config.layers = {Enabled("stem"), Enabled("fc1"), Enabled("fc2")};
  config.layers[1].activation.asymmetric = true;
  config.layers[2].activation.asymmetric = false;
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->layers[0].with_offset);
  EXPECT_TRUE(settings->layers[1].with_offset);
  EXPECT_FALSE(settings->layers[2].with_offset);
}

TEST(QuantSettings, ValuesOfTheLayer) {
  PtqLayerConfig layer = Enabled("body.conv");
  layer.dmq_balancer_param = 0.6;
  layer.activation = {16, HfmgParameters{8192}, true};
  layer.weight = WeightConfig{4, false, std::nullopt};
  PtqConfig config;
  config.layers = {layer, Enabled("up2d")};
  config.layers[1].weight = WeightConfig{8, std::nullopt, AdaParameters{0.1}};
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
  const LayerSettings& conv = settings->layers[0];
  EXPECT_EQ(conv.dmq_balancer_param, 0.6);
  EXPECT_EQ(conv.activation_bits, 16);
  EXPECT_EQ(std::get<HfmgParameters>(conv.algorithm).num_of_bins, 8192);
  EXPECT_EQ(conv.weight_bits, 4);
  EXPECT_FALSE(conv.channel_wise);
  EXPECT_EQ(settings->layers[1].ada, AdaParameters{0.1});
}

TEST(QuantSettings, WhatIsChangedIsNoted) {
  PtqConfig config;
  config.layers = {Enabled("body.dw"), Enabled("gru")};
  config.layers[0].weight = WeightConfig{4, std::nullopt, std::nullopt};
  config.layers[1].weight = WeightConfig{8, false, std::nullopt};
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->layers[0].weight_bits, 8);
  EXPECT_TRUE(settings->layers[1].channel_wise);
  EXPECT_THAT(
      settings->notes,
      ElementsAre("layer 'body.dw': 4-bit weights cannot be packed when group is 16; 8 bits "
                  "are used",
                  "layer 'gru': the gates of LSTM and GRU are always scaled one by one; "
                  "channel_wise is true"));
}

TEST(QuantSettings, ErrorsOfNames) {
  EXPECT_EQ(Error(Enabled("fc9")),
            "configuration: the model has no layer 'fc9' (did you mean 'fc1' or 'fc2'?)");
  PtqLayerConfig disabled;
  disabled.name = "shared";
  EXPECT_EQ(Error(disabled),
            "configuration: 'shared' of type Conv2d cannot be quantised: its weight is used by "
            "another layer");
  PtqConfig config;
  config.layers = {Enabled("fc1"), Enabled("fc1")};
  EXPECT_EQ(Error(config), "configuration: 'fc1' is there twice");
  config.layers = {Enabled("fc1")};
  config.layers[0].quant_enable = false;
  EXPECT_EQ(Error(config),
            "no layer of the configuration has quant_enable true: nothing to quantise");
  config.skip_fusion_layers = {"fc1"};
  EXPECT_EQ(Error(config),
            "skip_fusion_layers: 'fc1' is of type Linear; only Conv1d, Conv2d and Conv3d are fused "
            "with BatchNormalization");
  config.batch_num = 0;
  EXPECT_EQ(Error(config), "batch_num is 0, it must be above 0");
}

TEST(QuantSettings, ErrorsOfWhatLayersCannotDo) {
  PtqLayerConfig layer = Enabled("pool");
  layer.dmq_balancer_param = 0.5;
  EXPECT_EQ(Error(layer), "layer 'pool': dmq_balancer_param: AvgPool2d cannot be balanced");
  layer = Enabled("fc2");
  layer.activation.num_bits = 16;
  EXPECT_EQ(Error(layer),
            "layer 'fc2', activation_quant_params: num_bits is 16: a Linear layer takes 16-bit "
            "activations only if it has a bias");
  layer = Enabled("conv3d");
  layer.activation.asymmetric = true;
  EXPECT_EQ(Error(layer),
            "layer 'conv3d', activation_quant_params: asymmetric is true: Conv3d takes symmetric "
            "activations only");
  layer = Enabled("fc1");
  layer.weight = WeightConfig{6, std::nullopt, std::nullopt};
  EXPECT_EQ(
      Error(layer),
      "layer 'fc1', weight_quant_params: num_bits is 6: only Conv2d takes 6- or 7-bit weights, "
      "this is Linear");
  layer.weight = WeightConfig{8, true, std::nullopt};
  EXPECT_EQ(Error(layer),
            "layer 'fc1', weight_quant_params: channel_wise is true: Linear has one weight scale");
  layer = Enabled("lstm");
  layer.weight = WeightConfig{8, std::nullopt, AdaParameters()};
  EXPECT_EQ(
      Error(layer),
      "layer 'lstm', weight_quant_params: wts_algo is ada_quantize: ada_quantize is for Conv2d, "
      "ConvTranspose2d and Linear, this is LSTM");
}

TEST(QuantSettings, ErrorsOfValuesSetInCode) {
  PtqLayerConfig layer = Enabled("fc1");
  layer.activation.algorithm = HfmgParameters{7};
  EXPECT_EQ(Error(layer),
            "layer 'fc1', activation_quant_params: num_of_bins is 7, allowed are 1024, 2048, 4096, "
            "8192");
  layer = Enabled("fc1");
  layer.dmq_balancer_param = 2;
  EXPECT_EQ(Error(layer), "layer 'fc1': dmq_balancer_param is 2.0, it must be from 0.2 to 0.8");
}

}  // namespace
}  // namespace lathe::quant
