// Files of the reference: what we write is byte for byte what it wrote.
#include <algorithm>

#include <gtest/gtest.h>

#include "describe_onnx.h"
#include "lathe/backends/config/ptq_json.h"
#include "lathe/backends/config/record.h"
#include "lathe/backends/config/retrain_json.h"
#include "lathe/frontends/config/ptq_cfg.h"
#include "lathe/frontends/config/ptq_json.h"
#include "lathe/frontends/config/record.h"
#include "lathe/frontends/config/retrain_cfg.h"
#include "lathe/frontends/config/retrain_json.h"
#include "lathe/quant/config/create_ptq_config.h"
#include "lathe/quant/config/create_retrain_config.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/retrain_settings.h"
#include "shared_files.h"

namespace lathe {
namespace {

using test::GoldenFiles;
using test::ReadText;

TEST(Golden, ConfigurationIsCreatedEqual) {
  LATHE_NEED_GOLDENS();
  const auto files = GoldenFiles("ptq_", {"config.json"});
  ASSERT_GE(files.size(), 20u);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const auto network = test::DescribeOnnx(file.parent_path() / "original.onnx");
    ASSERT_TRUE(network.ok()) << FormatError(network.status());
    const auto cfg = file.parent_path() / "quant.cfg";
    StatusOr<quant::CreatedPtqConfig> created = InternalError("not created");
    if (std::filesystem::exists(cfg)) {
      const auto simplified = frontends::ParsePtqCfg(ReadText(cfg));
      ASSERT_TRUE(simplified.ok()) << FormatError(simplified.status());
      created = quant::CreatePtqConfig(*network, *simplified);
    } else {
      quant::PtqOptions options;
      options.batch_num = 2;
      created = quant::CreatePtqConfig(*network, options);
    }
    ASSERT_TRUE(created.ok()) << FormatError(created.status());
    const auto text = backends::WritePtqJson(created->config);
    ASSERT_TRUE(text.ok()) << FormatError(text.status());
    EXPECT_EQ(*text, ReadText(file));
  }
}

TEST(Golden, ConfigurationReadAndWrittenIsTheSameBytes) {
  LATHE_NEED_GOLDENS();
  const auto files = GoldenFiles("ptq_", {"config.json"});
  ASSERT_GE(files.size(), 20u);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const std::string bytes = ReadText(file);
    const auto config = frontends::ParsePtqJson(bytes);
    ASSERT_TRUE(config.ok()) << FormatError(config.status());
    const auto text = backends::WritePtqJson(*config);
    ASSERT_TRUE(text.ok()) << FormatError(text.status());
    EXPECT_EQ(*text, bytes);
  }
}

TEST(Golden, ConfigurationFitsItsNetwork) {
  LATHE_NEED_GOLDENS();
  for (const auto& file : GoldenFiles("ptq_", {"config.json"})) {
    SCOPED_TRACE(file.string());
    const auto network = test::DescribeOnnx(file.parent_path() / "original.onnx");
    const auto config = frontends::ParsePtqJson(ReadText(file));
    ASSERT_TRUE(network.ok() && config.ok());
    const auto settings = quant::ResolveQuantSettings(*config, *network);
    ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
    const auto enabled = std::count_if(config->layers.begin(), config->layers.end(),
                                       [](const auto& layer) { return layer.quant_enable; });
    EXPECT_EQ(settings->layers.size(), static_cast<size_t>(enabled));
    EXPECT_TRUE(settings->notes.empty());
  }
}

TEST(Golden, RetrainConfigurationIsCreatedReadAndWrittenEqual) {
  LATHE_NEED_GOLDENS();
  const auto files = GoldenFiles("qat_", {"config.json"});
  ASSERT_GE(files.size(), 4u);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const std::string bytes = ReadText(file);
    const auto network = test::DescribeOnnx(file.parent_path() / "original.onnx");
    ASSERT_TRUE(network.ok()) << FormatError(network.status());
    const auto cfg = file.parent_path() / "quant.cfg";
    quant::AmctRetrainConfig simplified;
    if (std::filesystem::exists(cfg)) {
      const auto parsed = frontends::ParseRetrainCfg(ReadText(cfg));
      ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status());
      simplified = *parsed;
    }
    const auto created = quant::CreateRetrainConfig(*network, simplified);
    ASSERT_TRUE(created.ok()) << FormatError(created.status());
    const auto text = backends::WriteRetrainJson(created->config);
    ASSERT_TRUE(text.ok()) << FormatError(text.status());
    EXPECT_EQ(*text, bytes);

    const auto config = frontends::ParseRetrainJson(bytes);
    ASSERT_TRUE(config.ok()) << FormatError(config.status());
    EXPECT_EQ(*config, created->config);
    const auto settings = quant::ResolveRetrainSettings(*config, *network);
    ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
    EXPECT_EQ(settings->layers.size(), config->layers.size());
    EXPECT_TRUE(settings->notes.empty());
  }
}

TEST(Golden, RecordReadAndWrittenIsTheSameBytes) {
  LATHE_NEED_GOLDENS();
  const auto files = GoldenFiles("", {"record.txt", "record_balance.txt"});
  ASSERT_GE(files.size(), 31u);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const std::string bytes = ReadText(file);
    const auto record = frontends::ParseRecord(bytes);
    ASSERT_TRUE(record.ok()) << FormatError(record.status());
    EXPECT_TRUE(bytes.empty() || !record->entries.empty() || !record->prune_records.empty());
    EXPECT_EQ(backends::WriteRecord(*record), bytes);
  }
}

}  // namespace
}  // namespace lathe
