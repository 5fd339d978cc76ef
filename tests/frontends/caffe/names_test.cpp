// Names of nodes and values, inputs and outputs.
#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

using testing::ElementsAre;

constexpr std::string_view kInput =
    "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 2 dim: 3 dim: 4 "
    "dim: 4 } } }";

std::string Net(std::string_view layers) { return std::string(kInput) + std::string(layers); }

std::string ReadNodes(std::string_view layers) {
  const auto model = ImportNet(Net(layers));
  return model.ok() ? Nodes(**model) : FormatError(model.status());
}

TEST(CaffeNames, NodesAreLayersAndValuesAreBlobs) {
  const auto model = ImportNet(Net(
      "layer { name: 'pool' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { kernel_size: 2 "
      "stride: 2 } } layer { name: 'prob' type: 'Softmax' bottom: 'p' top: 'out/prob' }"));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Nodes(**model), "pool = MaxPool(data) -> p; prob = Softmax(p) -> out/prob");
  EXPECT_THAT(Inputs(**model), ElementsAre("data"));
  EXPECT_THAT(Outputs(**model), ElementsAre("out/prob"));
  EXPECT_EQ((*model)->OpsetVersion(""), frontends::kCaffeOpset);
}

TEST(CaffeNames, TheLastVersionOfABlobHasItsName) {
  EXPECT_EQ(ReadNodes("layer { name: 'c' type: 'AbsVal' bottom: 'data' top: 'c' }"
                      "layer { name: 'r' type: 'ReLU' bottom: 'c' top: 'c' }"
                      "layer { name: 'drop' type: 'Dropout' bottom: 'c' top: 'c' }"
                      "layer { name: 's' type: 'Sigmoid' bottom: 'c' top: 'c' }"),
            "c = Abs(data) -> c_before_r; r = Relu(c_before_r) -> c_before_s; "
            "s = Sigmoid(c_before_s) -> c");
}

TEST(CaffeNames, AnInputKeepsItsName) {
  EXPECT_EQ(ReadNodes("layer { name: 'm' type: 'Power' bottom: 'data' top: 'data' power_param { "
                      "shift: -1 } }"
                      "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'data' }"
                      "layer { name: 's' type: 'Sigmoid' bottom: 'data' top: 'y' }"),
            "m = Add(data) -> data_after_m; r = Relu(data_after_m) -> data_after_r; "
            "s = Sigmoid(data_after_r) -> y");
}

TEST(CaffeNames, AnOutputThatWasAnInputHasAnotherName) {
  const auto model = ImportNet(Net("layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'data' }"));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Nodes(**model), "r = Relu(data) -> data_after_r");
  EXPECT_THAT(Outputs(**model), ElementsAre("data_after_r"));
}

TEST(CaffeNames, PartsOfALayerStandUnderIt) {
  const auto model = ImportNet(
      Net("layer { name: 'ip' type: 'Power' bottom: 'data' top: 'y' power_param { power: 2 scale: "
          "3 shift: 1 } }"));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Nodes(**model),
            "ip/scale_mul = Mul(data) -> ip/scale_mul; ip/shift_add = Add(ip/scale_mul) -> "
            "ip/shift_add; ip = Pow(ip/shift_add) -> y");
  for (const ir::Node& node : (*model)->graph().nodes()) {
    EXPECT_EQ(node.origin(), (*model)->OriginOf((*model)->Intern("ip")));
  }
}

TEST(CaffeNames, NamesOfTheNetGoFirst) {
  // A blob and a layer are called what a part of another layer would be.
  EXPECT_EQ(ReadNodes("layer { name: 'p' type: 'Power' bottom: 'data' top: 'a' power_param { "
                      "scale: 3 shift: 1 } }"
                      "layer { name: 'p/scale_mul' type: 'ReLU' bottom: 'a' top: 'p/scale_mul' }"),
            "p/scale_mul1 = Mul(data) -> p/scale_mul1; p = Add(p/scale_mul1) -> a; "
            "p/scale_mul = Relu(a) -> p/scale_mul");
}

TEST(CaffeNames, WhatChangesNothingIsNotThere) {
  const auto model =
      ImportNet(Net("layer { name: 'split' type: 'Split' bottom: 'data' top: 'a' top: 'b' }"
                    "layer { name: 'drop' type: 'Dropout' bottom: 'a' top: 'c' }"
                    "layer { name: 'r' type: 'ReLU' bottom: 'c' top: 'd' }"
                    "layer { name: 'drop2' type: 'Dropout' bottom: 'd' top: 'e' }"
                    "layer { name: 'quiet' type: 'Silence' bottom: 'b' }"));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  // An output keeps its name all the same.
  EXPECT_EQ(Nodes(**model), "r = Relu(data) -> d; e = Identity(d) -> e");
  EXPECT_THAT(Outputs(**model), ElementsAre("e"));
}

TEST(CaffeNames, OutputsAreInTheOrderOfTheFile) {
  const auto model =
      ImportNet(Net("layer { name: 'z' type: 'ReLU' bottom: 'data' top: 'z' }"
                    "layer { name: 's' type: 'Slice' bottom: 'z' top: 'y' top: 'x' top: 'w' }"
                    "layer { name: 'a' type: 'ReLU' bottom: 'x' top: 'a' }"));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_THAT(Outputs(**model), ElementsAre("y", "w", "a"));
}

TEST(CaffeNames, LayersOfOneNameAndNone) {
  EXPECT_EQ(ReadNodes("layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'a' }"
                      "layer { name: 'r' type: 'Sigmoid' bottom: 'a' top: 'b' }"
                      "layer { type: 'TanH' bottom: 'b' top: 'c' }"),
            "r = Relu(data) -> a; r1 = Sigmoid(a) -> b; TanH_3 = Tanh(b) -> c");
}

TEST(CaffeNames, BatchNormAndScaleAreOne) {
  const std::string weights =
      "layer { name: 'bn' blobs { shape { dim: 3 } data: [1, 2, 3] } blobs { shape { dim: 3 } "
      "data: [4, 5, 6] } blobs { shape { dim: 1 } data: 2 } }"
      "layer { name: 'sc' blobs { shape { dim: 3 } data: [7, 8, 9] } }";
  const auto model = ImportNet(Net("layer { name: 'bn' type: 'BatchNorm' bottom: 'data' top: 'b' }"
                                   "layer { name: 'sc' type: 'Scale' bottom: 'b' top: 'b' }"),
                               weights);
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Nodes(**model), "bn = BatchNormalization(data) -> b");
  const ir::Node& node = *(*model)->graph().first_node();
  std::vector<std::string_view> origins;
  for (const ir::Name name : (*model)->OriginNames(node.origin())) {
    origins.push_back((*model)->Text(name));
  }
  EXPECT_THAT(origins, testing::UnorderedElementsAre("bn", "sc"));
  EXPECT_THAT(*node.input(1)->tensor().Values<float>(), ElementsAre(7, 8, 9));
  EXPECT_THAT(*node.input(2)->tensor().Values<float>(), ElementsAre(0, 0, 0));
  EXPECT_THAT(*node.input(3)->tensor().Values<float>(), ElementsAre(0.5F, 1, 1.5F));
  EXPECT_THAT(*node.input(4)->tensor().Values<float>(), ElementsAre(2, 2.5F, 3));
}

TEST(CaffeNames, Dim0OfInputsIsFree) {
  const auto model = ImportNet(
      "input: 'a' input_shape { dim: 2 dim: 3 } input: 'b' input_shape { dim: 2 dim: 3 } "
      "input: 'rows' input_shape { dim: 7 dim: 5 }"
      "layer { name: 'e' type: 'Eltwise' bottom: 'a' bottom: 'b' top: 'e' }");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const auto inputs = (*model)->graph().inputs();
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ((*inputs[0]->type().shape)[0], ir::Dim::Symbol("batch"));
  EXPECT_EQ((*inputs[1]->type().shape)[0], ir::Dim::Symbol("batch"));
  EXPECT_EQ((*inputs[2]->type().shape)[0], ir::Dim());
  EXPECT_EQ((*inputs[2]->type().shape)[1], ir::Dim::Known(5));
}

TEST(CaffeNames, PairsOfFiles) {
  const auto files = frontends::SplitCaffeFiles("a/net.prototxt,b/net.caffemodel");
  ASSERT_TRUE(files.has_value());
  EXPECT_EQ(files->prototxt, "a/net.prototxt");
  EXPECT_EQ(files->caffemodel, "b/net.caffemodel");
  EXPECT_TRUE(frontends::SplitCaffeFiles("net.pbtxt,weights").has_value());
  EXPECT_TRUE(frontends::SplitCaffeFiles("net.txt,weights.caffemodel").has_value());
  EXPECT_FALSE(frontends::SplitCaffeFiles("net.onnx").has_value());
  EXPECT_FALSE(frontends::SplitCaffeFiles("net,1.onnx").has_value());
  EXPECT_FALSE(frontends::SplitCaffeFiles("net.prototxt").has_value());
}

}  // namespace
}  // namespace lathe::test
