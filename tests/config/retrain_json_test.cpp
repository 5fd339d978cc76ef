#include "lathe/frontends/config/retrain_json.h"

#include <limits>

#include <gtest/gtest.h>

#include "lathe/backends/config/retrain_json.h"

namespace lathe {
namespace {

using quant::ClipRange;
using quant::RetrainConfig;

std::string Error(std::string_view text) {
  const auto config = frontends::ParseRetrainJson(text);
  return config.ok() ? "no error" : FormatError(config.status());
}

std::string LayerError(const std::string& layer) {
  return Error(R"({"version": 1, "batch_num": 1, "c": {)" + layer + "}}");
}

std::string DataError(const std::string& data) {
  return LayerError(R"("retrain_data_config": {)" + data + "}");
}

std::string WeightError(const std::string& weight) {
  return LayerError(R"("retrain_weight_config": {)" + weight + "}");
}

TEST(RetrainJson, EveryKeyThereAndBack) {
  const std::string text = R"({
    "version":1,
    "fakequant_precision_mode":"FORCE_FP16_QUANT",
    "batch_num":3,
    "z":{
        "retrain_enable":false,
        "retrain_data_config":{
            "algo":"ulq_quantize",
            "clip_max":6.0,
            "clip_min":-0.5,
            "fixed_min":true,
            "dst_type":"INT16"
        },
        "retrain_weight_config":{
            "algo":"ulq_retrain",
            "dst_type":"INT8",
            "channel_wise":false
        }
    },
    "a":{
        "retrain_enable":true,
        "retrain_data_config":{
            "algo":"ulq_quantize",
            "dst_type":"INT4"
        },
        "retrain_weight_config":{
            "algo":"arq_retrain",
            "channel_wise":true,
            "dst_type":"INT4"
        }
    }
})";
  const auto config = frontends::ParseRetrainJson(text);
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  RetrainConfig expected;
  expected.force_fp16_quant = true;
  expected.batch_num = 3;
  expected.layers = {
      {"z", false, {ClipRange{6, -0.5}, true, 16}, {true, false, 8}},
      {"a", true, {std::nullopt, std::nullopt, 4}, {false, true, 4}},
  };
  EXPECT_EQ(*config, expected);
  const auto written = backends::WriteRetrainJson(*config);
  ASSERT_TRUE(written.ok()) << FormatError(written.status());
  EXPECT_EQ(*written, text);
}

TEST(RetrainJson, MissingKeysAreTheDefaults) {
  const auto config = frontends::ParseRetrainJson(
      R"({"batch_num": 1, "version": 1, "fakequant_precision_mode": "DEFAULT", "a": {},
          "b": {"retrain_data_config": {}, "retrain_weight_config": {}}})");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  RetrainConfig expected;
  expected.layers = {{"a", true, {}, {}}, {"b", true, {}, {}}};
  EXPECT_EQ(*config, expected);
}

TEST(RetrainJson, ErrorsOfGlobalKeys) {
  EXPECT_EQ(Error("[]"), "a configuration must be an object, this is a list");
  EXPECT_EQ(Error(R"({"version": 1})"), "batch_num is missing");
  EXPECT_EQ(Error(R"({"batch_num": 1})"), "version is missing");
  EXPECT_EQ(Error(R"({"version": 2, "batch_num": 1})"), "version is 2, only version 1 is known");
  EXPECT_EQ(Error(R"({"version": 1, "batch_num": 0})"), "batch_num is 0, it must be above 0");
  EXPECT_EQ(Error(R"({"version": 1, "batch_num": 1, "fakequant_precision_mode": "FP16"})"),
            "fakequant_precision_mode is 'FP16', allowed are DEFAULT, FORCE_FP16_QUANT");
  EXPECT_EQ(Error(R"({"version": 1, "batch_num": 1, "batch_nam": 1})"),
            "'batch_nam' is neither a global key nor a layer: a layer is an object, this is an "
            "integer (did you mean 'batch_num'?)");
  EXPECT_EQ(Error("{\"version\": 1,\n  \"batch_num\" 1}"),
            "line 2, column 15: not JSON: unexpected number literal; expected ':'");
}

TEST(RetrainJson, ErrorsOfLayers) {
  EXPECT_EQ(LayerError(R"("retrain_enabled": true)"),
            "layer 'c': unknown key 'retrain_enabled' (did you mean 'retrain_enable'?)");
  EXPECT_EQ(LayerError(R"("retrain_enable": 1)"),
            "layer 'c': retrain_enable must be true or false, it is an integer");
  EXPECT_EQ(LayerError(R"("retrain_data_config": [])"),
            "layer 'c': retrain_data_config must be an object, it is a list");
  EXPECT_EQ(LayerError(R"("retrain_data_config": {"dst_type": "INT16"},
                          "retrain_weight_config": {"dst_type": "INT4"})"),
            "layer 'c': activations of INT16 with weights of INT4: allowed are INT4 with INT4, "
            "INT8 with INT8 or INT4, INT16 with INT8");
  EXPECT_EQ(DataError(R"("dst_type": "INT4")"),
            "layer 'c': activations of INT4 with weights of INT8: allowed are INT4 with INT4, "
            "INT8 with INT8 or INT4, INT16 with INT8");
}

TEST(RetrainJson, ErrorsOfData) {
  EXPECT_EQ(DataError(R"("algo": "ifmr")"),
            "layer 'c', retrain_data_config: algo is 'ifmr', allowed is ulq_quantize");
  EXPECT_EQ(DataError(R"("clip_max": 1)"),
            "layer 'c', retrain_data_config: clip_max is there without clip_min, give both or "
            "none");
  EXPECT_EQ(DataError(R"("clip_min": -1)"),
            "layer 'c', retrain_data_config: clip_min is there without clip_max, give both or "
            "none");
  EXPECT_EQ(DataError(R"("clip_max": 0, "clip_min": -1)"),
            "layer 'c', retrain_data_config: clip_max is 0.0, it must be above 0 and finite");
  EXPECT_EQ(DataError(R"("clip_max": 1e39, "clip_min": -1)"),
            "layer 'c', retrain_data_config: clip_max is 1e+39, it must be above 0 and finite");
  EXPECT_EQ(DataError(R"("clip_max": 1, "clip_min": 0.5)"),
            "layer 'c', retrain_data_config: clip_min is 0.5, it must be below 0 and finite");
  EXPECT_EQ(DataError(R"("fixed_min": "yes")"),
            "layer 'c', retrain_data_config: fixed_min must be true or false, it is a string");
  EXPECT_EQ(DataError(R"("dst_type": "INT7")"),
            "layer 'c', retrain_data_config: dst_type is 'INT7', allowed are INT4, INT8, INT16");
  EXPECT_EQ(DataError(R"("num_bits": 8)"),
            "layer 'c', retrain_data_config: unknown key 'num_bits'");
}

TEST(RetrainJson, ErrorsOfWeights) {
  EXPECT_EQ(WeightError(R"("algo": "arq_quantize")"),
            "layer 'c', retrain_weight_config: algo is 'arq_quantize', allowed are arq_retrain, "
            "ulq_retrain");
  EXPECT_EQ(WeightError(R"("dst_type": "INT16")"),
            "layer 'c', retrain_weight_config: dst_type is INT16, allowed are INT4, INT8");
  EXPECT_EQ(WeightError(R"("channel_wise": null)"),
            "layer 'c', retrain_weight_config: channel_wise must be true or false, it is null");
}

TEST(RetrainJson, WhatCannotBeWritten) {
  const auto error = [](RetrainConfig config) {
    const auto text = backends::WriteRetrainJson(config);
    return text.ok() ? "no error" : FormatError(text.status());
  };
  RetrainConfig config;
  config.layers = {{"version", true, {}, {}}};
  EXPECT_EQ(error(config),
            "layer 'version' has the name of a global key of the configuration: rename it");
  config.layers = {{"a", true, {}, {}}, {"b", true, {}, {}}, {"a", true, {}, {}}};
  EXPECT_EQ(error(config), "the configuration has two layers named 'a'");
  config.layers = {{"a", true, {}, {}}};
  config.layers[0].data.clips = {std::numeric_limits<double>::infinity(), -1};
  EXPECT_EQ(error(config), "inf cannot be written to a configuration");
}

}  // namespace
}  // namespace lathe
