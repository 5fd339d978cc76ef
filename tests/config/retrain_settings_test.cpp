#include "lathe/quant/config/retrain_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_network.h"

namespace lathe::quant {
namespace {

using test::SmallNetwork;
using testing::ElementsAre;

RetrainConfig Config(std::vector<RetrainLayerConfig> layers) {
  RetrainConfig config;
  config.layers = std::move(layers);
  return config;
}

std::string Error(const RetrainConfig& config) {
  const auto settings = ResolveRetrainSettings(config, SmallNetwork());
  return settings.ok() ? "no error" : FormatError(settings.status());
}

TEST(RetrainSettings, GraphOrderDefaultsAndWhatIsDisabled) {
  RetrainConfig config = Config({{"fc1", true, {}, {}},
                                 {"gru", true, {}, {true, false, 8}},
                                 {"conv1d", false, {}, {}},
                                 {"stem", true, {ClipRange{1, -1}, true, 16}, {false, false, 8}}});
  config.batch_num = 3;
  config.force_fp16_quant = true;
  const auto settings = ResolveRetrainSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
  EXPECT_EQ(settings->batch_num, 3);
  EXPECT_TRUE(settings->force_fp16_quant);
  EXPECT_THAT(
      settings->layers,
      ElementsAre(RetrainLayerSettings{"stem", LayerType::kConv2d, 16, ClipRange{1, -1}, true, 8,
                                       false, false},
                  RetrainLayerSettings{"gru", LayerType::kGru, 8, {}, {}, 8, true, true},
                  RetrainLayerSettings{"fc1", LayerType::kLinear, 8, {}, {}, 8, false, false}));
  EXPECT_THAT(settings->notes, ElementsAre("layer 'gru': the gates of LSTM and GRU are always "
                                           "scaled one by one; channel_wise is true"));
}

TEST(RetrainSettings, WeightsThatCannotBePacked) {
  const auto settings =
      ResolveRetrainSettings(Config({{"stem", true, {}, {false, {}, 4}}}), SmallNetwork());
  ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
  EXPECT_EQ(settings->layers[0].weight_bits, 8);
  EXPECT_THAT(settings->notes,
              ElementsAre("layer 'stem': 4-bit weights are packed in pairs and there are 3 input "
                          "channels; 8 bits are used"));
  EXPECT_EQ(Error(Config({{"stem", true, {{}, {}, 4}, {false, {}, 4}}})),
            "layer 'stem', retrain_weight_config: dst_type is INT4: 4-bit weights are packed in "
            "pairs and there are 3 input channels");
}

TEST(RetrainSettings, Errors) {
  EXPECT_EQ(Error(Config({{"stm", true, {}, {}}})),
            "configuration: the model has no layer 'stm' (did you mean 'stem' or 'lstm'?)");
  EXPECT_EQ(Error(Config({{"pool", true, {}, {}}})),
            "configuration: 'pool' of type AvgPool2d cannot be quantised: it has nothing to train");
  EXPECT_EQ(Error(Config({{"shared", true, {}, {}}})),
            "configuration: 'shared' of type Conv2d cannot be quantised: its weight is used by "
            "another layer");
  EXPECT_EQ(Error(Config({{"stem", true, {}, {}}, {"stem", true, {}, {}}})),
            "configuration: 'stem' is there twice");
  EXPECT_EQ(Error(Config({})),
            "no layer of the configuration has retrain_enable true: nothing to train");
  EXPECT_EQ(Error(Config({{"stem", false, {}, {}}})),
            "no layer of the configuration has retrain_enable true: nothing to train");
  // Also of disabled layers.
  EXPECT_EQ(Error(Config({{"conv3d", false, {{}, {}, 16}, {}}})),
            "layer 'conv3d', retrain_data_config: dst_type is INT16: Conv3d takes no 16-bit "
            "activations");
  EXPECT_EQ(Error(Config({{"gru", true, {{}, {}, 4}, {false, {}, 4}}})),
            "layer 'gru', retrain_data_config: dst_type is INT4: GRU takes 8- or 16-bit "
            "activations");
  EXPECT_EQ(Error(Config({{"fc1", true, {}, {false, true, 8}}})),
            "layer 'fc1', retrain_weight_config: channel_wise is true: Linear has one weight "
            "scale");
}

}  // namespace
}  // namespace lathe::quant
