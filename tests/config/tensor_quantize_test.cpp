#include "lathe/quant/config/tensor_quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/quant/config/create_ptq_config.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record_check.h"
#include "small_network.h"

namespace lathe::quant {
namespace {

using test::SmallNetwork;
using testing::ElementsAre;

std::string ErrorText(const Status& status) {
  return status.ok() ? "no error" : FormatError(status);
}

std::string Error(std::vector<TensorQuantizeConfig> entries) {
  return ErrorText(CheckTensorQuantize(entries, SmallNetwork()));
}

TEST(TensorQuantize, Keys) {
  EXPECT_EQ(TensorKey("block/add", 1), "block/add:1");
  const auto name = ParseTensorKey("a:b:12");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->node, "a:b");
  EXPECT_EQ(name->input_index, 12u);
  for (const char* key :
       {"add", "add:", "add:x", "add:1x", "add:-1", "add: 1", "add:99999999999999999999"}) {
    EXPECT_FALSE(ParseTensorKey(key)) << key;
  }
}

TEST(TensorQuantize, WhatCanBeQuantised) {
  EXPECT_EQ(Error({{"sum", 0, {}}, {"max", 0, {8, HfmgParameters{1024}, false}}}), "no error");
  EXPECT_EQ(Error({{"sum", 1, {}}}),
            "tensor_quantize: input 1 of 'sum' cannot be quantised: it is a constant");
  EXPECT_EQ(Error({{"sum", 2, {}}}),
            "tensor_quantize: 'sum' has no input 2, its inputs are 0 to 1");
  EXPECT_EQ(Error({{"sum", -1, {}}}),
            "tensor_quantize: 'sum' has no input -1, its inputs are 0 to 1");
  EXPECT_EQ(Error({{"relu", 0, {}}}),
            "tensor_quantize: 'relu' is of type Relu; only inputs of Add and MaxPool are quantised "
            "on their own");
  EXPECT_EQ(Error({{"stem", 0, {}}}),
            "tensor_quantize: 'stem' is of type Conv2d; only inputs of Add and MaxPool are "
            "quantised on their own");
  EXPECT_EQ(Error({{"summ", 0, {}}}),
            "tensor_quantize: the model has no layer 'summ' (did you mean 'sum'?)");
  EXPECT_EQ(Error({{"sum", 0, {}}, {"sum", 0, {}}}),
            "tensor_quantize: input 0 of 'sum' is there twice");
}

TEST(TensorQuantize, Values) {
  for (const int64_t bits : {4, 16}) {
    EXPECT_EQ(Error({{"max", 0, {bits, {}, {}}}}),
              fmt::format("tensor_quantize of 'max', input 0: num_bits is {}: AscendAntiQuant, "
                          "which turns it back, takes 8",
                          bits));
  }
  EXPECT_EQ(Error({{"max", 0, {8, HfmgParameters{7}, {}}}}),
            "tensor_quantize of 'max', input 0: num_of_bins is 7, allowed are 1024, 2048, 4096, "
            "8192");
}

TEST(TensorQuantize, ALayerMayNotHaveTheKeyAsItsName) {
  NetworkDescription network = SmallNetwork();
  network.layers.front().name = "max:0";
  EXPECT_EQ(ErrorText(CheckTensorQuantize({{"max", 0, {}}}, network)),
            "tensor_quantize: input 0 of 'max' cannot be told from layer 'max:0': rename one");
}

TEST(TensorQuantize, CreatedConfigurationFillsAsymmetric) {
  AmctConfig simplified;
  simplified.activation_offset = false;
  simplified.common_config.emplace().activation = {8, HfmgParameters{}, true};
  simplified.tensor_quantize = {{"sum", 0, {}}, {"max", 0, {8, HfmgParameters{1024}, {}}}};
  const auto created = CreatePtqConfig(SmallNetwork(), simplified);
  ASSERT_TRUE(created.ok()) << FormatError(created.status());
  EXPECT_THAT(created->config.tensor_quantize,
              ElementsAre(TensorQuantizeConfig{"sum", 0, {8, IfmrParameters{}, false}},
                          TensorQuantizeConfig{"max", 0, {8, HfmgParameters{1024}, true}}));
  simplified.tensor_quantize = {{"relu", 0, {}}};
  EXPECT_THAT(ErrorText(CreatePtqConfig(SmallNetwork(), simplified).status()),
              testing::StartsWith("tensor_quantize: 'relu' is of type Relu;"));
}

TEST(TensorQuantize, Settings) {
  PtqConfig config;
  config.layers.push_back({.name = "stem", .quant_enable = true});
  config.activation_offset = false;
  config.tensor_quantize = {{"max", 0, {}}, {"sum", 0, {8, HfmgParameters{2048}, true}}};
  const auto settings = ResolveQuantSettings(config, SmallNetwork());
  ASSERT_TRUE(settings.ok()) << FormatError(settings.status());
  ASSERT_EQ(settings->tensors.size(), 2u);
  EXPECT_EQ(settings->tensors[0].key, "max:0");
  EXPECT_FALSE(settings->tensors[0].with_offset);
  EXPECT_EQ(settings->tensors[1].key, "sum:0");
  EXPECT_TRUE(settings->tensors[1].with_offset);
  EXPECT_EQ(std::get<HfmgParameters>(settings->tensors[1].algorithm).num_of_bins, 2048);
  config.tensor_quantize = {{"stem", 0, {}}};
  EXPECT_THAT(ErrorText(ResolveQuantSettings(config, SmallNetwork()).status()),
              testing::StartsWith("tensor_quantize: 'stem' is of type Conv2d;"));
  // Inputs on their own are no layers.
  config.tensor_quantize = {{"max", 0, {}}};
  config.layers.front().quant_enable = false;
  EXPECT_EQ(ErrorText(ResolveQuantSettings(config, SmallNetwork()).status()),
            "no layer of the configuration has quant_enable true: nothing to quantise");
}

LayerRecord Good() {
  LayerRecord record;
  record.scale_d = 0.5f;
  record.offset_d = -128;
  record.is_tensor_quantize = true;
  return record;
}

std::string RecordError(const LayerRecord& record, const std::string& key = "sum:0") {
  RecordNetwork network;
  network.tensors = SmallNetwork().tensors;
  network.others = SmallNetwork().others;
  Record whole;
  whole.entries.push_back({.key = key, .value = record});
  return ErrorText(CheckRecord(whole, network));
}

template <typename Change>
std::string RecordErrorWith(Change change) {
  LayerRecord record = Good();
  change(record);
  return RecordError(record);
}

TEST(TensorQuantize, Records) {
  EXPECT_EQ(RecordError(Good()), "no error");
  EXPECT_EQ(RecordError(Good(), "max:0"), "no error");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.act_type = "INT8"; }), "no error");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.op_data_type = "FLOAT32"; }), "no error");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.scale_d.reset(); }),
            "record of 'sum:0': scale_d is missing");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.offset_d.reset(); }),
            "record of 'sum:0': offset_d is missing");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.scale_d = 0; }),
            "record of 'sum:0': scale_d is 0.0, it must be finite and above 0");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.scale_d = INFINITY; }),
            "record of 'sum:0': scale_d is inf, it must be finite and above 0");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.offset_d = 128; }),
            "record of 'sum:0': offset_d is 128, it must be from -128 to 127");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.act_type = "INT16"; }),
            "record of 'sum:0': act_type is 'INT16', a tensor on its own takes INT8");
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.scale_w = {1}; }),
            "record of 'sum:0': a tensor on its own has scale_d, offset_d and act_type only");
  EXPECT_EQ(RecordError(Good(), "sum:1"),
            "record of 'sum:1': input 1 of 'sum' cannot be quantised: it is a constant");
  EXPECT_EQ(RecordError(Good(), "sum:7"),
            "record of 'sum:7': 'sum' has no input 7, its inputs are 0 to 1");
  EXPECT_EQ(RecordError(Good(), "sim:0"),
            "record of 'sim:0': the model has no Add or MaxPool 'sim' (did you mean 'sum'?)");
  EXPECT_EQ(RecordError(Good(), "sum"),
            "record of 'sum': is_tensor_quantize is set: the key must be the name of an Add or "
            "MaxPool, a colon and the number of its input");
  // Without the flag it is a layer's record.
  EXPECT_EQ(RecordErrorWith([](auto& r) { r.is_tensor_quantize = false; }),
            "record: the model has no layer 'sum:0'");
}

}  // namespace
}  // namespace lathe::quant
