// Nets of older forms: V1's `layers`, V0's layers inside of them, inputs of four extents.
#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

constexpr const char* kInput = "input: 'x' input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8 ";

std::string ReadNodes(const std::string& prototxt, const std::string& weights = "") {
  const auto model = ImportNet(prototxt, weights);
  return model.ok() ? Nodes(**model) : FormatError(model.status());
}

// 4 filters of 3 channels, 3 by 3, and their biases, as V1 writes them.
std::string OldBlobs() {
  std::string ones = "1";
  for (int i = 1; i < 4 * 3 * 3 * 3; ++i) ones += ", 1";
  return "blobs { num: 4 channels: 3 height: 3 width: 3 data: [" + ones +
         "] } blobs { num: 1 channels: 1 height: 1 width: 4 data: [1, 2, 3, 4] }";
}

TEST(OldCaffeNets, V1) {
  const std::string net = std::string(kInput) +
                          "layers { name: 'conv' type: CONVOLUTION bottom: 'x' top: 'c' blobs_lr: "
                          "1 weight_decay: 1 convolution_param { num_output: 4 kernel_size: 3 } }"
                          "layers { name: 'relu' type: RELU bottom: 'c' top: 'c' }"
                          "layers { name: 'loss' type: SOFTMAX_LOSS bottom: 'c' bottom: 'l' }";
  EXPECT_EQ(ReadNodes(net, "layers { name: 'conv' type: CONVOLUTION " + OldBlobs() + " }"),
            "conv = Conv(x) -> c_before_relu; relu = Relu(c_before_relu) -> c");
}

TEST(OldCaffeNets, V1SharesByParam) {
  const std::string product =
      "type: INNER_PRODUCT param: 'w' inner_product_param { num_output: 2 bias_term: false } }";
  const auto model = ImportNet(
      "input: 'x' input_shape { dim: 1 dim: 2 }"
      "layers { name: 'a' bottom: 'x' top: 'a' " +
          product + "layers { name: 'b' bottom: 'a' top: 'b' " + product,
      "layers { name: 'a' blobs { height: 2 width: 2 num: 1 channels: 1 "
      "data: [1, 2, 3, 4] } }");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const ir::Node& first = *(*model)->graph().first_node();
  EXPECT_EQ(first.input(1), first.next()->input(1));
}

TEST(OldCaffeNets, V0) {
  const std::string net =
      std::string(kInput) +
      "layers { layer { name: 'pad' type: 'padding' pad: 1 } bottom: 'x' top: 'p' }"
      "layers { layer { name: 'conv' type: 'conv' num_output: 4 kernelsize: 3 } bottom: 'p' top: "
      "'c' }"
      "layers { layer { name: 'relu' type: 'relu' } bottom: 'c' top: 'c' }"
      "layers { layer { name: 'pool' type: 'pool' pool: AVE kernelsize: 2 stride: 2 } bottom: 'c' "
      "top: 'q' }"
      "layers { layer { name: 'norm' type: 'lrn' local_size: 3 alpha: 0.5 beta: 0.25 } bottom: 'q' "
      "top: 'n' }"
      "layers { layer { name: 'drop' type: 'dropout' dropout_ratio: 0.5 } bottom: 'n' top: 'n' }"
      "layers { layer { name: 'prob' type: 'softmax' } bottom: 'n' top: 'y' }";
  const auto model = ImportNet(net, "layers { layer { name: 'conv' " + OldBlobs() + " } }");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Nodes(**model),
            "conv = Conv(x) -> c_before_relu; relu = Relu(c_before_relu) -> c; pool = "
            "AveragePool(c) -> q; norm = LRN(q) -> n; prob = Softmax(n) -> y");
  const ir::Node& conv = *(*model)->graph().first_node();
  EXPECT_THAT(conv.IntsAttribute("pads"), testing::ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(conv.next()->next()->next()->FloatAttribute("alpha", 0), 0.5F);
}

TEST(OldCaffeNets, WhatCannotBe) {
  const std::string one = "layers { name: 'r' type: RELU bottom: 'x' top: 'y' }";
  EXPECT_EQ(ImportError(kInput + one + "\nlayer { name: 's' type: 'ReLU' bottom: 'y' top: 'z' }"),
            "NET: line 1: the net has both 'layer' and 'layers'");
  EXPECT_EQ(ImportError("input: 'x' input_dim: 1 input_dim: 3 " + one),
            "NET: line 1, layer 'x': the net has 1 inputs and 2 input_dim fields, four an input "
            "are needed");
  EXPECT_EQ(ImportError("input: 'x' input: 'z' input_shape { dim: 1 }\n" + one),
            "NET: line 1, layer 'z': the net has 2 inputs and 1 input_shape fields");
  EXPECT_EQ(ImportError(kInput + std::string("\nlayers { layer { name: 'q' type: 'quux' } bottom: "
                                             "'x' top: 'y' }")),
            "NET: line 2, layer 'q': there is no layer type 'quux'");
  EXPECT_EQ(ImportError(kInput +
                        std::string("layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: "
                                    "'x' top: 'p' }\nlayers { layer { name: 'r' type: 'relu' } "
                                    "bottom: 'p' top: 'y' }")),
            "NET: layer 'r': only convolutions and poolings can read the padding layer 'p'");
  EXPECT_EQ(ImportError(kInput + std::string("layers { name: 'n' bottom: 'x' top: 'y' }")),
            "NET: line 1, layer 'n': the layer has no type");
}

}  // namespace
}  // namespace lathe::test
