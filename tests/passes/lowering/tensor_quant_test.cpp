// Inputs of Add and MaxPool that are quantised on their own, through the lowering pipelines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/pipelines/quantization.h"
#include "lathe/tests/passes/lowering/lowering_net.h"

namespace lathe::passes {
namespace {

using ::testing::HasSubstr;

const std::string kNoError = FormatError(OkStatus());

// x -> conv -> add <- x; add -> max -> y.
struct Net : LoweringNet {
  Net() {
    ir::Value* x = Input("x");
    ir::Value* conv = Op("Conv", "conv", {x, Init("w", {2, 2, 1, 1})});
    ir::Value* add = Op("Add", "add", {conv, x});
    Output(Op("MaxPool", "max", {add}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}));
    Record("conv", 0.5f, 3, {1});
  }
  void Tensor(const std::string& key, float scale, int32_t offset) {
    record.entries.push_back(
        {.key = key,
         .value =
             quant::LayerRecord{.scale_d = scale, .offset_d = offset, .is_tensor_quantize = true}});
  }
};

TEST(TensorQuant, TheEdgeIsRoundedAndTurnedBack) {
  Net net;
  net.Tensor("add:0", 0.25f, -5);
  net.Tensor("max:0", 0.125f, 7);
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  EXPECT_EQ(Listing(net.graph()),
            "conv.quant.output0 = AscendQuant(x)\n"
            "conv = Conv(conv.quant.output0, w)\n"
            "conv.dequant.output0 = AscendDequant(conv, conv.dequant.param)\n"
            "add_0.quant.output0 = AscendQuant(conv.dequant.output0)\n"
            "add_0.anti_quant.output0 = AscendAntiQuant(add_0.quant.output0)\n"
            "add = Add(add_0.anti_quant.output0, x)\n"
            "max_0.quant.output0 = AscendQuant(add)\n"
            "max_0.anti_quant.output0 = AscendAntiQuant(max_0.quant.output0)\n"
            "max = MaxPool(max_0.anti_quant.output0)\n"
            "return max\n");
  for (const auto& [name, scale] :
       {std::pair("add_0.quant", 4.0f), std::pair("add_0.anti_quant", 0.25f)}) {
    const ir::Node& node = *net.Find(name);
    EXPECT_EQ(node.FloatAttribute("scale", 0), scale);
    EXPECT_EQ(node.FloatAttribute("offset", 0), -5);
    EXPECT_EQ(node.StringAttribute("dst_type", ""), "INT8");
  }
}

TEST(TensorQuant, TheSimulationRoundsTheSame) {
  Net net;
  net.Tensor("add:1", 0.25f, -5);
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  ASSERT_EQ(FormatError(net.Run(kFakeQuantPipeline)), kNoError);
  const std::string listing = Listing(net.graph());
  EXPECT_THAT(listing, HasSubstr("add_1.quant.fakequant.sub.output0 = Sub("));
  EXPECT_THAT(listing, HasSubstr("add_1.anti_quant.fake_antiquant.mul.output0 = Mul("
                                 "add_1.quant.fakequant.sub.output0, "
                                 "add_1.anti_quant.fake_antiquant.scale.output0)\n"
                                 "add = Add(conv.fakedequant.mul.output0, "
                                 "add_1.anti_quant.fake_antiquant.mul.output0)\n"));
}

TEST(TensorQuant, EqualFactorsOfALayerAndAnInputShareOneAscendQuant) {
  for (const int32_t offset : {3, 4}) {
    Net net;
    net.Tensor("add:1", 0.5f, offset);
    ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
    EXPECT_EQ(net.Find("add_1.quant") == nullptr, offset == 3);
    EXPECT_EQ(net.Find("add_1.anti_quant")->input(0)->name_text(),
              offset == 3 ? "conv.quant.output0" : "add_1.quant.output0");
  }
}

TEST(TensorQuant, BothInputsOfOneValueShareToo) {
  LoweringNet net;
  ir::Value* x = net.Input("x");
  net.Output(net.Op("Add", "add", {x, x}));
  for (const char* key : {"add:0", "add:1"}) {
    net.record.entries.push_back(
        {.key = key,
         .value = quant::LayerRecord{.scale_d = 0.5f, .offset_d = 1, .is_tensor_quantize = true}});
  }
  ASSERT_EQ(FormatError(net.Run(kLoweringPipeline)), kNoError);
  EXPECT_EQ(Listing(net.graph()),
            "add_0.quant.output0 = AscendQuant(x)\n"
            "add_0.anti_quant.output0 = AscendAntiQuant(add_0.quant.output0)\n"
            "add_1.anti_quant.output0 = AscendAntiQuant(add_0.quant.output0)\n"
            "add = Add(add_0.anti_quant.output0, add_1.anti_quant.output0)\n"
            "return add\n");
}

TEST(TensorQuant, InStandardOperators) {
  Net net;
  net.Tensor("add:1", 0.5f, 3);
  ASSERT_EQ(FormatError(net.Run(kQdqPipeline)), kNoError);
  // Not shared with the layer, although the factors are equal.
  EXPECT_THAT(Listing(net.graph()),
              HasSubstr("add_1.quantize.output0 = QuantizeLinear(x, add_1.scale, "
                        "add_1.zero_point)\n"
                        "add_1.dequantize.output0 = DequantizeLinear(add_1.quantize.output0, "
                        "add_1.scale, add_1.zero_point)\n"
                        "add = Add(conv, add_1.dequantize.output0)\n"));
  EXPECT_EQ(*net.Find("add_1.quantize")->input(2)->tensor().ScalarValue<int8_t>(), 3);
}

TEST(TensorQuant, ARecordWithoutFactorsIsAnError) {
  Net net;
  net.Tensor("add:0", 0.5f, 3);
  net.record.entries.back().value->offset_d.reset();
  EXPECT_EQ(FormatError(net.Run(kLoweringPipeline)),
            "pass insert-tensor-quant: the record has no scale_d and offset_d for 'add:0'");
}

}  // namespace
}  // namespace lathe::passes
