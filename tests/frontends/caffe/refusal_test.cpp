// What a layer cannot be: every refusal by its message.
#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

// The error of a layer that reads x[?, 4, 6, 8] (and z[?, 3, 2, 2]), without its place.
std::string Refusal(const std::string& type, const std::string& parameters,
                    const std::string& bottoms = "bottom: 'x'",
                    const std::string& tops = "top: 'y'", const std::string& blobs = "") {
  const std::string error = ImportError(
      "input: 'x' input_shape { dim: 2 dim: 4 dim: 6 dim: 8 }"
      "input: 'z' input_shape { dim: 2 dim: 3 dim: 2 dim: 2 }\nlayer { name: 'n' type: '" +
          type + "' " + bottoms + " " + tops + " " + parameters + " }",
      blobs.empty() ? "" : "layer { name: 'n' " + blobs + " }");
  const std::string place = "NET: line 2, layer 'n': ";
  EXPECT_TRUE(error.starts_with(place)) << type << ": " << error;
  return error.substr(std::min(error.size(), place.size()));
}

constexpr const char* kBoth = "bottom: 'x' bottom: 'z'";

TEST(CaffeRefusals, Types) {
  EXPECT_EQ(Refusal("Convolutoin", ""),
            "is of type 'Convolutoin', which is not read (did you mean 'Convolution' or "
            "'Deconvolution'?)");
  EXPECT_EQ(Refusal("Im2col", ""), "is of type 'Im2col', which is not read");
  EXPECT_EQ(Refusal("Quant", "quant_param { scale: 2 }"),
            "is of type Quant: the net is quantised already (start from the float net)");
}

TEST(CaffeRefusals, Counts) {
  EXPECT_EQ(Refusal("ReLU", "", kBoth), "has 2 bottoms, 1 is expected");
  EXPECT_EQ(Refusal("ReLU", "", "bottom: 'x'", "top: 'a' top: 'b'"), "has 2 tops, 1 is expected");
  EXPECT_EQ(Refusal("Eltwise", ""), "has 1 bottoms, at least 2 are expected");
  EXPECT_EQ(Refusal("Scale", "", std::string(kBoth) + " bottom: 'z'"),
            "has 3 bottoms, 1 to 2 are expected");
  EXPECT_EQ(Refusal("Softmax", "softmax_param { axis: 4 }"), "axis 4 is none of bottom [?,4,6,8]");
}

TEST(CaffeRefusals, Convolution) {
  const auto convolution = [](const std::string& parameters) {
    return Refusal("Convolution", "convolution_param { " + parameters + " }");
  };
  EXPECT_EQ(convolution("num_output: 4"), "kernel_size is 0");
  EXPECT_EQ(convolution("kernel_size: 3"), "num_output is 0");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 3 stride: 0"), "stride is 0");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 3 kernel_h: 3"),
            "says kernel_size in two ways");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: [3, 3, 3]"),
            "has 3 values of kernel_size for 2 axes");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 4000000000"), "kernel_size is 4000000000");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 9"),
            "the kernel covers 9 along axis 2, the padded bottom has 6");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 3 group: 3"),
            "4 channels and 4 outputs do not divide into 3 groups");
  EXPECT_EQ(convolution("num_output: 4 kernel_size: 1 axis: 2"),
            "convolves with axis 2 as channels, only 1 is read");
}

TEST(CaffeRefusals, NegativeKernels) {
  EXPECT_EQ(ImportError("input: 'x' input_shape { dim: 1 dim: 1 dim: 5 dim: 5 }\n"
                        "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y'\n"
                        "  convolution_param { num_output: 1 kernel_size: -3 } }"),
            "NET: line 3, column 50: Expected integer, got: -");
}

TEST(CaffeRefusals, Pooling) {
  const auto pooling = [](const std::string& parameters) {
    return Refusal("Pooling", "pooling_param { " + parameters + " }");
  };
  EXPECT_EQ(pooling("kernel_size: 2 pad: 2"), "pad 2 is not smaller than the kernel, 2");
  EXPECT_EQ(pooling("kernel_size: 7"), "the kernel covers 7 along axis 2, the padded bottom has 6");
  EXPECT_EQ(pooling("kernel_size: 1 stride: 4"),
            "the last window along axis 2 lies outside of the bottom");
  EXPECT_EQ(pooling("pool: STOCHASTIC kernel_size: 2"), "pools stochastically, which is not read");
  EXPECT_EQ(pooling("global_pooling: true kernel_size: 2"), "says a kernel beside global_pooling");
  EXPECT_EQ(
      Refusal("Pooling", "pooling_param { kernel_size: 2 }", "bottom: 'x'", "top: 'y' top: 'mask'"),
      "gives the mask of its maxima, which is not read");
}

TEST(CaffeRefusals, Normalisation) {
  EXPECT_EQ(Refusal("BatchNorm", "batch_norm_param { use_global_stats: false }"),
            "normalises each batch by itself (set use_global_stats: true)");
  EXPECT_EQ(Refusal("LRN", "lrn_param { local_size: 4 }"),
            "local_size is 4, an odd number is expected");
  EXPECT_EQ(Refusal("Scale", "scale_param { axis: 0 }"),
            "its weight would have the batch's axis of bottom [?,4,6,8]");
  EXPECT_EQ(Refusal("Scale", "scale_param { axis: 3 num_axes: 2 }"),
            "num_axes is 2 from axis 3 of bottom [?,4,6,8]");
  EXPECT_EQ(Refusal("Bias", "", kBoth),
            "bottoms [?,4,6,8] and [?,3,2,2] do not fit from axis 1 on");
}

TEST(CaffeRefusals, Shapes) {
  EXPECT_EQ(Refusal("Eltwise", "", kBoth), "bottoms [?,4,6,8] and [?,3,2,2] have different shapes");
  EXPECT_EQ(Refusal("Eltwise", "eltwise_param { operation: MAX coeff: 1 coeff: 2 }",
                    "bottom: 'x' bottom: 'x'"),
            "has 2 coefficients for 2 bottoms that it does not add");
  EXPECT_EQ(Refusal("Concat", "", kBoth),
            "bottoms [?,4,6,8] and [?,3,2,2] do not fit along axis 2");
  EXPECT_EQ(Refusal("Slice", "", "bottom: 'x'", "top: 'a' top: 'b' top: 'c'"),
            "an extent of 4 does not divide into 3 tops");
  EXPECT_EQ(Refusal("Slice", "slice_param { slice_point: 5 }", "bottom: 'x'", "top: 'a' top: 'b'"),
            "slice point 5 does not lie between 0 and 4");
  EXPECT_EQ(Refusal("Slice", "slice_param { axis: 0 }", "bottom: 'x'", "top: 'a' top: 'b'"),
            "axis 0 of bottom [?,4,6,8] depends on the batch, the layer needs it fixed");
  EXPECT_EQ(Refusal("Reshape", "reshape_param { shape { dim: 0 dim: 7 dim: -1 } }"),
            "cannot give bottom [?,4,6,8] the shape [0,7,?]");
  EXPECT_EQ(Refusal("Reshape", "reshape_param { shape { dim: -1 dim: -1 } }"),
            "has -1 as dim 1 of its shape");
  EXPECT_EQ(Refusal("Permute", "permute_param { order: 1 order: 1 }"),
            "order 1 is no axis of bottom [?,4,6,8], or said twice");
  EXPECT_EQ(Refusal("Crop", "crop_param { offset: 5 }", kBoth),
            "bottom [?,4,6,8] has no 2 values from 5 on along axis 2");
  EXPECT_EQ(Refusal("ShuffleChannel", "shuffle_channel_param { group: 3 }"),
            "4 channels do not divide into 3 groups");
  EXPECT_EQ(Refusal("Reorg", "reorg_param { stride: 4 }"),
            "4 channels do not divide by the square of stride 4");
  EXPECT_EQ(Refusal("Tile", "tile_param { tiles: -1 }"), "tiles is -1");
  EXPECT_EQ(Refusal("Tile", "tile_param { tiles: 100000000 }"),
            "the shape [?,400000000,6,8] is of more than 2^31 - 1 values");
  EXPECT_EQ(Refusal("ArgMax", "argmax_param { top_k: 5 axis: 1 }"), "top_k is 5 of 4 values");
  EXPECT_EQ(Refusal("Clip", "clip_param { min: 2 max: 1 }"), "clips to [2, 1]");
  EXPECT_EQ(Refusal("Log", "log_param { base: 0 }"), "base is 0");
  EXPECT_EQ(Refusal("Interp", ""), "says neither a size nor a factor");
  EXPECT_EQ(Refusal("SPP", ""), "pyramid_height is 0");
}

TEST(CaffeRefusals, Detection) {
  EXPECT_EQ(Refusal("PriorBox", "", kBoth), "has no min_size");
  EXPECT_EQ(Refusal("PriorBox", "prior_box_param { min_size: 3 max_size: 2 }", kBoth),
            "max_size 2 is not larger than min_size 3");
  EXPECT_EQ(Refusal("PriorBox", "prior_box_param { min_size: 3 step: 2 step_h: 3 }", kBoth),
            "says step in two ways");
  EXPECT_EQ(Refusal("DetectionOutput", "detection_output_param { num_classes: 2 }",
                    std::string(kBoth) + " bottom: 'x'"),
            "bottoms [?,4,6,8], [?,3,2,2] and [?,4,6,8] do not fit with 2 classes");
  EXPECT_EQ(
      Refusal("DetectionOutput", "detection_output_param { num_classes: 2 share_location: false }",
              std::string(kBoth) + " bottom: 'x'"),
      "has boxes for each class (share_location: false)");
}

TEST(CaffeRefusals, Recurrent) {
  EXPECT_EQ(Refusal("LSTM", "recurrent_param { num_output: 2 }", kBoth),
            "bottom 1 is [?,3,2,2], steps and sequences of bottom 0 are [?,4]");
  EXPECT_EQ(Refusal("RNN", "", kBoth), "num_output is 0");
}

}  // namespace
}  // namespace lathe::test
