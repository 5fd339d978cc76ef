// Damaged and hostile files: one line that names the place, never a crash.
#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

using testing::HasSubstr;

constexpr const char* kNet =
    "input: 'x' input_shape { dim: 1 dim: 2 }\n"
    "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y'\n"
    "  inner_product_param { num_output: 2 bias_term: false } }\n";
constexpr const char* kWeights =
    "layer { name: 'ip' blobs { shape { dim: 2 dim: 2 } data: [1, 2, 3, 4] } }";

std::string FileError(std::string_view prototxt, std::string_view caffemodel) {
  const NetFiles files;
  files.Write(prototxt, caffemodel);
  const auto model = files.Import();
  return model.ok() ? "" : files.Shortened(FormatError(model.status()));
}

TEST(HostileCaffe, FilesThatAreNone) {
  const NetFiles files;
  EXPECT_EQ(files.Shortened(FormatError(files.Import().status())),
            "NET: cannot open: No such file or directory");
  EXPECT_EQ(FileError("", CaffeModelOf(kWeights)),
            "NET: the net has no layers that compute anything");
  EXPECT_EQ(FileError(kNet, ""), "WEIGHTS: not a caffemodel, or damaged: no layers");
  EXPECT_EQ(FileError(kNet, "<html>"),
            "WEIGHTS: not a caffemodel, or damaged: field 7 has wire type 4, which is not in use");
  EXPECT_EQ(FileError(kNet, "\x89HDF\r\n"),
            "WEIGHTS: weights in HDF5 are not read (save them as a caffemodel)");
  EXPECT_EQ(FileError(CaffeModelOf(kWeights) + std::string(1, '\0'), CaffeModelOf(kWeights)),
            "NET: not a prototxt: it is no text (a Caffe model is given as "
            "NET.prototxt,WEIGHTS.caffemodel)");
}

TEST(HostileCaffe, TextThatIsNoNet) {
  EXPECT_EQ(
      FileError("layer { name: 'a' typ: 'ReLU' }", ""),
      "NET: line 1, column 19: LayerParameter has no field 'typ' (did you mean 'type' or 'top'?)");
  EXPECT_EQ(FileError("layer {\n name: 'a'\n", ""),
            "NET: line 3, column 1: Expected identifier, got: ");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "layer { ";
  EXPECT_THAT(FileError(deep, ""), HasSubstr("NET: line 1, column "));
}

TEST(HostileCaffe, Links) {
  const auto error = [](const std::string& layers) {
    return FileError(
        "input: 'x' input: 'blob1' input_shape { dim: 1 } input_shape { dim: 1 }\n" + layers,
        CaffeModelOf(kWeights));
  };
  EXPECT_EQ(error("layer { name: 'a' type: 'ReLU' bottom: 'blob2' top: 'y' }"),
            "NET: line 2, layer 'a': bottom 'blob2' is made by no layer (did you mean 'blob1'?)");
  EXPECT_EQ(error("layer { name: 'a' type: 'ReLU' bottom: 'b' top: 'a' }\n"
                  "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' }"),
            "NET: line 2, layer 'a': bottom 'b' is made later only, by line 3, layer 'b'");
  EXPECT_EQ(error("layer { name: 'a' type: 'ReLU' bottom: 'a' top: 'a' }"),
            "NET: line 2, layer 'a': bottom 'a' is made later only, by line 2, layer 'a'");
  EXPECT_EQ(error("layer { name: 'a' type: 'ReLU' bottom: 'x' top: 'y' }\n"
                  "layer { name: 'b' type: 'ReLU' bottom: 'x' top: 'y' }"),
            "NET: line 3, layer 'b': top 'y' is made by line 2, layer 'a' already");
  EXPECT_EQ(error("layer { name: 'a\\nb' type: 'ReLU' bottom: 'q\\n' top: 'y' }"),
            "NET: line 2, layer 'a\\nb': bottom 'q\\n' is made by no layer");
}

TEST(HostileCaffe, Extents) {
  const auto error = [](const std::string& dims) {
    return FileError("input: 'x' input_shape { " + dims +
                         " } layer { name: 'r' type: 'ReLU' bottom: 'x' top: 'y' }",
                     CaffeModelOf(kWeights));
  };
  EXPECT_EQ(error("dim: 1 dim: 0"), "NET: line 1, layer 'x': top 'x' has shape [1,0]");
  EXPECT_EQ(error("dim: -1 dim: 3"), "NET: line 1, layer 'x': top 'x' has shape [?,3]");
  EXPECT_EQ(error("dim: 1 dim: 9223372036854775807"),
            "NET: line 1, layer 'x': top 'x' has shape [1,9223372036854775807]");
  EXPECT_EQ(error("dim: 1 dim: 2000000000 dim: 2"),
            "NET: line 1, layer 'r': the shape [?,2000000000,2] is of more than 2^31 - 1 values");
}

TEST(HostileCaffe, ManyAxesAndSizes) {
  std::string dims;
  for (int i = 0; i < 33; ++i) dims += "dim: 1 ";
  EXPECT_EQ(FileError("input: 'x' input_shape { " + dims +
                          "} layer { name: 'r' type: 'ReLU' bottom: 'x' top: 'y' }",
                      CaffeModelOf(kWeights)),
            "NET: line 1, layer 'x': top 'x' has 33 axes, at most 32 are possible");
  EXPECT_EQ(FileError("input: 'x' input_shape { dim: 1 dim: 2 } layer { name: 'r' type: 'Reshape' "
                      "bottom: 'x' top: 'y' reshape_param { axis: 1 shape { dim: 2 " +
                          dims + "} } }",
                      CaffeModelOf(kWeights)),
            "NET: line 1, layer 'r': a blob of 35 axes, at most 32 are possible");
  std::string sizes;
  for (int i = 0; i < 1001; ++i) sizes += "min_size: 4 ";
  EXPECT_EQ(FileError("input: 'x' input_shape { dim: 1 dim: 1 dim: 2 dim: 2 } layer { name: 'p' "
                      "type: 'PriorBox' bottom: 'x' bottom: 'x' top: 'y' prior_box_param { " +
                          sizes + "} }",
                      CaffeModelOf(kWeights)),
            "NET: line 1, layer 'p': has 1001 sizes and 0 aspect ratios, at most 1000 are read");
}

TEST(HostileCaffe, TruncatedAtEveryByte) {
  const std::string weights = CaffeModelOf(kWeights);
  const std::string net = kNet;
  for (size_t size = 0; size < weights.size(); ++size) {
    EXPECT_NE(FileError(net, std::string_view(weights).substr(0, size)), "") << size;
  }
  for (size_t size = 0; size + 3 < net.size(); ++size) {
    EXPECT_NE(FileError(std::string_view(net).substr(0, size), weights), "") << size;
  }
  EXPECT_EQ(FileError(net, weights), "");
}

// Linear, not quadratic, in layers, versions of a blob and names.
TEST(HostileCaffe, ManyLayers) {
  std::string net = "input: 'x' input_shape { dim: 1 dim: 2 }";
  for (int i = 0; i < 20'000; ++i) {
    net += "layer { name: 'r' type: 'ReLU' bottom: 'x' top: 'x' }\n";
  }
  const NetFiles files;
  files.Write(net, CaffeModelOf(kWeights));
  const auto model = files.Import();
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ((*model)->graph().num_nodes(), 20'000u);
}

}  // namespace
}  // namespace lathe::test
