#include "lathe/frontends/config/retrain_cfg.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

using quant::AmctRetrainConfig;
using quant::ClipRange;

std::string Error(std::string_view text) {
  const auto config = frontends::ParseRetrainCfg(text);
  return config.ok() ? "no error" : FormatError(config.status());
}

TEST(RetrainCfg, EmptyIsTheDefaults) {
  const auto config = frontends::ParseRetrainCfg("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(*config, AmctRetrainConfig());
}

TEST(RetrainCfg, EveryField) {
  const auto config = frontends::ParseRetrainCfg(R"(
    batch_num: 4
    fakequant_precision_mode: FORCE_FP16_QUANT
    retrain_data_quant_config { ulq_quantize {
      clip_max_min { clip_max: 6.1 clip_min: -0.1 } fixed_min: false dst_type: INT16 } }
    retrain_weight_quant_config { ulq_retrain { channel_wise: true } }
    skip_layers: "a" skip_layer_types: "Conv1d" quant_skip_layers: "b" quant_skip_types: "LSTM"
    override_layer_types { layer_type: "Linear"
      retrain_weight_quant_config { arq_retrain { channel_wise: false dst_type: INT4 } } }
    override_layer_configs { layer_name: "c" retrain_data_quant_config { ulq_quantize {
      fixed_min: true dst_type: INT4 } } }
    override_layer_configs { layer_name: "d" })");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  AmctRetrainConfig expected;
  expected.batch_num = 4;
  expected.force_fp16_quant = true;
  expected.data = {ClipRange{6.1, -0.1}, false, 16};
  expected.weight = {true, true, 8};
  expected.skip_layers = {"a"};
  expected.skip_layer_types = {"Conv1d"};
  expected.quant_skip_layers = {"b"};
  expected.quant_skip_types = {"LSTM"};
  expected.override_layer_types = {{"Linear", {}, {false, false, 4}}};
  expected.override_layer_configs = {{"c", {std::nullopt, true, 4}, {}}, {"d", {}, {}}};
  EXPECT_EQ(*config, expected);
}

TEST(RetrainCfg, ErrorsSayWhere) {
  EXPECT_EQ(Error("batch_num: 1\nskip_layer: \"a\""),
            "line 2, column 1: AMCTRetrainConfig has no field 'skip_layer' (did you mean "
            "'skip_layers', 'skip_layer_types' or 'quant_skip_layers'?)");
  EXPECT_EQ(Error("retrain_data_quant_config {\n  ulq_quantize { clip_max_min { clip_max: 3 } } }"),
            "line 2, column 18: clip_max_min has no clip_min");
  EXPECT_EQ(Error("override_layer_configs { }"),
            "line 1, column 1: override_layer_configs has no layer_name");
  EXPECT_EQ(Error("common_config { }"),
            "line 1, column 1: AMCTRetrainConfig has no field 'common_config'");
}

TEST(RetrainCfg, FieldsForPruningAreRefused) {
  const std::string reason =
      "this configuration is for quantisation alone, pruning has its own: remove the field";
  EXPECT_EQ(Error("batch_num: 1\nprune_config { }"), "line 2, column 1: prune_config: " + reason);
  EXPECT_EQ(Error("regular_prune_skip_layers: \"a\""),
            "line 1, column 1: regular_prune_skip_layers: " + reason);
  EXPECT_EQ(Error("regular_prune_skip_types: \"Conv2d\""),
            "line 1, column 1: regular_prune_skip_types: " + reason);
  EXPECT_EQ(Error("override_layer_configs {\n layer_name: \"a\"\n prune_config { } }"),
            "line 3, column 2: prune_config: " + reason);
  EXPECT_EQ(Error("override_layer_types { layer_type: \"Conv2d\" prune_config { } }"),
            "line 1, column 45: prune_config: " + reason);
}

}  // namespace
}  // namespace lathe
