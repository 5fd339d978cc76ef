#include "lathe/frontends/config/ptq_json.h"

#include <limits>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lathe/backends/config/ptq_json.h"

namespace lathe {
namespace {

using frontends::ParsePtqJson;
using quant::HfmgParameters;
using quant::IfmrParameters;
using quant::PtqConfig;

std::string Error(std::string_view text) {
  const auto config = ParsePtqJson(text);
  return config.ok() ? "no error" : FormatError(config.status());
}

// The error of a configuration with one layer 'c' that holds `body`.
std::string LayerError(const std::string& body) { return Error("{\"c\":{" + body + "}}"); }
std::string ActivationError(const std::string& body) {
  return LayerError("\"activation_quant_params\":{" + body + "}");
}
std::string WeightError(const std::string& body) {
  return LayerError("\"activation_quant_params\":{},\"weight_quant_params\":{" + body + "}");
}

quant::PtqLayerConfig Named(std::string_view name) {
  quant::PtqLayerConfig layer;
  layer.name = name;
  return layer;
}

PtqConfig Parse(std::string_view text) {
  const auto config = ParsePtqJson(text);
  EXPECT_TRUE(config.ok()) << FormatError(config.status());
  return config.ok() ? *config : PtqConfig();
}

TEST(PtqJson, MissingKeysTakeDefaults) {
  const PtqConfig config = Parse(R"({"c": {"activation_quant_params": {}}})");
  PtqConfig expected;
  expected.layers.push_back(Named("c"));
  EXPECT_EQ(config, expected);
  EXPECT_FALSE(config.layers[0].quant_enable);
  EXPECT_EQ(Parse("{}"), PtqConfig());
}

TEST(PtqJson, EveryKey) {
  const PtqConfig config = Parse(R"({
    "version": 1, "batch_num": 7, "activation_offset": false, "do_fusion": false,
    "fakequant_precision_mode": "FORCE_FP16_QUANT", "skip_fusion_layers": ["c", "d"],
    "d": {"quant_enable": true, "dmq_balancer_param": 0.25,
      "activation_quant_params": {"num_bits": 16, "max_percentile": 0.9, "min_percentile": 1,
        "search_range": [0.5, 2], "search_step": 0.25, "act_algo": "ifmr", "asymmetric": true},
      "weight_quant_params": {"num_bits": 7, "channel_wise": true, "wts_algo": "arq_quantize"}},
    "c": {"quant_enable": false,
      "activation_quant_params": {"num_of_bins": 1024},
      "weight_quant_params": {"wts_algo": "ada_quantize", "reg_param": 0.5, "warm_start": 0.75,
        "num_iteration": 0, "beta_range": [3, 1.5], "channel_wise": false}}})");
  PtqConfig expected;
  expected.batch_num = 7;
  expected.activation_offset = false;
  expected.do_fusion = false;
  expected.force_fp16_quant = true;
  expected.skip_fusion_layers = {"c", "d"};
  expected.layers = {{"d",
                      true,
                      0.25,
                      {16, IfmrParameters{0.9, 1, {0.5, 2}, 0.25}, true},
                      quant::WeightConfig{7, true, {}}},
                     {"c",
                      false,
                      {},
                      {8, HfmgParameters{1024}, {}},
                      quant::WeightConfig{8, false, quant::AdaParameters{0.5, 0.75, 0, {3, 1.5}}}}};
  EXPECT_EQ(config, expected);
  EXPECT_EQ(Parse(*backends::WritePtqJson(config)).layers[1], expected.layers[0]);
}

TEST(PtqJson, DefaultPrecisionModeIsNotWritten) {
  EXPECT_EQ(*backends::WritePtqJson(Parse(R"({"fakequant_precision_mode": "DEFAULT"})")),
            "{\n    \"version\":1,\n    \"batch_num\":1,\n    \"activation_offset\":true,\n"
            "    \"do_fusion\":true,\n    \"skip_fusion_layers\":[]\n}");
}

TEST(PtqJson, ErrorsOfSyntaxSayWhere) {
  EXPECT_EQ(Error(""), "the text is empty");
  EXPECT_EQ(Error(" \n "), "the text is empty");
  EXPECT_EQ(Error("{\n  \"version\": 1,\n}"),
            "line 3, column 1: not JSON: unexpected '}'; expected string literal");
  EXPECT_EQ(Error("{\"a\": tru}"), "line 1, column 10: not JSON: invalid literal");
  EXPECT_EQ(Error("{\"a\": NaN}"), "line 1, column 7: not JSON: invalid literal");
  EXPECT_EQ(Error("{} {}"), "line 1, column 4: not JSON: unexpected '{'; expected end of input");
  EXPECT_EQ(Error("{\"a\": 1e999}"), "line 1, column 11: the number is out of range");
  EXPECT_EQ(Error("[1, 2]"), "a configuration must be an object, this is a list");
  EXPECT_EQ(Error("3"), "a configuration must be an object, this is an integer");
}

TEST(PtqJson, ErrorsOfRepeatedKeys) {
  EXPECT_EQ(Error(R"({"version": 1, "version": 1})"), "key 'version' is there twice");
  EXPECT_EQ(LayerError(R"("quant_enable": true, "quant_enable": true)"),
            "in 'c': key 'quant_enable' is there twice");
  EXPECT_EQ(ActivationError(R"("num_bits": 8, "num_bits": 8)"),
            "in 'c', 'activation_quant_params': key 'num_bits' is there twice");
  EXPECT_EQ(Error(R"({"c": {"activation_quant_params": {}}, "c": {}})"), "key 'c' is there twice");
}

TEST(PtqJson, ErrorsOfGlobalKeys) {
  EXPECT_EQ(Error(R"({"version": 2})"), "version is 2, only version 1 is known");
  EXPECT_EQ(Error(R"({"version": "1"})"), "version must be an integer, it is a string");
  EXPECT_EQ(Error(R"({"batch_num": 0})"), "batch_num is 0, it must be above 0");
  EXPECT_EQ(Error(R"({"batch_num": -3})"), "batch_num is -3, it must be above 0");
  EXPECT_EQ(Error(R"({"batch_num": 2.0})"), "batch_num must be an integer, it is a number");
  EXPECT_EQ(Error(R"({"batch_num": true})"), "batch_num must be an integer, it is true or false");
  EXPECT_EQ(Error(R"({"batch_num": {}})"), "batch_num must be an integer, it is an object");
  EXPECT_EQ(Error(R"({"batch_num": 9223372036854775808})"),
            "in 'batch_num': 9223372036854775808 is too large an integer");
  EXPECT_EQ(Error(R"({"batch_num": 99999999999999999999999})"),
            "in 'batch_num': '99999999999999999999999' is too large an integer");
  EXPECT_EQ(Error(R"({"activation_offset": 1})"),
            "activation_offset must be true or false, it is an integer");
  EXPECT_EQ(Error(R"({"do_fusion": null})"), "do_fusion must be true or false, it is null");
  EXPECT_EQ(Error(R"({"fakequant_precision_mode": "FP16"})"),
            "fakequant_precision_mode is 'FP16', allowed are DEFAULT, FORCE_FP16_QUANT");
  EXPECT_EQ(Error(R"({"skip_fusion_layers": "c"})"),
            "skip_fusion_layers must be a list of strings, it is a string");
  EXPECT_EQ(Error(R"({"skip_fusion_layers": ["c", 1]})"),
            "skip_fusion_layers[1] must be a string, it is an integer");
  EXPECT_EQ(
      Error(R"({"batchnum": 2})"),
      "'batchnum' is neither a global key nor a layer: a layer is an object, this is an integer "
      "(did you mean 'batch_num'?)");
  EXPECT_EQ(Error(R"({"conv1": []})"),
            "'conv1' is neither a global key nor a layer: a layer is an object, this is a list");
}

TEST(PtqJson, ErrorsOfLayers) {
  EXPECT_EQ(LayerError(R"("quant_enable": true)"),
            "layer 'c': activation_quant_params is missing (an empty object is enough)");
  EXPECT_EQ(LayerError(R"("quant_enabled": true)"),
            "layer 'c': unknown key 'quant_enabled' (did you mean 'quant_enable'?)");
  EXPECT_EQ(LayerError(R"("x": 1)"), "layer 'c': unknown key 'x'");
  EXPECT_EQ(LayerError(R"("quant_enable": "yes")"),
            "layer 'c': quant_enable must be true or false, it is a string");
  EXPECT_EQ(LayerError(R"("activation_quant_params": 1)"),
            "layer 'c': activation_quant_params must be an object, it is an integer");
  EXPECT_EQ(LayerError(R"("activation_quant_params": {}, "weight_quant_params": null)"),
            "layer 'c': weight_quant_params must be an object, it is null");
  EXPECT_EQ(LayerError(R"("dmq_balancer_param": 0.9)"),
            "layer 'c': dmq_balancer_param is 0.9, it must be from 0.2 to 0.8");
  EXPECT_EQ(LayerError(R"("dmq_balancer_param": "x")"),
            "layer 'c': dmq_balancer_param must be a number, it is a string");
}

TEST(PtqJson, ErrorsOfActivations) {
  const std::string where = "layer 'c', activation_quant_params: ";
  EXPECT_EQ(ActivationError(R"("num_bit": 8)"),
            where + "unknown key 'num_bit' (did you mean 'num_bits'?)");
  EXPECT_EQ(ActivationError(R"("num_bits": 6)"), where + "num_bits is 6, allowed are 4, 8, 16");
  EXPECT_EQ(ActivationError(R"("num_bits": 4294967304)"),
            where + "num_bits is 4294967304, allowed are 4, 8, 16");
  EXPECT_EQ(ActivationError(R"("num_bits": 8.0)"),
            where + "num_bits must be an integer, it is a number");
  EXPECT_EQ(ActivationError(R"("max_percentile": 0.5)"),
            where + "max_percentile is 0.5, it must be above 0.5 and at most 1");
  EXPECT_EQ(ActivationError(R"("min_percentile": 1.1)"),
            where + "min_percentile is 1.1, it must be above 0.5 and at most 1");
  EXPECT_EQ(ActivationError(R"("search_range": 1)"),
            where + "search_range must be a list of two numbers, it is an integer");
  EXPECT_EQ(ActivationError(R"("search_range": [1, 2, 3])"),
            where + "search_range must be a list of two numbers, it has 3");
  EXPECT_EQ(ActivationError(R"("search_range": [1, "2"])"),
            where + "search_range[1] must be a number, it is a string");
  EXPECT_EQ(ActivationError(R"("search_range": [1.3, 0.7])"),
            where + "search_range is [1.3, 0.7], it must be [a, b] with 0 < a < b");
  EXPECT_EQ(ActivationError(R"("search_range": [0, 1])"),
            where + "search_range is [0.0, 1.0], it must be [a, b] with 0 < a < b");
  EXPECT_EQ(ActivationError(R"("search_step": 0)"),
            where +
                "search_step is 0.0, it must be above 0 and at most the width of search_range "
                "[0.7, 1.3]");
  EXPECT_EQ(ActivationError(R"("search_step": 0.61)"),
            where +
                "search_step is 0.61, it must be above 0 and at most the width of search_range "
                "[0.7, 1.3]");
  EXPECT_EQ(ActivationError(R"("act_algo": "kl")"),
            where + "act_algo is 'kl', allowed are ifmr, hfmg");
  EXPECT_EQ(ActivationError(R"("asymmetric": 1)"),
            where + "asymmetric must be true or false, it is an integer");
  EXPECT_EQ(ActivationError(R"("num_of_bins": 3000)"),
            where + "num_of_bins is 3000, allowed are 1024, 2048, 4096, 8192");
}

TEST(PtqJson, SearchStepIsComparedInDecimals) {
  // As doubles, 0.9 - 0.8 is less than 0.1.
  EXPECT_EQ(ActivationError(R"("search_range": [0.8, 0.9], "search_step": 0.1)"), "no error");
  EXPECT_EQ(ActivationError(R"("search_range": [0.7, 1.3], "search_step": 0.6)"), "no error");
  EXPECT_NE(ActivationError(R"("search_range": [0.8, 0.9], "search_step": 0.1000001)"), "no error");
  EXPECT_EQ(ActivationError(R"("search_range": [1e-300, 1e300], "search_step": 1e-300)"),
            "no error");
  EXPECT_NE(ActivationError(R"("search_range": [1e-300, 1], "search_step": 1e300)"), "no error");
}

TEST(PtqJson, ErrorsOfMixedAlgorithms) {
  const std::string activation = "layer 'c', activation_quant_params: ";
  EXPECT_EQ(
      ActivationError(R"("num_of_bins": 1024, "search_step": 0.1)"),
      activation + "search_step belongs to ifmr and num_of_bins to hfmg, give only one of them");
  EXPECT_EQ(ActivationError(R"("act_algo": "ifmr", "num_of_bins": 1024)"),
            activation + "num_of_bins does not belong to act_algo ifmr");
  EXPECT_EQ(ActivationError(R"("act_algo": "hfmg", "max_percentile": 0.9)"),
            activation + "max_percentile does not belong to act_algo hfmg");
  const std::string weight = "layer 'c', weight_quant_params: ";
  EXPECT_EQ(WeightError(R"("wts_algo": "arq_quantize", "reg_param": 0.1)"),
            weight + "reg_param does not belong to wts_algo arq_quantize");
  EXPECT_EQ(WeightError(R"("num_iteration": 5)"),
            weight + "num_iteration does not belong to wts_algo arq_quantize");
}

TEST(PtqJson, ErrorsOfWeights) {
  const std::string where = "layer 'c', weight_quant_params: ";
  const std::string ada = R"("wts_algo": "ada_quantize", )";
  EXPECT_EQ(WeightError(R"("num_bits": 16)"), where + "num_bits is 16, allowed are 4, 6, 7, 8");
  EXPECT_EQ(WeightError(R"("chanel_wise": true)"),
            where + "unknown key 'chanel_wise' (did you mean 'channel_wise'?)");
  EXPECT_EQ(WeightError(R"("channel_wise": "true")"),
            where + "channel_wise must be true or false, it is a string");
  EXPECT_EQ(WeightError(R"("wts_algo": "adaround")"),
            where + "wts_algo is 'adaround', allowed are arq_quantize, ada_quantize");
  EXPECT_EQ(WeightError(ada + R"("reg_param": 1)"),
            where + "reg_param is 1.0, it must be above 0 and below 1");
  EXPECT_EQ(WeightError(ada + R"("warm_start": 0)"),
            where + "warm_start is 0.0, it must be above 0 and below 1");
  EXPECT_EQ(WeightError(ada + R"("num_iteration": -1)"),
            where + "num_iteration is -1, it must not be negative");
  EXPECT_EQ(WeightError(ada + R"("num_iteration": 1.5)"),
            where + "num_iteration must be an integer, it is a number");
  EXPECT_EQ(WeightError(ada + R"("beta_range": [2, 20])"),
            where + "beta_range is [2.0, 20.0], it must be [a, b] with a > b > 0");
  EXPECT_EQ(WeightError(ada + R"("beta_range": [2, 0])"),
            where + "beta_range is [2.0, 0.0], it must be [a, b] with a > b > 0");
}

TEST(PtqJson, NamesOfAnyCharacters) {
  PtqConfig config;
  config.layers.push_back(Named("b/\"\\\n\x01 caf\xC3\xA9 \xF0\x9F\x98\x80"));
  config.layers.push_back(Named(""));
  config.layers.push_back(Named("Bn"));
  const auto text = backends::WritePtqJson(config);
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text->find(R"("b/\"\\\n\u0001 caf\u00e9 \ud83d\ude00":{)"), std::string::npos) << *text;
  const PtqConfig back = Parse(*text);
  ASSERT_EQ(back.layers.size(), 3u);
  EXPECT_EQ(back.layers[0].name, "");
  EXPECT_EQ(back.layers[1].name, "Bn");
  EXPECT_EQ(back.layers[2].name, config.layers[0].name);
}

// Global keys of the ONNX flavour.
TEST(PtqJson, KeysThatAskForNothing) {
  EXPECT_EQ(*frontends::ParsePtqJson(
                R"({"joint_quant": false, "weight_offset": false, "tensor_quantize": []})"),
            PtqConfig());
  EXPECT_EQ(FormatError(frontends::ParsePtqJson(R"({"weight_offset": true})").status()),
            "weight_offset asks for what is not done: remove the key");
  EXPECT_EQ(FormatError(frontends::ParsePtqJson(R"({"weight_offset": 0})").status()),
            "'weight_offset' is neither a global key nor a layer: a layer is an object, this is an "
            "integer");
}

TEST(PtqJson, JointQuant) {
  PtqConfig config;
  config.joint_quant = true;
  const auto text = backends::WritePtqJson(config);
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text->find("\n    \"joint_quant\":true,\n"), std::string::npos) << *text;
  EXPECT_EQ(Parse(*text), config);
  config.joint_quant = false;
  EXPECT_EQ(backends::WritePtqJson(config)->find("joint"), std::string::npos);
  EXPECT_EQ(FormatError(frontends::ParsePtqJson(R"({"joint_quant": 0})").status()),
            "joint_quant must be true or false, it is an integer");
}

TEST(PtqJson, TensorQuantize) {
  PtqConfig config;
  config.tensor_quantize = {
      {"add", 1, {8, quant::HfmgParameters{1024}, false}},
      {"pool", 0, {8, quant::IfmrParameters{}, std::nullopt}},
  };
  const auto text = backends::WritePtqJson(config);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(Parse(*text), config);
  EXPECT_NE(text->find(R"(    "skip_fusion_layers":[],
    "tensor_quantize":[
        {
            "layer_name":"add",
            "input_index":1,
            "activation_quant_params":{
                "num_bits":8,
                "act_algo":"hfmg",
                "asymmetric":false,
                "num_of_bins":1024
            }
        },
)"),
            std::string::npos)
      << *text;
}

TEST(PtqJson, ErrorsOfTensorQuantize) {
  const auto error = [](std::string_view value) {
    const auto config = frontends::ParsePtqJson(fmt::format("{{\"tensor_quantize\": {}}}", value));
    return FormatError(config.status());
  };
  EXPECT_EQ(error("{}"), "tensor_quantize must be a list of objects, it is an object");
  EXPECT_EQ(error("[1]"), "tensor_quantize[0] must be an object, it is an integer");
  EXPECT_EQ(error(R"([{"layer_name": "a", "input_index": 0}])"),
            "tensor_quantize[0]: activation_quant_params is missing");
  EXPECT_EQ(error(R"([{"layer_name": "a", "activation_quant_params": {}}])"),
            "tensor_quantize[0]: input_index is missing");
  EXPECT_EQ(error(R"([{"input_index": 0, "activation_quant_params": {}}])"),
            "tensor_quantize[0]: layer_name is missing");
  EXPECT_EQ(error(R"([{"layer_name": 1, "input_index": 0, "activation_quant_params": {}}])"),
            "tensor_quantize[0]: layer_name must be a string, it is an integer");
  EXPECT_EQ(error(R"([{"layer_name": "a", "input_index": 0.5, "activation_quant_params": {}}])"),
            "tensor_quantize[0]: input_index must be an integer, it is a number");
  EXPECT_EQ(error(R"([{"layer_name": "a", "input_index": 0, "activation_quant_params": []}])"),
            "tensor_quantize[0]: activation_quant_params must be an object, it is a list");
  EXPECT_EQ(
      error(R"([{"layer_name": "a", "input_index": 0, "activation_quant_params": {}, "bits": 8}])"),
      "tensor_quantize[0]: unknown key 'bits'");
  EXPECT_EQ(error(R"([{"layer_name": "a", "input_index": 0,
                       "activation_quant_params": {"num_of_bins": 7}}])"),
            "tensor_quantize[0], activation_quant_params: num_of_bins is 7, allowed are 1024, "
            "2048, 4096, 8192");
}

TEST(PtqJson, ErrorsOfWriting) {
  PtqConfig config;
  config.layers.push_back(Named("do_fusion"));
  EXPECT_EQ(FormatError(backends::WritePtqJson(config).status()),
            "layer 'do_fusion' has the name of a global key of the configuration: rename it");
  config.layers[0] = Named("c1");
  config.layers.push_back(Named("c1"));
  EXPECT_EQ(FormatError(backends::WritePtqJson(config).status()),
            "the configuration has two layers named 'c1'");
  config.layers[1] = Named("c2\xFF");
  EXPECT_EQ(FormatError(backends::WritePtqJson(config).status()),
            "the name 'c2\\xff' is not UTF-8");
  config.layers[1] = Named("c2");
  config.layers[1].dmq_balancer_param = std::numeric_limits<double>::infinity();
  EXPECT_EQ(FormatError(backends::WritePtqJson(config).status()),
            "inf cannot be written to a configuration");
}

}  // namespace
}  // namespace lathe
