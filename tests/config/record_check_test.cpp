#include "lathe/quant/config/record_check.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

const RecordLayer kConv = {"conv", RecordKind::kConv, 2, 3};
const RecordLayer kPool = {"ap", RecordKind::kAveragePool, 1, 1};
const RecordLayer kLstm = {"lstm", RecordKind::kLstm, 64, 12};
const RecordLayer kBoth = {"both", RecordKind::kLstm, 128, 12, 2};
const RecordLayer kGru = {"gru", RecordKind::kGru, 48, 12};

LayerRecord Good(size_t scales = 2) {
  LayerRecord record;
  record.scale_d = 0.5f;
  record.offset_d = -128;
  record.scale_w.assign(scales, 0.25f);
  record.offset_w.assign(scales, 0);
  record.act_type = "INT8";
  record.wts_type = "INT8";
  return record;
}

LayerRecord GoodRecurrent(size_t scales) {
  LayerRecord record = Good(scales);
  record.scale_h = 0.5f;
  record.offset_h = 3;
  record.scale_r.assign(scales, 0.25f);
  record.offset_r.assign(scales, 0);
  return record;
}

std::string Error(const LayerRecord& record, const RecordLayer& layer = kConv,
                  bool for_deploy = false, bool scale_a_column = false) {
  const Status status = CheckLayerRecord(record, layer, {for_deploy, scale_a_column});
  return status.ok() ? "no error" : FormatError(status);
}

template <typename Change>
std::string ErrorWith(Change change) {
  LayerRecord record = Good();
  change(record);
  return Error(record);
}

TEST(RecordCheck, GoodOnesPass) {
  EXPECT_EQ(Error(Good(2)), "no error");
  EXPECT_EQ(Error(Good(1)), "no error");
  EXPECT_EQ(Error(Good(2), {"up", RecordKind::kConvTranspose, 2, 3}), "no error");
  EXPECT_EQ(Error(Good(1), {"fc", RecordKind::kGemm, 10, 3}), "no error");
  EXPECT_EQ(Error(Good(1), {"mm", RecordKind::kMatMul, 10, 3}), "no error");
  EXPECT_EQ(Error(Good(1), kPool), "no error");
  EXPECT_EQ(Error(GoodRecurrent(64), kLstm, true), "no error");
  EXPECT_EQ(Error(GoodRecurrent(4), kLstm), "no error");
  EXPECT_EQ(Error(GoodRecurrent(48), kGru), "no error");
  EXPECT_EQ(Error(GoodRecurrent(3), kGru, true), "no error");
}

TEST(RecordCheck, NoFactorsIsFine) {
  EXPECT_EQ(Error(LayerRecord()), "no error");
  LayerRecord record;
  record.scale_d = 0.0f;
  record.offset_d = 0;
  record.act_type = "anything";
  EXPECT_EQ(Error(record), "no error");
  // As after the balancing pre-pass.
  record.tensor_balance_factor = {1, 2, 3};
  EXPECT_EQ(Error(record), "no error");
  record.tensor_balance_factor = {1, 2};
  EXPECT_EQ(Error(record),
            "record of 'conv': there are 2 tensor_balance_factor, this Conv has 3 input channels");
}

TEST(RecordCheck, Presence) {
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_d.reset(); }), "record of 'conv': scale_d is missing");
  EXPECT_EQ(ErrorWith([](auto& r) { r.offset_d.reset(); }),
            "record of 'conv': offset_d is missing");
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_w.clear(); }), "record of 'conv': scale_w is missing");
  EXPECT_EQ(ErrorWith([](auto& r) { r.offset_w.clear(); }),
            "record of 'conv': offset_w is missing");
  EXPECT_EQ(Error(Good(4), kLstm), "record of 'lstm': scale_h is missing");
  LayerRecord record = GoodRecurrent(4);
  record.offset_h.reset();
  EXPECT_EQ(Error(record, kLstm), "record of 'lstm': offset_h is missing");
  record = GoodRecurrent(4);
  record.scale_r.clear();
  EXPECT_EQ(Error(record, kLstm), "record of 'lstm': scale_r is missing");
  record = GoodRecurrent(4);
  record.offset_r.clear();
  EXPECT_EQ(Error(record, kLstm), "record of 'lstm': offset_r is missing");
}

TEST(RecordCheck, TypesAndModes) {
  EXPECT_EQ(ErrorWith([](auto& r) { r.dst_type = "INT16"; }),
            "record of 'conv': dst_type is 'INT16', allowed are INT4, INT8");
  EXPECT_EQ(ErrorWith([](auto& r) { r.act_type = "FP16"; }),
            "record of 'conv': act_type is 'FP16', allowed are INT4, INT8, INT16");
  EXPECT_EQ(ErrorWith([](auto& r) { r.wts_type = "INT16"; }),
            "record of 'conv': wts_type is 'INT16', allowed are INT4, INT6, INT7, INT8");
  EXPECT_EQ(ErrorWith([](auto& r) { r.fakequant_precision_mode = "FP16"; }),
            "record of 'conv': fakequant_precision_mode is 'FP16', allowed are DEFAULT, "
            "FORCE_FP16_QUANT");
  EXPECT_EQ(ErrorWith([](auto& r) { r.fakequant_precision_mode = "FORCE_FP16_QUANT"; }),
            "no error");
  EXPECT_EQ(ErrorWith([](auto& r) { r.op_data_type = "FLOAT32"; }), "no error");
  EXPECT_EQ(ErrorWith([](auto& r) { r.op_data_type = "FP16"; }),
            "record of 'conv': op_data_type is 'FP16', allowed are FLOAT32, FLOAT16");
  LayerRecord record = Good(1);
  record.dst_type = "INT4";
  EXPECT_EQ(Error(record, {"net.AvgPool", RecordKind::kAveragePool, 1, 1}),
            "record of 'net.AvgPool': dst_type is 'INT4', average pooling takes INT8");
  EXPECT_EQ(Error(record), "no error");
}

TEST(RecordCheck, Shifts) {
  const auto error = [](std::vector<uint32_t> shifts, const RecordLayer& layer = kConv,
                        size_t scales = 2) {
    LayerRecord record = scales == 4 ? GoodRecurrent(4) : Good(scales);
    record.shift_bit = std::move(shifts);
    return Error(record, layer);
  };
  EXPECT_EQ(error({0, 0}), "no error");
  EXPECT_EQ(error({1, 16}), "no error");
  EXPECT_EQ(error({3}, {"fc", RecordKind::kGemm, 10, 3}, 1), "no error");
  EXPECT_EQ(error({3}, {"mm", RecordKind::kMatMul, 10, 3}, 1), "no error");
  EXPECT_EQ(error({3, 4}, {"up", RecordKind::kConvTranspose, 2, 3}), "no error");
  EXPECT_EQ(error({3}),
            "record of 'conv': there are 2 scale_w and 1 shift_bit, they must be "
            "equally many");
  EXPECT_EQ(error({1, 17}),
            "record of 'conv': shift_bit[1] is 17: either all are 0, or all are from 1 to 16");
  EXPECT_EQ(error({1, 0}),
            "record of 'conv': shift_bit[1] is 0: either all are 0, or all are from 1 to 16");
  EXPECT_EQ(error({0, 1}),
            "record of 'conv': shift_bit[1] is 1: either all are 0, or all are from 1 to 16");
  EXPECT_EQ(error({1}, kPool, 1),
            "record of 'ap': shift_bit is not allowed, the sums of AveragePool are not shifted");
  EXPECT_EQ(error({1, 1, 1, 1}, kLstm, 4),
            "record of 'lstm': shift_bit is not allowed, the sums of LSTM are not shifted");
}

TEST(RecordCheck, Lengths) {
  EXPECT_EQ(ErrorWith([](auto& r) { r.offset_w = {0}; }),
            "record of 'conv': there are 2 scale_w and 1 offset_w, they must be equally many");
  EXPECT_EQ(Error(Good(3)), "record of 'conv': there are 3 scale_w, this Conv takes 1 or 2");
  EXPECT_EQ(Error(Good(2), {"fc", RecordKind::kGemm, 2, 3}),
            "record of 'fc': there are 2 scale_w, this Gemm takes 1");
  EXPECT_EQ(Error(Good(2), {"mm", RecordKind::kMatMul, 2, 3}),
            "record of 'mm': there are 2 scale_w, this MatMul takes 1");
  EXPECT_EQ(Error(Good(2), {"fc", RecordKind::kGemm, 2, 3}, false, true), "no error");
  EXPECT_EQ(Error(Good(2), {"mm", RecordKind::kMatMul, 3, 3}, false, true),
            "record of 'mm': there are 2 scale_w, this MatMul takes 1 or 3");
  EXPECT_EQ(Error(Good(2), kPool), "record of 'ap': there are 2 scale_w, this AveragePool takes 1");
  EXPECT_EQ(Error(Good(3), {"up", RecordKind::kConvTranspose, 2, 3}),
            "record of 'up': there are 3 scale_w, this ConvTranspose takes 1 or 2");
  EXPECT_EQ(Error(GoodRecurrent(1), kLstm),
            "record of 'lstm': there are 1 scale_w, this LSTM takes 4 or 64");
  EXPECT_EQ(Error(GoodRecurrent(1), kGru),
            "record of 'gru': there are 1 scale_w, this GRU takes 3 or 48");
  EXPECT_EQ(Error(GoodRecurrent(8), kBoth), "no error");
  EXPECT_EQ(Error(GoodRecurrent(128), kBoth), "no error");
  EXPECT_EQ(Error(GoodRecurrent(4), kBoth),
            "record of 'both': there are 4 scale_w, this LSTM takes 8 or 128");
  LayerRecord record = GoodRecurrent(3);
  record.scale_r.resize(2, 1.0f);
  record.offset_r.resize(2);
  EXPECT_EQ(Error(record, kGru), "record of 'gru': there are 2 scale_r, this GRU takes 3 or 48");
}

TEST(RecordCheck, Values) {
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_d = 0.0f; }),
            "record of 'conv': scale_d is 0.0, it must be finite and above 0");
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_d = -0.1f; }),
            "record of 'conv': scale_d is -0.1, it must be finite and above 0");
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_d = std::nanf(""); }),
            "record of 'conv': scale_d is nan, it must be finite and above 0");
  EXPECT_EQ(ErrorWith([](auto& r) { r.scale_w[1] = std::numeric_limits<float>::infinity(); }),
            "record of 'conv': scale_w[1] is inf, it must be finite and above 0");
  EXPECT_EQ(ErrorWith([](auto& r) { r.offset_w[1] = 1; }),
            "record of 'conv': offset_w[1] is 1, weights have no offset: it must be 0");
  EXPECT_EQ(ErrorWith([](auto& r) { r.offset_d = 128; }),
            "record of 'conv': offset_d is 128, it must be from -128 to 127 for 8-bit activations");
  EXPECT_EQ(
      ErrorWith([](auto& r) {
        r.act_type = "INT4";
        r.offset_d = -129;
      }),
      "record of 'conv': offset_d is -129, it must be from -128 to 127 for 4-bit activations");
  EXPECT_EQ(ErrorWith([](auto& r) {
              r.act_type = "INT16";
              r.offset_d = -32768;
            }),
            "no error");
  EXPECT_EQ(ErrorWith([](auto& r) {
              r.act_type = "INT16";
              r.offset_d = 32768;
            }),
            "record of 'conv': offset_d is 32768, it must be from -32768 to 32767 for 16-bit "
            "activations");
}

TEST(RecordCheck, RecurrentValues) {
  LayerRecord record = GoodRecurrent(4);
  record.scale_h = 0.0f;
  EXPECT_EQ(Error(record, kLstm),
            "record of 'lstm': scale_h is 0.0, it must be finite and above 0");
  record = GoodRecurrent(4);
  record.offset_h = 200;
  EXPECT_EQ(Error(record, kLstm),
            "record of 'lstm': offset_h is 200, it must be from -128 to 127 for 8-bit activations");
  record = GoodRecurrent(4);
  record.offset_r[2] = 1;
  EXPECT_EQ(Error(record, kLstm),
            "record of 'lstm': offset_r[2] is 1, weights have no offset: it must be 0");
  record = GoodRecurrent(4);
  record.act_type.reset();
  EXPECT_EQ(Error(record, kLstm), "no error");
  EXPECT_EQ(Error(record, kLstm, true),
            "record of 'lstm': act_type is missing, a deployed LSTM needs INT8 or INT16");
  record.act_type = "INT4";
  EXPECT_EQ(Error(record, kLstm, true),
            "record of 'lstm': act_type is 'INT4', a deployed LSTM needs INT8 or INT16");
}

TEST(RecordCheck, BalanceFactors) {
  const auto with = [](std::vector<float> factors, const RecordLayer& layer, LayerRecord record) {
    record.tensor_balance_factor = std::move(factors);
    return Error(record, layer);
  };
  EXPECT_EQ(with({1, 0.5f, 2}, kConv, Good()), "no error");
  EXPECT_EQ(with({1, 0.5f, 2}, {"fc", RecordKind::kGemm, 9, 3}, Good(1)), "no error");
  EXPECT_EQ(with({1, 2}, {"fc", RecordKind::kGemm, 9, 3}, Good(1)),
            "record of 'fc': there are 2 tensor_balance_factor, this Gemm has 3 input channels");
  EXPECT_EQ(with({1, 0, 2}, kConv, Good()),
            "record of 'conv': tensor_balance_factor[1] is 0.0, it must be from 1.1920929e-07 to "
            "8388608.0");
  EXPECT_EQ(
      with({1, 2, 1e7f}, kConv, Good()),
      "record of 'conv': tensor_balance_factor[2] is 10000000.0, it must be from 1.1920929e-07 "
      "to 8388608.0");
  EXPECT_EQ(with({std::nanf(""), 2, 1}, kConv, Good()),
            "record of 'conv': tensor_balance_factor[0] is nan, it must be from 1.1920929e-07 to "
            "8388608.0");
  EXPECT_EQ(with({1}, kPool, Good(1)),
            "record of 'ap': tensor_balance_factor is not allowed, AveragePool cannot be balanced");
  EXPECT_EQ(with({1}, kGru, GoodRecurrent(3)),
            "record of 'gru': tensor_balance_factor is not allowed, GRU cannot be balanced");
}

TEST(RecordCheck, Entries) {
  RecordNetwork network;
  network.layers = {kConv, {"conv2", RecordKind::kConv, 2, 3}};
  network.others = {{"relu", "Relu", "its operator is not among those"}};
  const auto error = [&](std::vector<RecordEntry> entries) {
    Record record;
    record.entries = std::move(entries);
    const Status status = CheckRecord(record, network);
    return status.ok() ? "no error" : FormatError(status);
  };
  EXPECT_EQ(error({}), "no error");
  EXPECT_EQ(error({{"conv", Good(), {}}, {"conv2", Good(), {}}}), "no error");
  EXPECT_EQ(error({{"conv", Good(), {}}, {{}, Good(), {}}}), "record entry 1 has no key");
  EXPECT_EQ(error({{"conv", {}, {}}}), "record of 'conv': there is no value");
  EXPECT_EQ(error({{"conv", Good(), {}}, {"conv", Good(), {}}}),
            "record of 'conv': is there twice");
  EXPECT_EQ(error({{"conw", Good(), {}}}),
            "record: the model has no layer 'conw' (did you mean 'conv' or 'conv2'?)");
  EXPECT_EQ(error({{"relu", Good(), {}}}),
            "record: 'relu' of type Relu cannot be quantised: its operator is not among those");
  EXPECT_EQ(error({{"conv", Good(3), {}}}),
            "record of 'conv': there are 3 scale_w, this Conv takes 1 or 2");
}

}  // namespace
}  // namespace lathe::quant
