#include "lathe/quant/config/create_ptq_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/support/status.h"
#include "small_network.h"

namespace lathe::quant {
namespace {

using test::SmallNetwork;
using testing::ElementsAre;
using testing::IsEmpty;

const PtqLayerConfig& Layer(const CreatedPtqConfig& created, std::string_view name) {
  for (const PtqLayerConfig& layer : created.config.layers) {
    if (layer.name == name) return layer;
  }
  ADD_FAILURE() << "no layer " << name;
  return created.config.layers.front();
}

CreatedPtqConfig Create(const AmctConfig& simplified) {
  auto created = CreatePtqConfig(SmallNetwork(), simplified);
  EXPECT_TRUE(created.ok()) << FormatError(created.status());
  return created.ok() ? *created : CreatedPtqConfig{};
}

std::string Error(const AmctConfig& simplified,
                  const NetworkDescription& network = SmallNetwork()) {
  const auto created = CreatePtqConfig(network, simplified);
  return created.ok() ? "no error" : FormatError(created.status());
}

AmctConfig Common(const CalibrationChoice& choice) {
  AmctConfig simplified;
  simplified.common_config = choice;
  return simplified;
}

AmctConfig ForType(const std::string& type, const CalibrationChoice& choice) {
  AmctConfig simplified;
  simplified.override_layer_types = {{type, choice}};
  return simplified;
}

AmctConfig ForLayer(const std::string& name, const CalibrationChoice& choice) {
  AmctConfig simplified;
  simplified.override_layer_configs = {{name, choice}};
  return simplified;
}

CalibrationChoice Arq(std::optional<bool> channel_wise,
                      std::optional<int64_t> bits = std::nullopt) {
  CalibrationChoice choice;
  choice.weight = ArqOptions{channel_wise, bits};
  return choice;
}

CalibrationChoice Ada() {
  CalibrationChoice choice;
  choice.weight = AdaOptions();
  return choice;
}

CalibrationChoice Balanced(double strength) {
  CalibrationChoice choice;
  choice.dmq_balancer_param = strength;
  return choice;
}

CalibrationChoice Activation(const ActivationConfig& activation) {
  CalibrationChoice choice;
  choice.activation = activation;
  return choice;
}

CalibrationChoice Int16() { return Activation({16, IfmrParameters(), std::nullopt}); }

TEST(CreatePtqConfig, Defaults) {
  PtqOptions options;
  options.batch_num = 3;
  options.skip_layers = {"fc1"};
  const auto created = CreatePtqConfig(SmallNetwork(), options);
  ASSERT_TRUE(created.ok()) << FormatError(created.status());
  EXPECT_THAT(created->notes, IsEmpty());
  EXPECT_EQ(created->config.batch_num, 3);
  EXPECT_TRUE(created->config.activation_offset);
  EXPECT_TRUE(created->config.do_fusion);
  std::vector<std::string> names;
  for (const auto& layer : created->config.layers) names.push_back(layer.name);
  EXPECT_THAT(names, ElementsAre("body.conv", "body.dw", "conv1d", "conv3d", "fc1", "fc2", "gru",
                                 "lstm", "pool", "stem", "up1d", "up2d"));
  for (const auto& layer : created->config.layers) {
    SCOPED_TRACE(layer.name);
    const bool one_scale = layer.name == "fc1" || layer.name == "fc2" || layer.name == "pool";
    EXPECT_EQ(layer.quant_enable, layer.name != "fc1");
    EXPECT_EQ(layer.activation.asymmetric, layer.name != "conv3d");
    EXPECT_EQ(layer.activation.num_bits, 8);
    EXPECT_EQ(std::get<IfmrParameters>(layer.activation.algorithm), IfmrParameters());
    ASSERT_TRUE(layer.weight.has_value());
    EXPECT_EQ(layer.weight->channel_wise, !one_scale);
    EXPECT_EQ(layer.weight->ada, std::nullopt);
  }
}

TEST(CreatePtqConfig, SymmetricActivations) {
  PtqOptions options;
  options.activation_offset = false;
  const auto created = CreatePtqConfig(SmallNetwork(), options);
  ASSERT_TRUE(created.ok());
  EXPECT_FALSE(created->config.activation_offset);
  EXPECT_EQ(Layer(*created, "stem").activation.asymmetric, false);
}

TEST(CreatePtqConfig, OneChoiceAsAWhole) {
  AmctConfig simplified;
  simplified.common_config = Balanced(0.4);
  simplified.common_config->activation = {8, HfmgParameters{2048}, false};
  simplified.override_layer_types = {{"Conv2d", Arq(false, 7)}};
  simplified.override_layer_configs = {{"stem", Activation({8, IfmrParameters{0.9}, true})}};
  const CreatedPtqConfig created = Create(simplified);
  // By name: nothing of the type's nor of the common choice is left.
  EXPECT_EQ(std::get<IfmrParameters>(Layer(created, "stem").activation.algorithm).max_percentile,
            0.9);
  EXPECT_EQ(Layer(created, "stem").weight->num_bits, 8);
  EXPECT_EQ(Layer(created, "stem").weight->channel_wise, true);
  EXPECT_EQ(Layer(created, "stem").dmq_balancer_param, std::nullopt);
  // By type.
  EXPECT_EQ(Layer(created, "body.conv").weight->num_bits, 7);
  EXPECT_EQ(Layer(created, "body.conv").weight->channel_wise, false);
  EXPECT_EQ(Layer(created, "body.conv").dmq_balancer_param, std::nullopt);
  EXPECT_TRUE(
      std::holds_alternative<IfmrParameters>(Layer(created, "body.conv").activation.algorithm));
  // Common.
  EXPECT_EQ(Layer(created, "fc1").dmq_balancer_param, 0.4);
  EXPECT_EQ(std::get<HfmgParameters>(Layer(created, "fc1").activation.algorithm).num_of_bins, 2048);
}

TEST(CreatePtqConfig, AsymmetricComesFromCommonOfTheSameAlgorithm) {
  AmctConfig simplified;
  simplified.activation_offset = true;
  simplified.common_config = Activation({8, IfmrParameters(), false});
  simplified.override_layer_configs = {
      {"stem", Activation({8, IfmrParameters(), std::nullopt})},
      {"fc1", Activation({8, HfmgParameters(), std::nullopt})},
      {"fc2", Activation({8, IfmrParameters(), true})},
  };
  const CreatedPtqConfig created = Create(simplified);
  EXPECT_EQ(Layer(created, "stem").activation.asymmetric, false);
  EXPECT_EQ(Layer(created, "fc1").activation.asymmetric, true);
  EXPECT_EQ(Layer(created, "fc2").activation.asymmetric, true);
  EXPECT_EQ(Layer(created, "up2d").activation.asymmetric, false);
}

TEST(CreatePtqConfig, AsymmetricInheritedIsForcedOffForConv3d) {
  AmctConfig simplified = Common(Activation({8, IfmrParameters(), true}));
  simplified.override_layer_configs = {{"conv3d", Activation({8, IfmrParameters(), std::nullopt})}};
  EXPECT_EQ(Layer(Create(simplified), "conv3d").activation.asymmetric, false);
  simplified.override_layer_configs.clear();
  const CreatedPtqConfig created = Create(simplified);
  EXPECT_EQ(Layer(created, "conv3d").activation.asymmetric, false);
  EXPECT_THAT(created.notes, ElementsAre("common_config: layer 'conv3d': Conv3d takes symmetric "
                                         "activations only; its activation is symmetric"));
  EXPECT_EQ(
      Error(ForType("Conv3d", Activation({8, IfmrParameters(), true}))),
      "override_layer_types 'Conv3d': layer 'conv3d': Conv3d takes symmetric activations only");
}

TEST(CreatePtqConfig, BalancingWhereItCanBe) {
  const CreatedPtqConfig created = Create(Common(Balanced(0.5)));
  EXPECT_EQ(Layer(created, "stem").dmq_balancer_param, 0.5);
  EXPECT_EQ(Layer(created, "conv3d").dmq_balancer_param, 0.5);
  EXPECT_EQ(Layer(created, "pool").dmq_balancer_param, std::nullopt);
  EXPECT_EQ(Layer(created, "lstm").dmq_balancer_param, std::nullopt);
  EXPECT_EQ(Layer(created, "gru").dmq_balancer_param, std::nullopt);
  EXPECT_THAT(created.notes,
              ElementsAre("common_config: layer 'pool': AvgPool2d cannot be balanced; it is not",
                          "common_config: layer 'lstm': LSTM cannot be balanced; it is not",
                          "common_config: layer 'gru': GRU cannot be balanced; it is not"));
  EXPECT_EQ(Error(ForType("AvgPool2d", Balanced(0.5))),
            "override_layer_types 'AvgPool2d': layer 'pool': AvgPool2d cannot be balanced");
  EXPECT_EQ(Error(ForLayer("lstm", Balanced(0.5))),
            "override_layer_configs 'lstm': layer 'lstm': LSTM cannot be balanced");
}

TEST(CreatePtqConfig, SixteenBitActivationsWhereTheyCanBe) {
  const CreatedPtqConfig created = Create(Common(Int16()));
  for (const auto& layer : created.config.layers) {
    const bool cannot = layer.name == "conv3d" || layer.name == "pool" || layer.name == "fc2";
    EXPECT_EQ(layer.activation.num_bits, cannot ? 8 : 16) << layer.name;
  }
  EXPECT_THAT(
      created.notes,
      ElementsAre("common_config: layer 'conv3d': Conv3d takes no 16-bit activations; 8 bits "
                  "are used",
                  "common_config: layer 'pool': AvgPool2d takes no 16-bit activations; 8 bits "
                  "are used",
                  "common_config: layer 'fc2': a Linear layer takes 16-bit activations only "
                  "if it has a bias; 8 bits are used"));
  EXPECT_EQ(
      Error(ForType("Linear", Int16())),
      "override_layer_types 'Linear': layer 'fc2': a Linear layer takes 16-bit activations only "
      "if it has a bias");
  EXPECT_EQ(Layer(Create(ForLayer("fc1", Int16())), "fc1").activation.num_bits, 16);
}

TEST(CreatePtqConfig, SixAndSevenBitWeightsForConv2dOnly) {
  const CreatedPtqConfig created = Create(Common(Arq(std::nullopt, 6)));
  for (const auto& layer : created.config.layers) {
    const bool conv2d = layer.name == "stem" || layer.name.rfind("body.", 0) == 0;
    EXPECT_EQ(layer.weight->num_bits, conv2d ? 6 : 8) << layer.name;
  }
  EXPECT_EQ(created.notes.size(), 9u);
  EXPECT_EQ(
      Error(ForLayer("fc1", Arq(std::nullopt, 7))),
      "override_layer_configs 'fc1': layer 'fc1': only Conv2d takes 6- or 7-bit weights, this is "
      "Linear");
}

TEST(CreatePtqConfig, FourBitWeightsAreDowngradedEverywhere) {
  const CreatedPtqConfig created = Create(Common(Arq(std::nullopt, 4)));
  for (const auto& layer : created.config.layers) {
    const bool cannot = layer.name == "stem" || layer.name == "body.dw" || layer.name == "pool" ||
                        layer.name == "gru";
    EXPECT_EQ(layer.weight->num_bits, cannot ? 8 : 4) << layer.name;
  }
  EXPECT_THAT(
      created.notes,
      ElementsAre("common_config: layer 'stem': 4-bit weights are packed in pairs and there "
                  "are 3 input channels; 8 bits are used",
                  "common_config: layer 'body.dw': 4-bit weights cannot be packed when group "
                  "is 16; 8 bits are used",
                  "common_config: layer 'pool': AvgPool2d has no weight; 8 bits are used",
                  "common_config: layer 'gru': 4-bit weights are packed in pairs and there "
                  "are 15 input channels; 8 bits are used"));
  // In an override as well.
  const CreatedPtqConfig by_name = Create(ForLayer("stem", Arq(std::nullopt, 4)));
  EXPECT_EQ(Layer(by_name, "stem").weight->num_bits, 8);
  EXPECT_EQ(by_name.notes.size(), 1u);
}

TEST(CreatePtqConfig, AdaRoundWhereItCanBe) {
  const CreatedPtqConfig created = Create(Common(Ada()));
  for (const auto& layer : created.config.layers) {
    const bool can = layer.name == "stem" || layer.name.rfind("body.", 0) == 0 ||
                     layer.name == "up2d" || layer.name.rfind("fc", 0) == 0;
    EXPECT_EQ(layer.weight.has_value(), can) << layer.name;
    if (can) {
      EXPECT_EQ(layer.weight->ada, AdaParameters()) << layer.name;
    }
  }
  EXPECT_EQ(created.notes.size(), 6u);
  EXPECT_EQ(Error(ForType("Conv1d", Ada())),
            "override_layer_types 'Conv1d': layer 'conv1d': ada_quantize is for Conv2d, "
            "ConvTranspose2d and Linear, this is Conv1d");
}

TEST(CreatePtqConfig, ChannelWiseOfCommonIsLeftOutWhereThereIsOneScale) {
  const CreatedPtqConfig created = Create(Common(Arq(true)));
  EXPECT_EQ(Layer(created, "stem").weight->channel_wise, true);
  EXPECT_EQ(Layer(created, "fc1").weight->channel_wise, false);
  EXPECT_EQ(Layer(created, "pool").weight->channel_wise, false);
  EXPECT_THAT(
      created.notes,
      testing::Contains("common_config: layer 'fc1': channel_wise cannot be true, Linear has "
                        "one weight scale; it is false"));
  EXPECT_EQ(
      Error(ForType("Linear", Arq(true))),
      "override_layer_types 'Linear': layer 'fc1': channel_wise cannot be true, Linear has one "
      "weight scale");
  const CreatedPtqConfig tensor_wise = Create(Common(Arq(false)));
  EXPECT_EQ(Layer(tensor_wise, "stem").weight->channel_wise, false);
  EXPECT_EQ(Layer(tensor_wise, "lstm").weight->channel_wise, true);
  EXPECT_THAT(tensor_wise.notes,
              testing::Contains("common_config: layer 'lstm': the gates of LSTM and GRU are always "
                                "scaled one by one; channel_wise is true"));
}

TEST(CreatePtqConfig, SkipsByNameAndType) {
  AmctConfig simplified;
  simplified.skip_layers = {"stem"};
  simplified.skip_layer_types = {"Linear", "AvgPool2d"};
  const CreatedPtqConfig created = Create(simplified);
  for (const auto& layer : created.config.layers) {
    const bool skipped =
        layer.name == "stem" || layer.name == "fc1" || layer.name == "fc2" || layer.name == "pool";
    EXPECT_EQ(layer.quant_enable, !skipped) << layer.name;
  }
}

TEST(CreatePtqConfig, ErrorsOfNames) {
  AmctConfig simplified;
  simplified.skip_layers = {"fc1", "stem", "fc1"};
  EXPECT_EQ(Error(simplified), "skip_layers: 'fc1' is there twice");
  simplified.skip_layers = {"fc3"};
  EXPECT_EQ(Error(simplified),
            "skip_layers: the model has no layer 'fc3' (did you mean 'fc1' or 'fc2'?)");
  simplified.skip_layers = {"something.else.entirely"};
  EXPECT_EQ(Error(simplified), "skip_layers: the model has no layer 'something.else.entirely'");
  simplified.skip_layers = {"relu"};
  EXPECT_EQ(
      Error(simplified),
      "skip_layers: 'relu' of type Relu cannot be quantised: its operator is not among those");
  simplified.skip_layers = {"shared"};
  EXPECT_EQ(
      Error(simplified),
      "skip_layers: 'shared' of type Conv2d cannot be quantised: its weight is used by another "
      "layer");
  EXPECT_EQ(
      Error(ForLayer("stm", Arq(false))),
      "override_layer_configs: the model has no layer 'stm' (did you mean 'stem' or 'lstm'?)");
  AmctConfig twice = ForLayer("stem", Arq(false));
  twice.override_layer_configs.push_back(twice.override_layer_configs[0]);
  EXPECT_EQ(Error(twice), "override_layer_configs: 'stem' is there twice");
}

TEST(CreatePtqConfig, ErrorsOfTypes) {
  AmctConfig simplified;
  simplified.skip_layer_types = {"Linear", "Linear"};
  EXPECT_EQ(Error(simplified), "skip_layer_types: 'Linear' is there twice");
  simplified.skip_layer_types = {"Conv2D"};
  EXPECT_EQ(Error(simplified),
            "skip_layer_types: 'Conv2D' is not a layer type that can be quantised (did you mean "
            "'Conv2d', 'Conv1d' or 'Conv3d'?)");
  simplified.skip_layer_types = {"Softmax"};
  EXPECT_EQ(
      Error(simplified),
      "skip_layer_types: 'Softmax' is not a layer type that can be quantised (types are Conv1d, "
      "Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, Linear, AvgPool2d, LSTM, GRU, or "
      "operators: Conv, ConvTranspose, Gemm, MatMul, AveragePool)");
  EXPECT_EQ(Error(ForType("MatMull", Arq(false))),
            "override_layer_types: 'MatMull' is not a layer type that can be quantised (did you "
            "mean 'MatMul'?)");

  NetworkDescription network;
  network.layers = {{"fc", LayerType::kLinear, 1, {4}, true}};
  network.others = {{"shared", "Conv2d", "its weight is used by another layer"}};
  EXPECT_EQ(Error(ForType("GRU", Arq(true)), network),
            "override_layer_types: the model has no layer of type GRU");
  EXPECT_EQ(
      Error(ForType("Conv2d", Arq(true)), network),
      "override_layer_types: no layer of type Conv2d can be quantised; 'shared': its weight is "
      "used by another layer");
}

TEST(CreatePtqConfig, ErrorsOfSkipFusion) {
  AmctConfig simplified;
  simplified.skip_fusion_layers = {"stem", "conv3d", "shared"};
  EXPECT_EQ(Error(simplified), "no error");
  simplified.skip_fusion_layers = {"stem", "stem"};
  EXPECT_EQ(Error(simplified), "skip_fusion_layers: 'stem' is there twice");
  simplified.skip_fusion_layers = {"fc1"};
  EXPECT_EQ(Error(simplified),
            "skip_fusion_layers: 'fc1' is of type Linear; only Conv1d, Conv2d and Conv3d are fused "
            "with BatchNormalization");
  simplified.skip_fusion_layers = {"relu"};
  EXPECT_EQ(Error(simplified),
            "skip_fusion_layers: 'relu' is of type Relu; only Conv1d, Conv2d and Conv3d are fused "
            "with BatchNormalization");
  simplified.skip_fusion_layers = {"body.conf"};
  EXPECT_EQ(Error(simplified),
            "skip_fusion_layers: the model has no layer 'body.conf' (did you mean "
            "'body.conv'?)");
}

TEST(CreatePtqConfig, ErrorsOfTheNetwork) {
  NetworkDescription network;
  EXPECT_EQ(Error({}, network), "the model has no layer that can be quantised");
  network.layers = {{"batch_num", LayerType::kLinear, 1, {4}, true}};
  EXPECT_EQ(Error({}, network),
            "layer 'batch_num' has the name of a global key of the configuration: rename it");
  network.layers = {{"a", LayerType::kLinear, 1, {4}, true},
                    {"a", LayerType::kLinear, 1, {4}, true}};
  EXPECT_EQ(Error({}, network),
            "two layers are named 'a': rename one, so that rules can tell them apart");
  network.layers.pop_back();
  AmctConfig simplified;
  simplified.skip_layers = {"a"};
  EXPECT_EQ(Error(simplified, network),
            "every layer that can be quantised is skipped: nothing is left to do");
}

TEST(CreatePtqConfig, ErrorsOfValues) {
  AmctConfig simplified;
  simplified.batch_num = 0;
  EXPECT_EQ(Error(simplified), "batch_num is 0, it must be above 0");
  EXPECT_EQ(Error(Common(Balanced(0.1))),
            "common_config: dmq_balancer_param is 0.1, it must be from 0.2 to 0.8");
  EXPECT_EQ(Error(ForType("Conv2d", Arq(true, 5))),
            "override_layer_types 'Conv2d': num_bits is 5, allowed are 4, 6, 7, 8");
  EXPECT_EQ(
      Error(ForLayer("stem", Activation({8, HfmgParameters{1000}, {}}))),
      "override_layer_configs 'stem': num_of_bins is 1000, allowed are 1024, 2048, 4096, 8192");
  EXPECT_EQ(Error(Common(Activation({8, IfmrParameters{1.5}, {}}))),
            "common_config: max_percentile is 1.5, it must be above 0.5 and at most 1");
}

NetworkDescription WithLayerOnRequest() {
  NetworkDescription network = SmallNetwork();
  for (const std::string name : {"both", "zz_reverse"}) {
    LayerDescription layer = network.layers[8];
    layer.name = name;
    layer.on_request = "its direction is not forward";
    network.layers.push_back(std::move(layer));
  }
  return network;
}

TEST(CreatePtqConfig, LayersOnRequestAreThereWhenNamed) {
  const NetworkDescription network = WithLayerOnRequest();
  const auto names = [&](const AmctConfig& simplified) {
    const auto created = CreatePtqConfig(network, simplified);
    EXPECT_TRUE(created.ok()) << FormatError(created.status());
    std::vector<std::string> result;
    if (created.ok()) {
      for (const auto& layer : created->config.layers) result.push_back(layer.name);
    }
    return result;
  };
  std::vector<std::string> usual = names(AmctConfig());
  EXPECT_EQ(usual.size(), SmallNetwork().layers.size());
  EXPECT_EQ(names(Common(Arq(std::nullopt))), usual);
  EXPECT_EQ(names(ForType("LSTM", Arq(std::nullopt))), usual);
  usual.emplace_back("both");
  std::ranges::sort(usual);
  EXPECT_EQ(names(ForLayer("both", Arq(std::nullopt))), usual);

  const auto created = CreatePtqConfig(network, ForLayer("both", Arq(std::nullopt, 6)));
  EXPECT_EQ(FormatError(created.status()),
            "override_layer_configs 'both': layer 'both': only Conv2d takes 6- or 7-bit weights, "
            "this is LSTM");
}

TEST(CreatePtqConfig, LayersOnRequestThatNobodyNames) {
  NetworkDescription network = WithLayerOnRequest();
  AmctConfig simplified;
  simplified.skip_layers = {"both"};
  EXPECT_EQ(Error(simplified, network),
            "skip_layers: 'both' of type LSTM is left out anyway: its direction is not forward");
  std::erase_if(network.layers, [](const auto& layer) { return layer.name == "lstm"; });
  EXPECT_EQ(Error(ForType("LSTM", Arq(std::nullopt)), network),
            "override_layer_types: no layer of type LSTM is quantised without being named; 'both': "
            "its direction is not forward");
  std::erase_if(network.layers, [](const auto& layer) { return layer.on_request.empty(); });
  EXPECT_EQ(Error(AmctConfig(), network),
            "the model has no layer that can be quantised ('both': its direction is not forward; "
            "override_layer_configs that names it quantises it)");
  simplified = ForLayer("both", Arq(std::nullopt));
  simplified.skip_layers = {"both"};
  EXPECT_EQ(Error(simplified, network),
            "every layer that can be quantised is skipped: nothing is left to do");
}

// The ONNX flavour names types by operators.
TEST(CreatePtqConfig, TypesByOperator) {
  AmctConfig simplified;
  simplified.skip_layer_types = {"Gemm", "AveragePool"};
  simplified.override_layer_types = {{"Conv", Balanced(0.7)}, {"MatMul", Balanced(0.3)}};
  const CreatedPtqConfig created = Create(simplified);
  EXPECT_FALSE(Layer(created, "fc1").quant_enable);
  EXPECT_FALSE(Layer(created, "pool").quant_enable);
  EXPECT_TRUE(Layer(created, "fc2").quant_enable);
  EXPECT_EQ(Layer(created, "conv3d").dmq_balancer_param, 0.7);
  EXPECT_EQ(Layer(created, "stem").dmq_balancer_param, 0.7);
  EXPECT_EQ(Layer(created, "fc2").dmq_balancer_param, 0.3);
  EXPECT_EQ(Layer(created, "fc1").dmq_balancer_param, std::nullopt);
  EXPECT_EQ(Layer(created, "up2d").dmq_balancer_param, std::nullopt);

  EXPECT_EQ(Error(ForType("AveragePool", Balanced(0.5))),
            "override_layer_types 'AveragePool': layer 'pool': AvgPool2d cannot be balanced");
  simplified.override_layer_types = {{"Conv1d", Balanced(0.7)}, {"Conv", Balanced(0.3)}};
  EXPECT_EQ(Error(simplified),
            "override_layer_types: both 'Conv1d' and 'Conv' are types of layer 'conv1d': give only "
            "one");
  NetworkDescription network = SmallNetwork();
  std::erase_if(network.layers, [](const auto& layer) { return layer.op == "Gemm"; });
  EXPECT_EQ(Error(ForType("Gemm", Balanced(0.5)), network),
            "override_layer_types: the model has no layer of type Gemm");
}

TEST(CreatePtqConfig, OlderOverrideOfFullyConnectedLayers) {
  AmctConfig simplified = Common(Balanced(0.6));
  simplified.fc_calibration_config = Activation({8, HfmgParameters{1024}, std::nullopt});
  const CreatedPtqConfig created = Create(simplified);
  for (const char* name : {"fc1", "fc2", "pool"}) {
    EXPECT_EQ(Layer(created, name).dmq_balancer_param, std::nullopt);
    EXPECT_TRUE(std::holds_alternative<HfmgParameters>(Layer(created, name).activation.algorithm));
  }
  EXPECT_EQ(Layer(created, "stem").dmq_balancer_param, 0.6);

  simplified.fc_calibration_config = Arq(true);
  EXPECT_EQ(Error(simplified),
            "fc_calibration_config: channel_wise cannot be true, it is for layers with one weight "
            "scale");
  simplified.fc_calibration_config = Balanced(0.5);
  EXPECT_EQ(Error(simplified), "fc_calibration_config: layer 'pool': AvgPool2d cannot be balanced");
  simplified.fc_calibration_config = Balanced(0.1);
  EXPECT_EQ(Error(simplified).rfind("fc_calibration_config: dmq_balancer_param is 0.1", 0), 0u)
      << Error(simplified);
}

}  // namespace
}  // namespace lathe::quant
