#include "lathe/frontends/config/kv_cfg.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

using frontends::ParseKvCfg;
using quant::KvConfig;
using quant::KvLayerConfig;

std::string Error(std::string_view text) {
  const auto config = ParseKvCfg(text);
  return config.ok() ? "no error" : FormatError(config.status());
}

std::string WithAlgorithm(std::string_view algorithm) {
  return fmt::format("kv_cache_quant_config {{ quant_layers: \"k\" calibration_config {{\n{} }} }}",
                     algorithm);
}

TEST(KvCfg, Defaults) {
  const auto config = ParseKvCfg("kv_cache_quant_config { quant_layers: \"k\" }");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  KvConfig expected;
  expected.layers = {{"k", {}, false}};
  EXPECT_EQ(*config, expected);
  EXPECT_EQ(*ParseKvCfg(WithAlgorithm("")), expected);
  EXPECT_EQ(*ParseKvCfg(WithAlgorithm("ifmr_quantize { }")), expected);
  EXPECT_EQ(*ParseKvCfg(WithAlgorithm("ifmr_quantize { quant_granularity: per_tensor }")),
            expected);
}

TEST(KvCfg, EveryField) {
  const auto config = ParseKvCfg(R"(
    batch_num: 3 activation_offset: false
    kv_cache_quant_config {
      quant_layers: "k" quant_layers: "v" quant_layers: "w"
      calibration_config { ifmr_quantize {
        search_range_start: 0.8 search_range_end: 1.2 search_step: 0.02
        max_percentile: 0.9999 min_percentile: 0.999 asymmetric: true
        quant_granularity: per_channel } } }
    override_layers_configs { layer_name: "v" kv_data_quant_config { hfmg_quantize {
      num_of_bins: 1024 asymmetric: false quant_granularity: per_channel } } }
    override_layers_configs { layer_name: "w" })");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  KvConfig expected;
  expected.batch_num = 3;
  expected.activation_offset = false;
  expected.layers = {{"k", {8, quant::IfmrParameters{0.9999, 0.999, {0.8, 1.2}, 0.02}, true}, true},
                     {"v", {8, quant::HfmgParameters{1024}, false}, true},
                     // An override is taken as a whole.
                     {"w", {}, false}};
  EXPECT_EQ(*config, expected);
}

TEST(KvCfg, ErrorsOfText) {
  EXPECT_EQ(Error("batch_num: 1\n kv_cache_config { }"),
            "line 2, column 2: AMCTQuantCaliConfig has no field 'kv_cache_config' (did you mean "
            "'kv_cache_quant_config'?)");
  EXPECT_EQ(Error(WithAlgorithm("ifmr_quantize { dst_type: INT8 }")),
            "line 2, column 17: FMRQuantize has no field 'dst_type'");
  EXPECT_EQ(Error(WithAlgorithm("hfmg_quantize { quant_granularity: per_row }")),
            "line 2, column 36: Unknown enumeration value of \"per_row\" for field "
            "\"quant_granularity\".");
  EXPECT_EQ(Error(WithAlgorithm("ifmr_quantize { } hfmg_quantize { }")),
            "line 2, column 19: Field \"hfmg_quantize\" is specified along with field "
            "\"ifmr_quantize\", another member of oneof \"acts_quant_algo\".");
  EXPECT_EQ(Error("kv_cache_quant_config { quant_layers: \"k\" }\noverride_layers_configs { }"),
            "line 2, column 1: override_layers_configs has no layer_name");
}

TEST(KvCfg, ErrorsOfValues) {
  EXPECT_EQ(Error(""), "no layer is named: nothing is left to do");
  EXPECT_EQ(Error("batch_num: 0 kv_cache_quant_config { quant_layers: \"k\" }"),
            "batch_num is 0, it must be above 0");
  EXPECT_EQ(Error("kv_cache_quant_config { quant_layers: [\"k\", \"v\", \"k\"] }"),
            "quant_layers: 'k' is there twice");
  const std::string layers = "kv_cache_quant_config { quant_layers: \"k\" } ";
  EXPECT_EQ(Error(layers + "override_layers_configs { layer_name: \"v\" }"),
            "override_layers_configs: 'v' is not among quant_layers");
  EXPECT_EQ(Error(layers + "override_layers_configs { layer_name: \"k\" } "
                           "override_layers_configs { layer_name: \"k\" }"),
            "override_layers_configs: 'k' is there twice");
  EXPECT_EQ(Error(WithAlgorithm("hfmg_quantize { num_of_bins: 1000 }")),
            "layer 'k': num_of_bins is 1000, allowed are 1024, 2048, 4096, 8192");
  EXPECT_EQ(Error(WithAlgorithm("ifmr_quantize { max_percentile: 0.5 }")),
            "layer 'k': max_percentile is 0.5, it must be above 0.5 and at most 1");
}

}  // namespace
}  // namespace lathe
