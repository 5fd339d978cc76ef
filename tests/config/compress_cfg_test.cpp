#include "lathe/frontends/config/compress_cfg.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

using quant::AmctPruneConfig;
using quant::FilterPruneConfig;
using quant::SelectivePruneConfig;

template <typename T>
std::string Text(const StatusOr<T>& result) {
  return result.ok() ? "no error" : FormatError(result.status());
}

std::string PruneError(std::string_view text) { return Text(frontends::ParsePruneCfg(text)); }
std::string CompressError(std::string_view text) { return Text(frontends::ParseCompressCfg(text)); }

constexpr std::string_view kFilter =
    "prune_config { filter_pruner { balanced_l2_norm_filter_prune { prune_ratio: 0.3 } } }";

TEST(PruneCfg, EveryField) {
  const auto config = frontends::ParsePruneCfg(R"(
    batch_num: 2
    prune_config { filter_pruner { balanced_l2_norm_filter_prune {
      prune_ratio: 0.3 ascend_optimized: false } } }
    skip_layers: "a" skip_layer_types: "Linear"
    regular_prune_skip_layers: "b" regular_prune_skip_types: "Conv2d"
    override_layer_types { layer_type: "Linear" prune_config { n_out_of_m_pruner {
      l1_selective_prune { n_out_of_m_type: M4N2 update_freq: 5 } } } }
    override_layer_configs { layer_name: "c" prune_config { filter_pruner {
      balanced_l2_norm_filter_prune { prune_ratio: 0.5 } } } }
    override_layer_configs { layer_name: "d" })");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  AmctPruneConfig expected;
  expected.method = FilterPruneConfig{0.3, false};
  expected.skip_layers = {"a"};
  expected.skip_layer_types = {"Linear"};
  expected.regular_prune_skip_layers = {"b"};
  expected.regular_prune_skip_types = {"Conv2d"};
  expected.override_layer_types = {{"Linear", SelectivePruneConfig{4, 2, 5}}};
  expected.override_layer_configs = {{"c", FilterPruneConfig{0.5, true}}};
  EXPECT_EQ(*config, expected);
}

TEST(PruneCfg, OtherPatterns) {
  const auto config = frontends::ParsePruneCfg(
      "prune_config { n_out_of_m_pruner { l1_selective_prune { m: 8 n: 6 } } }");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  EXPECT_EQ(config->method, quant::PruneMethod(SelectivePruneConfig{8, 6, 0}));
  EXPECT_EQ(PruneError("prune_config { n_out_of_m_pruner { l1_selective_prune { m: 8 } } }"),
            "prune_config: m and n are one pattern, give both or none");
  EXPECT_EQ(PruneError("prune_config { n_out_of_m_pruner { l1_selective_prune { "
                       "n_out_of_m_type: M4N2 m: 8 n: 4 } } }"),
            "prune_config: both n_out_of_m_type and m, n are given; one is enough");
}

TEST(PruneCfg, ErrorsSayWhere) {
  EXPECT_EQ(PruneError("prune_config {\n  filter_prune { } }"),
            "line 2, column 3: PruneConfig has no field 'filter_prune' (did you mean "
            "'filter_pruner'?)");
  EXPECT_EQ(PruneError("prune_config { filter_pruner {\n balanced_l2_norm_filter_prune { } } }"),
            "line 2, column 2: balanced_l2_norm_filter_prune has no prune_ratio");
  EXPECT_EQ(PruneError("prune_config { n_out_of_m_pruner { l1_selective_prune {\n"
                       "n_out_of_m_type: M8N4 } } }"),
            "line 2, column 18: Unknown enumeration value of \"M8N4\" for field "
            "\"n_out_of_m_type\".");
  EXPECT_EQ(PruneError("prune_config { }"),
            "prune_config is empty: it takes filter_pruner or n_out_of_m_pruner");
  EXPECT_EQ(PruneError("prune_config { filter_pruner { } }"),
            "prune_config: filter_pruner names no method: balanced_l2_norm_filter_prune");
  EXPECT_EQ(PruneError("override_layer_types { layer_type: \"Linear\" prune_config { "
                       "n_out_of_m_pruner { } } }"),
            "override_layer_types 'Linear', prune_config: n_out_of_m_pruner names no method: "
            "l1_selective_prune");
  EXPECT_EQ(PruneError(""), "there is no prune_config: nothing is to be pruned");
}

TEST(PruneCfg, FieldsForQuantisationAreRefused) {
  const std::string reason =
      "this configuration is for pruning alone, both together is compression: remove the field";
  EXPECT_EQ(PruneError("batch_num: 1\nretrain_data_quant_config { }"),
            "line 2, column 1: retrain_data_quant_config: " + reason);
  EXPECT_EQ(PruneError("quant_skip_layers: \"a\""),
            "line 1, column 1: quant_skip_layers: " + reason);
  EXPECT_EQ(PruneError("override_layer_configs {\n layer_name: \"a\"\n"
                       " retrain_weight_quant_config { } }"),
            "line 3, column 2: retrain_weight_quant_config: " + reason);
}

TEST(CompressCfg, HalvesAreThoseThatAreThere) {
  const auto both = frontends::ParseCompressCfg(
      std::string(kFilter) +
      "retrain_data_quant_config { ulq_quantize { } }"
      "override_layer_types { layer_type: \"Linear\" retrain_weight_quant_config { "
      "arq_retrain { channel_wise: false } } }");
  ASSERT_TRUE(both.ok()) << FormatError(both.status());
  ASSERT_TRUE(both->prune.has_value() && both->quant.has_value());
  EXPECT_TRUE(both->prune->override_layer_types.empty());
  EXPECT_EQ(both->quant->override_layer_types.size(), 1U);
  EXPECT_FALSE(both->quant->only_overrides);

  const auto prune = frontends::ParseCompressCfg(kFilter);
  ASSERT_TRUE(prune.ok());
  EXPECT_TRUE(prune->prune.has_value() && !prune->quant.has_value());

  const auto quant = frontends::ParseCompressCfg(
      "override_layer_configs { layer_name: \"c\" retrain_data_quant_config { } }");
  ASSERT_TRUE(quant.ok());
  EXPECT_FALSE(quant->prune.has_value());
  ASSERT_TRUE(quant->quant.has_value());
  EXPECT_TRUE(quant->quant->only_overrides);
}

TEST(CompressCfg, Errors) {
  EXPECT_EQ(CompressError("skip_layers: \"a\""),
            "there is no prune_config, no retrain_data_quant_config and no "
            "retrain_weight_quant_config: nothing is to be compressed");
  EXPECT_EQ(CompressError("\nprune_confg { }"),
            "line 2, column 1: AMCTRetrainConfig has no field 'prune_confg' (did you mean "
            "'prune_config'?)");
}

}  // namespace
}  // namespace lathe
