// Random damage to nets and weights: reading never crashes, and what is read is a well-formed
// model. LATHE_FUZZ_ITERATIONS sets how many inputs are tried; the seed is fixed.
#include <random>

#include "lathe/tests/frontends/caffe/nets.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::test {
namespace {

// One layer of many kinds, and weights for those that have them.
std::string SeedNet() {
  return "name: 'seed' input: 'x' input_shape { dim: 2 dim: 4 dim: 8 dim: 8 }\n"
         "input: 'cont' input_shape { dim: 5 dim: 2 }\n"
         "input: 'steps' input_shape { dim: 5 dim: 2 dim: 3 }\n"
         "layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'c' convolution_param { "
         "num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2 dilation: 1 } }\n"
         "layer { name: 'bn' type: 'BatchNorm' bottom: 'c' top: 'c' batch_norm_param { eps: 0.001 "
         "} }\n"
         "layer { name: 'scale' type: 'Scale' bottom: 'c' top: 'c' scale_param { bias_term: true } "
         "}\n"
         "layer { name: 'pool' type: 'Pooling' bottom: 'c' top: 'p' pooling_param { pool: AVE "
         "kernel_size: 3 stride: 2 pad: 1 } include { phase: TEST not_stage: 'x' } }\n"
         "layer { name: 'slice' type: 'Slice' bottom: 'p' top: 'a' top: 'b' slice_param { "
         "slice_point: 2 } }\n"
         "layer { name: 'sum' type: 'Eltwise' bottom: 'a' bottom: 'b' top: 's' eltwise_param { "
         "coeff: "
         "1 coeff: -2 } }\n"
         "layer { name: 'join' type: 'Concat' bottom: 's' bottom: 'a' top: 'j' concat_param { "
         "axis: "
         "1 } }\n"
         "layer { name: 'shape' type: 'Reshape' bottom: 'j' top: 'r' reshape_param { shape { dim: "
         "0 "
         "dim: -1 dim: 2 } axis: 0 num_axes: -1 } }\n"
         "layer { name: 'perm' type: 'Permute' bottom: 'r' top: 'q' permute_param { order: 0 "
         "order: 2 "
         "} }\n"
         "layer { name: 'ip' type: 'InnerProduct' bottom: 'p' top: 'ip' inner_product_param { "
         "num_output: 3 } param { name: 'w' } }\n"
         "layer { name: 'prior' type: 'PriorBox' bottom: 'p' bottom: 'x' top: 'prior' "
         "prior_box_param "
         "{ min_size: 4 max_size: 6 aspect_ratio: 2 variance: 0.1 step: 2 } }\n"
         "layer { name: 'interp' type: 'Interp' bottom: 'p' top: 'i' interp_param { height: 5 "
         "width: "
         "4 pad_beg: -1 } }\n"
         "layer { name: 'crop' type: 'Crop' bottom: 'x' bottom: 'p' top: 'k' crop_param { axis: 2 "
         "offset: 1 } }\n"
         "layer { name: 'spp' type: 'SPP' bottom: 'x' top: 'spp' spp_param { pyramid_height: 2 } "
         "}\n"
         "layer { name: 'lstm' type: 'LSTM' bottom: 'steps' bottom: 'cont' top: 'h' "
         "recurrent_param { "
         "num_output: 2 } }\n"
         "layer { name: 'tile' type: 'Tile' bottom: 'ip' top: 't' tile_param { axis: 1 tiles: 2 } "
         "}\n"
         "layer { name: 'reorg' type: 'Reorg' bottom: 'c' top: 'o' reorg_param { stride: 2 } }\n"
         "layer { name: 'top' type: 'ArgMax' bottom: 'ip' top: 'm' argmax_param { top_k: 2 } }\n"
         "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'l' top: 'loss' }\n";
}

// The extents of each layer's blobs.
std::string SeedWeights() {
  LatheCaffe::NetParameter net;
  const auto add = [&](const std::string& name, const std::vector<std::vector<int>>& blobs) {
    LatheCaffe::LayerParameter& layer = *net.add_layer();
    layer.set_name(name);
    for (const std::vector<int>& dims : blobs) {
      LatheCaffe::BlobProto& blob = *layer.add_blobs();
      int count = 1;
      for (const int extent : dims) {
        blob.mutable_shape()->add_dim(extent);
        count *= extent;
      }
      blob.mutable_data()->Resize(count, 1);
    }
  };
  add("conv", {{4, 2, 3, 3}, {4}});
  add("bn", {{4}, {4}, {1}});
  add("scale", {{4}, {4}});
  add("ip", {{3, 36}, {3}});
  add("lstm", {{8, 3}, {8}, {8, 2}});
  return net.SerializeAsString();
}

class FuzzCaffe : public testing::Test {
 protected:
  static constexpr int kIterations = 1000;

  void Try(const std::string& net, const std::string& weights) {
    files_.Write(net, weights);
    const auto model = files_.Import();
    if (!model.ok()) {
      EXPECT_NE(model.status().message(), "");
      EXPECT_EQ(FormatError(model.status()).find('\n'), std::string::npos)
          << FormatError(model.status());
      return;
    }
    ++read_;
    const Status well_formed = ir::VerifyModel(**model);
    EXPECT_TRUE(well_formed.ok()) << FormatError(well_formed) << "\n" << net;
  }

  NetFiles files_;
  int read_ = 0;
};

TEST_F(FuzzCaffe, Weights) {
  const std::string net = SeedNet();
  const std::string weights = SeedWeights();
  Try(net, weights);
  ASSERT_EQ(read_, 1);
  std::mt19937 random(8);
  for (int i = FuzzIterations(kIterations); i > 0; --i) Try(net, Damage(weights, random));
  EXPECT_GT(read_, 1);
}

TEST_F(FuzzCaffe, Nets) {
  const std::string net = SeedNet();
  const std::string weights = SeedWeights();
  std::mt19937 random(9);
  for (int i = FuzzIterations(kIterations); i > 0; --i) Try(Damage(net, random), weights);
  EXPECT_GT(read_, 0);
}

// Numbers of a well-formed net become others.
TEST_F(FuzzCaffe, Numbers) {
  const std::string seed = SeedNet();
  const std::string weights = SeedWeights();
  const std::vector<std::string> numbers = {
      "0", "-1", "1", "2", "3", "7", "2147483647", "4294967295", "-2", "64", "9223372036854775807"};
  std::mt19937 random(10);
  for (int i = FuzzIterations(kIterations); i > 0; --i) {
    std::string net = seed;
    for (uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = net.find_first_of("0123456789", random() % net.size());
      if (at == std::string::npos) continue;
      net.replace(at, 1, numbers[random() % numbers.size()]);
    }
    Try(net, weights);
  }
  EXPECT_GT(read_, 0);
}

}  // namespace
}  // namespace lathe::test
