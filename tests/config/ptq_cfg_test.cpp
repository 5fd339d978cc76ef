#include "lathe/frontends/config/ptq_cfg.h"

#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/quant/config/create_ptq_config.h"
#include "small_network.h"

namespace lathe {
namespace {

using frontends::ParsePtqCfg;
using quant::AmctConfig;

std::string Error(std::string_view text) {
  const auto config = ParsePtqCfg(text);
  return config.ok() ? "no error" : FormatError(config.status());
}

TEST(PtqCfg, EmptyIsTheDefaults) {
  const auto config = ParsePtqCfg("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(*config, AmctConfig());
}

TEST(PtqCfg, EveryField) {
  const auto config = ParsePtqCfg(R"(
    batch_num: 4 activation_offset: false
    skip_layers: "a" skip_layers: "b" skip_layer_types: "Linear"
    fakequant_precision_mode: FORCE_FP16_QUANT
    do_fusion: false skip_fusion_layers: "c"
    common_config {
      arq_quantize { channel_wise: true quant_bits: 6 }
      ifmr_quantize { search_range_start: 0.8 search_range_end: 1.2 search_step: 0.02
        max_percentile: 0.9999 min_percentile: 0.999 asymmetric: false dst_type: INT16 }
      dmq_balancer { }
    }
    override_layer_types { layer_type: "Conv2d" calibration_config {
      ada_quantize { num_iteration: 40 reg_param: 0.02 beta_range_start: 10 beta_range_end: 1.1
        warm_start: 0.3 channel_wise: false } } }
    override_layer_configs { layer_name: "d" calibration_config {
      hfmg_quantize { num_of_bins: 1024 asymmetric: true dst_type: INT16 }
      dmq_balancer { migration_strength: 0.7 } } }
    override_layer_configs { layer_name: "e" calibration_config {
      arq_quantize { } hfmg_quantize { } } })");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  AmctConfig expected;
  expected.batch_num = 4;
  expected.activation_offset = false;
  expected.skip_layers = {"a", "b"};
  expected.skip_layer_types = {"Linear"};
  expected.force_fp16_quant = true;
  expected.do_fusion = false;
  expected.skip_fusion_layers = {"c"};
  expected.common_config = quant::CalibrationChoice{
      quant::ArqOptions{true, 6},
      quant::ActivationConfig{16, quant::IfmrParameters{0.9999, 0.999, {0.8, 1.2}, 0.02}, false},
      0.5};
  expected.override_layer_types = {
      {"Conv2d",
       {quant::AdaOptions{quant::AdaParameters{0.02, 0.3, 40, {10, 1.1}}, false}, {}, {}}}};
  expected.override_layer_configs = {
      {"d", {{}, quant::ActivationConfig{16, quant::HfmgParameters{1024}, true}, 0.7}},
      {"e",
       {quant::ArqOptions{}, quant::ActivationConfig{8, quant::HfmgParameters{4096}, {}}, {}}}};
  EXPECT_EQ(*config, expected);
}

TEST(PtqCfg, EmptyMessagesHoldTheDefaults) {
  const auto config = ParsePtqCfg("common_config { ada_quantize { } ifmr_quantize { } }");
  ASSERT_TRUE(config.ok());
  const quant::CalibrationChoice& common = *config->common_config;
  EXPECT_EQ(std::get<quant::AdaOptions>(common.weight), quant::AdaOptions());
  EXPECT_EQ(*common.activation, quant::ActivationConfig());
}

TEST(PtqCfg, ErrorsSayWhereAndWhich) {
  EXPECT_EQ(Error("batch_num: 2\nbatchnum: 3"),
            "line 2, column 1: AMCTConfig has no field 'batchnum' (did you mean 'batch_num'?)");
  EXPECT_EQ(
      Error("common_config {\n  ifmr_quantize { search_stp: 0.1 }\n}"),
      "line 2, column 19: FMRQuantize has no field 'search_stp' (did you mean 'search_step'?)");
  EXPECT_EQ(Error("zzz: 1"), "line 1, column 1: AMCTConfig has no field 'zzz'");
  EXPECT_EQ(Error("batch_num: \"two\""), "line 1, column 12: Expected integer, got: \"two\"");
  EXPECT_EQ(Error("batch_num: -1"), "line 1, column 12: Expected integer, got: -");
  EXPECT_EQ(Error("batch_num: 4294967296"), "line 1, column 12: Integer out of range (4294967296)");
  EXPECT_EQ(Error("batch_num: 1 batch_num: 2"),
            "line 1, column 14: Non-repeated field \"batch_num\" is specified multiple times.");
  EXPECT_EQ(Error("fakequant_precision_mode: FP16"),
            "line 1, column 27: Unknown enumeration value of \"FP16\" for field "
            "\"fakequant_precision_mode\".");
  EXPECT_EQ(Error("common_config { arq_quantize { } ada_quantize { } }"),
            "line 1, column 34: Field \"ada_quantize\" is specified along with field "
            "\"arq_quantize\", another member of oneof \"wts_quant_algo\".");
  EXPECT_EQ(Error("skip_layers: \"a"), "line 1, column 16: Unexpected end of string.");
  EXPECT_EQ(Error("common_config {"), "line 1, column 16: Expected identifier, got: ");
}

TEST(PtqCfg, PlacesOfErrors) {
  // At the word, wherever protobuf's reader had got to.
  EXPECT_EQ(Error("batch_num: 1\n\tzzz  # a\n  : 2"),
            "line 2, column 9: AMCTConfig has no field 'zzz'");
  EXPECT_EQ(Error("zzz { }"), "line 1, column 1: AMCTConfig has no field 'zzz'");
  EXPECT_EQ(Error("activation_offset: maybe"),
            "line 1, column 20: Invalid value for boolean field \"activation_offset\". Value: "
            "\"maybe\".");
  EXPECT_EQ(Error("common_config {\n  hfmg_quantize { dst_type: INT4 } }"),
            "line 2, column 29: Unknown enumeration value of \"INT4\" for field \"dst_type\".");
  // What is required and missing: at the message that lacks it.
  EXPECT_EQ(Error("override_layer_types { layer_type: \"Conv2d\" }"),
            "line 1, column 1: override_layer_types has no calibration_config");
  EXPECT_EQ(Error("override_layer_types { calibration_config { } }"),
            "line 1, column 1: override_layer_types has no layer_type");
  const std::string good = "override_layer_configs { layer_name: \"a\" calibration_config { } }\n";
  EXPECT_EQ(Error(good + " override_layer_configs { layer_name: \"b\" }"),
            "line 2, column 2: override_layer_configs has no calibration_config");
  EXPECT_EQ(Error(good + " override_layer_configs { calibration_config { } }"),
            "line 2, column 2: override_layer_configs has no layer_name");
}

// Every scalar field of every message refuses what is not of its type.
TEST(PtqCfg, WrongTypes) {
  const auto in_common = [](std::string_view algorithm, std::string_view field) {
    return Error(fmt::format("common_config {{ {} {{\n{}\n}} }}", algorithm, field));
  };
  for (const char* field : {"batch_num", "do_fusion", "activation_offset"}) {
    EXPECT_EQ(Error(std::string(field) + ": 1.5").rfind("line 1, column ", 0), 0u) << field;
  }
  for (const char* field :
       {"skip_layers", "skip_layer_types", "skip_fusion_layers", "common_config",
        "override_layer_types", "override_layer_configs", "conv_calibration_config",
        "fc_calibration_config", "tensor_quantize", "nuq_config"}) {
    EXPECT_EQ(Error(std::string(field) + ": 1").rfind("line 1, column ", 0), 0u) << field;
  }
  EXPECT_EQ(in_common("arq_quantize", "channel_wise: 2"),
            "line 2, column 15: Integer out of range (2)");
  EXPECT_EQ(in_common("arq_quantize", "quant_bits: 7.5"),
            "line 2, column 13: Expected integer, got: 7.5");
  for (const char* field : {"search_range_start", "search_range_end", "search_step",
                            "max_percentile", "min_percentile"}) {
    EXPECT_EQ(in_common("ifmr_quantize", fmt::format("{}: \"x\"", field)),
              fmt::format("line 2, column {}: Expected double, got: \"x\"",
                          std::string_view(field).size() + 3));
  }
  for (const char* field : {"reg_param", "beta_range_start", "beta_range_end", "warm_start"}) {
    EXPECT_EQ(in_common("ada_quantize", fmt::format("{}: \"x\"", field)),
              fmt::format("line 2, column {}: Expected double, got: \"x\"",
                          std::string_view(field).size() + 3));
  }
  EXPECT_EQ(in_common("ada_quantize", "num_iteration: -5"),
            "line 2, column 16: Expected integer, got: -");
  EXPECT_EQ(in_common("ada_quantize", "channel_wise: no"),
            "line 2, column 15: Invalid value for boolean field \"channel_wise\". Value: \"no\".");
  EXPECT_EQ(in_common("ifmr_quantize", "asymmetric: 7"),
            "line 2, column 13: Integer out of range (7)");
  EXPECT_EQ(in_common("ifmr_quantize", "dst_type: INT4"),
            "line 2, column 11: Unknown enumeration value of \"INT4\" for field \"dst_type\".");
  EXPECT_EQ(in_common("hfmg_quantize", "num_of_bins: 1e3"),
            "line 2, column 14: Expected integer, got: 1e3");
  EXPECT_EQ(in_common("hfmg_quantize", "asymmetric: \"x\""),
            "line 2, column 13: Expected identifier, got: \"x\"");
  EXPECT_EQ(in_common("dmq_balancer", "migration_strength: x"),
            "line 2, column 21: Expected double, got: x");
}

TEST(PtqCfg, PrecisionModes) {
  EXPECT_TRUE(ParsePtqCfg("fakequant_precision_mode: FORCE_FP16_QUANT")->force_fp16_quant);
  EXPECT_TRUE(ParsePtqCfg("fakequant_precision_mode: 1")->force_fp16_quant);
  EXPECT_FALSE(ParsePtqCfg("fakequant_precision_mode: DEFAULT")->force_fp16_quant);
  EXPECT_FALSE(ParsePtqCfg("fakequant_precision_mode: 0")->force_fp16_quant);
}

TEST(PtqCfg, OlderNames) {
  const auto config = ParsePtqCfg(
      "conv_calibration_config { arq_quantize { quant_bits: 7 } }\n"
      "fc_calibration_config { hfmg_quantize { num_of_bins: 2048 } }");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  EXPECT_EQ(config->common_config->weight,
            decltype(quant::CalibrationChoice::weight)(quant::ArqOptions{std::nullopt, 7}));
  EXPECT_EQ(config->fc_calibration_config->activation,
            (quant::ActivationConfig{8, quant::HfmgParameters{2048}, {}}));
  EXPECT_EQ(Error("common_config { }\nconv_calibration_config { }"),
            "line 2, column 1: conv_calibration_config cannot stand beside common_config: write it "
            "as common_config");
  EXPECT_EQ(Error("  fc_calibration_config { }\noverride_layer_types { layer_type: \"Gemm\" "
                  "calibration_config { } }"),
            "line 1, column 3: fc_calibration_config cannot stand beside override_layer_types: "
            "write it as override_layer_types");
  EXPECT_EQ(Error("fc_calibration_config { } common_config { }"),
            "line 1, column 1: fc_calibration_config cannot stand beside common_config: write it "
            "as override_layer_types");
  EXPECT_EQ(Error("conv_calibration_config { } fc_calibration_config { } "
                  "override_layer_configs { layer_name: \"a\" calibration_config { } }"),
            "no error");
}

TEST(PtqCfg, FieldsThatCannotBeFollowed) {
  const std::string nuq =
      "non-uniform quantisation is not done; the reference dropped it too, as accelerators gain "
      "nothing from it: remove the field";
  EXPECT_EQ(Error("batch_num: 1\n  nuq_config { mapping_file: \"m.json\" nuq_quantize { "
                  "num_steps: 16 num_of_iteration: 2 } }"),
            "line 2, column 3: nuq_config: " + nuq);
  EXPECT_EQ(Error("override_layer_configs {\n layer_name: \"a\" calibration_config {} }\n"
                  "override_layer_configs {\n layer_name: \"b\" calibration_config {\n"
                  "    nuq_quantize { } } }"),
            "line 5, column 5: nuq_quantize: " + nuq);
  const std::string weights =
      "weights are quantised together with activations, and never with an offset: remove the "
      "field";
  EXPECT_EQ(Error("common_config { arq_quantize { asymmetric: true } }"),
            "line 1, column 32: asymmetric: " + weights);
  EXPECT_EQ(Error("common_config { arq_quantize { weight_compress_only: true } }"),
            "line 1, column 32: weight_compress_only: " + weights);
  EXPECT_EQ(Error("common_config { arq_quantize { weight_compress_only: false asymmetric: false } "
                  "} joint_quant: false"),
            "no error");
  // Fields of another framework's file are no fields of this one.
  EXPECT_EQ(Error("skip_approximation_layers: \"a\""),
            "line 1, column 1: AMCTConfig has no field 'skip_approximation_layers'");
}

TEST(PtqCfg, JointQuant) {
  EXPECT_TRUE(ParsePtqCfg("joint_quant: true")->joint_quant);
  EXPECT_FALSE(ParsePtqCfg("joint_quant: false")->joint_quant);
  EXPECT_FALSE(ParsePtqCfg("")->joint_quant);
}

TEST(PtqCfg, TensorQuantize) {
  const auto config = ParsePtqCfg(
      "tensor_quantize { layer_name: \"add\" input_index: 1\n"
      "  hfmg_quantize { num_of_bins: 1024 asymmetric: false } }\n"
      "tensor_quantize { layer_name: \"pool\" input_index: 0 }\n"
      "tensor_quantize { layer_name: \"add\" input_index: 0 ifmr_quantize { max_percentile: 0.9 } "
      "}");
  ASSERT_TRUE(config.ok()) << FormatError(config.status());
  quant::IfmrParameters ifmr;
  ifmr.max_percentile = 0.9;
  EXPECT_THAT(config->tensor_quantize,
              testing::ElementsAre(
                  quant::TensorQuantizeConfig{"add", 1, {8, quant::HfmgParameters{1024}, false}},
                  quant::TensorQuantizeConfig{"pool", 0, {}},
                  quant::TensorQuantizeConfig{"add", 0, {8, ifmr, {}}}));
  EXPECT_EQ(Error("batch_num: 2\n tensor_quantize { layer_name: \"pool\" }"),
            "line 2, column 2: tensor_quantize has no input_index");
  EXPECT_EQ(Error("tensor_quantize { input_index: 0 }"),
            "line 1, column 1: tensor_quantize has no layer_name");
  EXPECT_EQ(Error("tensor_quantize { layer_name: \"a\" input_index: -1 }").rfind("line 1, ", 0),
            0u);
  EXPECT_EQ(Error("tensor_quantize { layer_name: \"a\" input_index: 0 ifmr_quantize { } "
                  "hfmg_quantize { } }")
                .rfind("line 1, column ", 0),
            0u);
}

std::string FileText(std::string_view path) {
  std::ifstream file(std::string(LATHE_SOURCE_DIR) + std::string(path));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// docs/configuration.md has a line for each field.
TEST(PtqCfg, EveryFieldIsInTheDocumentation) {
  const std::string page = FileText("/docs/configuration.md");
  const std::string definition = FileText("/proto/calibration_config.proto");
  constexpr std::string_view kEquals = " = ";
  int count = 0;
  for (size_t at = definition.find(kEquals); at != std::string::npos;
       at = definition.find(kEquals, at + 1)) {
    const size_t begin = definition.find_last_of(" \n", at - 1) + 1;
    const std::string name = definition.substr(begin, at - begin);
    // Not the first line, a value of an enumeration, or a default.
    if (name == "syntax" || name < "a") continue;
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
    ++count;
  }
  EXPECT_EQ(count, 54);
}

// The numbers that float32 cannot hold come out as they were written.
TEST(PtqCfg, FloatsReachTheFileAsWritten) {
  const auto config = ParsePtqCfg(
      "common_config { ifmr_quantize { search_range_start: 0.65 search_range_end: 1.35 "
      "search_step: 0.005 max_percentile: 0.99999 } dmq_balancer { migration_strength: 0.3 } }");
  ASSERT_TRUE(config.ok());
  const auto created = quant::CreatePtqConfig(test::SmallNetwork(), *config);
  ASSERT_TRUE(created.ok()) << FormatError(created.status());
  const auto text = backends::WritePtqJson(created->config);
  ASSERT_TRUE(text.ok());
  for (const char* expected : {"0.65,", "1.35\n", "\"search_step\":0.005,",
                               "\"max_percentile\":0.99999,", "\"dmq_balancer_param\":0.3,"}) {
    EXPECT_NE(text->find(expected), std::string::npos) << expected;
  }
}

// The ends of ranges are inside as decimals, whatever their float32 says.
TEST(PtqCfg, EndsOfRanges) {
  const auto created = [](const std::string& common) {
    const auto config = ParsePtqCfg("common_config { " + common + " }");
    EXPECT_TRUE(config.ok());
    const auto result = quant::CreatePtqConfig(test::SmallNetwork(), *config);
    return result.ok() ? "no error" : FormatError(result.status());
  };
  EXPECT_EQ(created("dmq_balancer { migration_strength: 0.2 }"), "no error");
  EXPECT_EQ(created("dmq_balancer { migration_strength: 0.8 }"), "no error");
  EXPECT_EQ(created("ifmr_quantize { search_step: 0.6 }"), "no error");
  EXPECT_EQ(created("ifmr_quantize { search_step: nan }"),
            "common_config: search_step is nan, it must be above 0 and at most the width of "
            "search_range [0.7, 1.3]");
  EXPECT_EQ(created("ifmr_quantize { search_range_end: inf }"),
            "common_config: search_range is [0.7, inf], it must be [a, b] with 0 < a < b");
  EXPECT_EQ(created("arq_quantize { quant_bits: 4294967295 }"),
            "common_config: num_bits is 4294967295, allowed are 4, 6, 7, 8");
  EXPECT_EQ(created("hfmg_quantize { num_of_bins: 4294967295 }"),
            "common_config: num_of_bins is 4294967295, allowed are 1024, 2048, 4096, 8192");
}

}  // namespace
}  // namespace lathe
