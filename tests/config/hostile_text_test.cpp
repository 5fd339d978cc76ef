// Text that nobody meant well: an error or a value, never a crash, and the error is one readable
// line.
#include <random>

#include <gtest/gtest.h>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/backends/config/record.h"
#include "lathe/backends/config/retrain_json.h"
#include "lathe/frontends/config/json_document.h"
#include "lathe/frontends/config/ptq_cfg.h"
#include "lathe/frontends/config/ptq_json.h"
#include "lathe/frontends/config/record.h"
#include "lathe/frontends/config/retrain_cfg.h"
#include "lathe/frontends/config/retrain_json.h"
#include "lathe/support/utf8.h"

namespace lathe {
namespace {

std::string Repeat(std::string_view text, size_t times) {
  std::string result;
  result.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) result += text;
  return result;
}

void ExpectOneLine(const Status& status) {
  const std::string text = FormatError(status);
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  EXPECT_TRUE(IsUtf8(text)) << text;
  EXPECT_LT(text.size(), 2000u);
}

TEST(HostileText, DeepJson) {
  for (const std::string_view open : {"[", "{\"a\":", "[{\"k\":"}) {
    const auto value = frontends::ParseJson(Repeat(open, 1000000));
    ASSERT_FALSE(value.ok());
    ExpectOneLine(value.status());
  }
  EXPECT_TRUE(frontends::ParseJson(Repeat("[", 32) + Repeat("]", 32)).ok());
  EXPECT_EQ(FormatError(frontends::ParseJson(Repeat("[", 33) + Repeat("]", 33)).status()),
            "more than 32 levels of nesting");
  EXPECT_EQ(FormatError(frontends::ParseJson(Repeat("{\"a\":", 40)).status()),
            "in 'a', 'a', 'a', 'a': more than 32 levels of nesting");
}

TEST(HostileText, JsonThatIsNotText) {
  for (const std::string& text :
       {std::string("{\"a\xFF\": 1}"), std::string("\"\xED\xA0\x80\""),
        std::string("{\"a\0\": 1}", 9), std::string("\0", 1), std::string("\xFF\xFE{\0}\0", 6),
        std::string("{\"a\": \"\\ud800\"}"), std::string("{\"a\": \"\\u12\"}"),
        Repeat("\n", 100000) + "x", std::string("{\"").append(Repeat("x", 1000000)),
        std::string("{\"a\": \"line\nbreak\"}"), std::string("{'a': 1}"),
        std::string("{\"a\": 01}"), std::string("{\"a\": -}"), std::string("{\"a\": Infinity}"),
        std::string("/* */ {}"), std::string("{\"a\": 1").append(Repeat("0", 100000)) + "}",
        std::string("{\"a\": 1").append(Repeat("0", 300)) + "}"}) {
    const auto config = frontends::ParsePtqJson(text);
    ASSERT_FALSE(config.ok()) << text.substr(0, 80);
    ExpectOneLine(config.status());
  }
}

TEST(HostileText, DeepTextProto) {
  for (const std::string_view open : {"common_config {", "record {", "x {", "x: [", "[a.b] {"}) {
    const std::string text = Repeat(open, 200000);
    const auto cfg = frontends::ParsePtqCfg(text);
    ASSERT_FALSE(cfg.ok());
    ExpectOneLine(cfg.status());
    const auto record = frontends::ParseRecord(text);
    ASSERT_FALSE(record.ok());
    ExpectOneLine(record.status());
  }
}

TEST(HostileText, TextProtoThatIsNotText) {
  for (const std::string& text :
       {std::string("record { key: \"\xFF\" valu {} }"), std::string("\0\0", 2),
        std::string("\xFF"), std::string("record { key: \"a\nb\" }"),
        std::string("record { ").append(Repeat("x", 1000000)) + ": 1 }",
        std::string("record { key: \"").append(Repeat("x", 1000000)),
        std::string("record { value { scale_d: 1.2.3 } }"),
        std::string("record { value { scale_d: 0x1p3 } }"),
        std::string("record { value { offset_d: 1.5 } }")}) {
    const auto record = frontends::ParseRecord(text);
    ASSERT_FALSE(record.ok()) << text.substr(0, 80);
    ExpectOneLine(record.status());
  }
  const auto any_bytes = frontends::ParseRecord("record { key: \"\\377\\000\" }");
  ASSERT_TRUE(any_bytes.ok());
  EXPECT_EQ(backends::WriteRecord(*any_bytes), "record {\n  key: \"\\377\\000\"\n}\n");
}

// Damages good texts at random places. What is still read must survive being written and read
// again.
template <typename Check>
void Damage(const std::string& good, uint32_t seed, Check check) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  const std::string tokens[] = {"{",  "}",   "[",    "]",    "\"", ":",   ",",  "1e999",
                                "-1", "nan", "true", "\xFF", "\n", "0.5", "\\", "null"};
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (size_t changes = 1 + below(3); changes > 0; --changes) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + below(20));
          break;
        case 2:
          text.insert(at, tokens[below(std::size(tokens))]);
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(60)));
          break;
      }
      if (text.empty()) text.push_back(' ');
    }
    check(text);
  }
}

// Words that repeat, and places that are far away.
TEST(HostileText, UnknownFieldAfterLongText) {
  const std::string word(300000, 'x');
  const auto config =
      frontends::ParsePtqCfg("skip_layers: \"" + Repeat("x", 600000) + "\"\n" + word + ": 1");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(FormatError(config.status()).rfind("line 2, column 1: AMCTConfig has no field", 0), 0u);
  ExpectOneLine(config.status());
}

TEST(HostileText, DamagedJson) {
  const std::string good = R"({"version": 1, "batch_num": 2, "skip_fusion_layers": ["a"],
    "a": {"quant_enable": true, "dmq_balancer_param": 0.5, "activation_quant_params": {
      "num_bits": 8, "max_percentile": 0.9, "search_range": [0.7, 1.3], "search_step": 0.01},
    "weight_quant_params": {"wts_algo": "ada_quantize", "beta_range": [20.0, 2.0]}}})";
  int read = 0;
  Damage(good, 1, [&](const std::string& text) {
    const auto config = frontends::ParsePtqJson(text);
    if (!config.ok()) return ExpectOneLine(config.status());
    ++read;
    const auto written = backends::WritePtqJson(*config);
    ASSERT_TRUE(written.ok()) << FormatError(written.status());
    const auto again = frontends::ParsePtqJson(*written);
    ASSERT_TRUE(again.ok()) << FormatError(again.status());
    EXPECT_EQ(*backends::WritePtqJson(*again), *written);
  });
  EXPECT_GT(read, 0);
}

TEST(HostileText, DamagedRecord) {
  const std::string good =
      "record { key: \"a\" value { scale_d: 0.5 offset_d: -128 scale_w: 1e-3 offset_w: 0 act_type: "
      "\"INT8\" tensor_balance_factor: [1.5, 2] } }\nprune_record { producer { name: \"p\" attr { "
      "name: \"begin\" type: INT i: 0 } } }";
  int read = 0;
  Damage(good, 2, [&](const std::string& text) {
    const auto record = frontends::ParseRecord(text);
    if (!record.ok()) return ExpectOneLine(record.status());
    ++read;
    const std::string written = backends::WriteRecord(*record);
    const auto again = frontends::ParseRecord(written);
    ASSERT_TRUE(again.ok()) << FormatError(again.status()) << written;
    EXPECT_EQ(backends::WriteRecord(*again), written);
  });
  EXPECT_GT(read, 0);
}

TEST(HostileText, DamagedCfg) {
  const std::string good =
      "batch_num: 2 skip_layers: \"a\" common_config { arq_quantize { quant_bits: 6 } "
      "ifmr_quantize { "
      "search_step: 0.02 } dmq_balancer { } } override_layer_types { layer_type: \"Conv2d\" "
      "calibration_config { hfmg_quantize { num_of_bins: 1024 } } } joint_quant: false "
      "fakequant_precision_mode: DEFAULT override_layer_configs { layer_name: \"b\" "
      "calibration_config { ada_quantize { } } }";
  int read = 0;
  Damage(good, 3, [&](const std::string& text) {
    const auto config = frontends::ParsePtqCfg(text);
    if (!config.ok()) return ExpectOneLine(config.status());
    ++read;
  });
  EXPECT_GT(read, 0);
}

TEST(HostileText, DamagedRetrainConfiguration) {
  const std::string json = R"({"version": 1, "batch_num": 2, "a": {"retrain_enable": true,
    "retrain_data_config": {"algo": "ulq_quantize", "clip_max": 6.0, "clip_min": -0.5,
      "fixed_min": false, "dst_type": "INT8"},
    "retrain_weight_config": {"algo": "ulq_retrain", "dst_type": "INT4", "channel_wise": true}}})";
  int read = 0;
  Damage(json, 4, [&](const std::string& text) {
    const auto config = frontends::ParseRetrainJson(text);
    if (!config.ok()) return ExpectOneLine(config.status());
    ++read;
    const auto written = backends::WriteRetrainJson(*config);
    ASSERT_TRUE(written.ok()) << FormatError(written.status());
    const auto again = frontends::ParseRetrainJson(*written);
    ASSERT_TRUE(again.ok()) << FormatError(again.status());
    EXPECT_EQ(*again, *config);
  });
  EXPECT_GT(read, 0);
  const std::string cfg =
      "batch_num: 2 skip_layers: \"a\" retrain_data_quant_config { ulq_quantize { clip_max_min { "
      "clip_max: 3 clip_min: -3 } dst_type: INT8 } } override_layer_types { layer_type: \"Conv2d\" "
      "retrain_weight_quant_config { arq_retrain { channel_wise: true } } } quant_skip_layers: "
      "\"b\"";
  read = 0;
  Damage(cfg, 5, [&](const std::string& text) {
    const auto config = frontends::ParseRetrainCfg(text);
    if (!config.ok()) return ExpectOneLine(config.status());
    ++read;
  });
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace lathe
