#include "lathe/quant/config/record.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "lathe/backends/config/record.h"
#include "lathe/frontends/config/record.h"

namespace lathe {
namespace {

using backends::WriteRecord;
using frontends::ParseRecord;
using quant::LayerRecord;
using quant::Record;
using quant::RecordBits;

constexpr char kEverything[] = R"(record {
  key: "conv2"
  value {
    scale_d: 0.014622583
    offset_d: -128
    scale_w: 0.0010674319
    scale_w: 1e-05
    offset_w: 0
    offset_w: 0
    shift_bit: 4294967295
    tensor_balance_factor: 1.5
    skip_fusion: true
    is_tensor_quantize: true
    dst_type: "INT8"
    act_type: "INT16"
    wts_type: "INT4"
    fakequant_precision_mode: "FORCE_FP16_QUANT"
    op_data_type: "FLOAT16"
    scale_h: 2.0
    offset_h: 3
    scale_r: 3.4028235e+38
    offset_r: -1
  }
}
record {
  key: "kv \"cache\" \303\251\n"
  kv_cache_value {
    scale: 0.5
    scale: inf
    offset: 0
    offset: -7
  }
}
record {
  value {
  }
}
prune_record {
  producer {
    name: "conv2"
    attr {
      name: "type"
      type: STRING
      s: "Conv"
    }
    attr {
      name: "begin"
      type: INT
      i: -9223372036854775808
    }
    attr {
      type: FLOAT
      f: -0.25
      floats: 1.0
      floats: nan
      ints: 1
      ints: 2
      strings: "a"
      strings: "\000b"
    }
  }
  consumer {
    name: "bn2"
  }
  selective_prune {
    name: "fc"
    attr {
      type: UNDEFINED
    }
  }
}
)";

TEST(Record, EveryFieldReadAndWritten) {
  const auto record = ParseRecord(kEverything);
  ASSERT_TRUE(record.ok()) << FormatError(record.status());
  EXPECT_EQ(WriteRecord(*record), kEverything);
  ASSERT_EQ(record->entries.size(), 3u);
  const LayerRecord& layer = *record->entries[0].value;
  EXPECT_EQ(layer.scale_d, 0.014622583f);
  EXPECT_EQ(layer.offset_d, -128);
  EXPECT_EQ(layer.scale_w, (std::vector<float>{0.0010674319f, 1e-5f}));
  EXPECT_EQ(layer.offset_w, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(layer.shift_bit, (std::vector<uint32_t>{4294967295u}));
  EXPECT_EQ(layer.tensor_balance_factor, (std::vector<float>{1.5f}));
  EXPECT_EQ(layer.skip_fusion, true);
  EXPECT_EQ(layer.is_tensor_quantize, true);
  EXPECT_EQ(layer.op_data_type, "FLOAT16");
  EXPECT_EQ(layer.dst_type, "INT8");
  EXPECT_EQ(layer.act_type, "INT16");
  EXPECT_EQ(layer.wts_type, "INT4");
  EXPECT_EQ(layer.fakequant_precision_mode, "FORCE_FP16_QUANT");
  EXPECT_EQ(layer.scale_h, 2.0f);
  EXPECT_EQ(layer.offset_h, 3);
  EXPECT_EQ(layer.scale_r, (std::vector<float>{std::numeric_limits<float>::max()}));
  EXPECT_EQ(layer.offset_r, (std::vector<int32_t>{-1}));
  EXPECT_EQ(record->entries[1].key, "kv \"cache\" \xC3\xA9\n");
  EXPECT_FALSE(record->entries[1].value.has_value());
  EXPECT_EQ(record->entries[1].kv_cache_value->offset, (std::vector<int32_t>{0, -7}));
  EXPECT_EQ(record->entries[2].key, std::nullopt);
  EXPECT_EQ(*record->entries[2].value, LayerRecord());
  ASSERT_EQ(record->prune_records.size(), 1u);
  const quant::PruneRecord& prune = record->prune_records[0];
  EXPECT_EQ(prune.producers[0].attributes[0].s, "Conv");
  EXPECT_EQ(prune.producers[0].attributes[1].i, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(prune.producers[0].attributes[2].strings[1], std::string("\0b", 2));
  EXPECT_EQ(prune.consumers[0].name, "bn2");
  EXPECT_EQ(prune.selective_prune->name, "fc");
}

TEST(Record, EmptyTextIsAnEmptyRecord) {
  const auto record = ParseRecord("");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(*record, Record());
  EXPECT_EQ(WriteRecord(Record()), "");
}

TEST(Record, FindsTheFirstEntryWithValues) {
  Record record;
  record.entries.resize(3);
  record.entries[0].key = "a";
  record.entries[1].key = "a";
  record.entries[1].value.emplace().scale_d = 2.0f;
  ASSERT_NE(record.Find("a"), nullptr);
  EXPECT_EQ(record.Find("a")->scale_d, 2.0f);
  EXPECT_EQ(record.Find("b"), nullptr);
}

TEST(Record, ErrorsSayWhere) {
  const auto error = [](std::string_view text) {
    const auto record = ParseRecord(text);
    return record.ok() ? "no error" : FormatError(record.status());
  };
  EXPECT_EQ(error("record {\n  key: \"a\"\n  value { scale_f: 1 }\n}"),
            "line 3, column 11: SingleLayerRecord has no field 'scale_f' (did you mean 'scale_d', "
            "'scale_w' or 'scale_h'?)");
  EXPECT_EQ(error("record { value { offset_d: 2147483648 } }"),
            "line 1, column 28: Integer out of range (2147483648)");
  EXPECT_EQ(error("record { value { scale_d: \"1\" } }"),
            "line 1, column 27: Expected double, got: \"1\"");
  EXPECT_EQ(error("prune_record { producer { } }"),
            "Message missing required fields: prune_record[0].producer[0].name");
  EXPECT_EQ(error("record { key: \"a\" key: \"b\" }"),
            "line 1, column 19: Non-repeated field \"key\" is specified multiple times.");
}

TEST(Record, BitsOfALayer) {
  LayerRecord record;
  EXPECT_EQ(*ResolveRecordBits(record), (RecordBits{8, 8}));
  record.act_type = "INT16";
  EXPECT_EQ(*ResolveRecordBits(record), (RecordBits{16, 8}));
  record.wts_type = "INT7";
  EXPECT_EQ(*ResolveRecordBits(record), (RecordBits{16, 7}));
  record.dst_type = "INT4";
  EXPECT_EQ(*ResolveRecordBits(record), (RecordBits{4, 4}));
  record.dst_type = "INT16";
  EXPECT_EQ(FormatError(ResolveRecordBits(record).status()),
            "dst_type is 'INT16', allowed are INT4, INT8");
  record.dst_type.reset();
  record.act_type = "INT6";
  EXPECT_EQ(FormatError(ResolveRecordBits(record).status()),
            "act_type is 'INT6', allowed are INT4, INT8, INT16");
  record.act_type = "INT4";
  record.wts_type = "";
  EXPECT_EQ(FormatError(ResolveRecordBits(record).status()),
            "wts_type is '', allowed are INT4, INT6, INT7, INT8");
}

}  // namespace
}  // namespace lathe
