// Real networks through the engine, against the outputs that stand beside them; and the list of
// those that OpenVINO refuses, with the operator it refuses.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <onnx/onnx_pb.h>

#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/half.h"
#include "shared_data.h"

namespace lathe::runtime {
namespace {

using ir::Tensor;

class Models : public ::testing::Test {
 protected:
  void SetUp() override { LATHE_REQUIRE_SHARED("models"); }

  static std::string Path(const std::string& file) {
    return test::SharedFolder() + "/models/" + file;
  }
  void Load(const std::string& file, int threads = 0) {
    compiled_.reset();
    auto model = frontends::ImportOnnx(Path(file));
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    model_ = *std::move(model);
    auto compiled = engine_->Compile(*model_, {.taps = {}, .input_shapes = {}, .threads = threads});
    ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
    compiled_ = *std::move(compiled);
  }
  std::string Refusal(const std::string& file) {
    const auto model = frontends::ImportOnnx(Path(file));
    if (!model.ok()) return FormatError(model.status());
    const auto compiled = engine_->Compile(**model, {});
    return compiled.ok() ? "no error" : FormatError(compiled.status());
  }
  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) {
    auto outputs = compiled_->Run(inputs);
    EXPECT_TRUE(outputs.ok()) << FormatError(outputs.status());
    return outputs.ok() ? *std::move(outputs) : std::vector<Tensor>(8, Tensor::Scalar<float>(0));
  }
  static Tensor Npy(const std::string& file) {
    const auto tensor = frontends::ReadNpy(Path(file));
    EXPECT_TRUE(tensor.ok()) << FormatError(tensor.status());
    return tensor.ok() ? *tensor : Tensor::Scalar<float>(0);
  }
  // Row `i` of an array, with the given shape.
  static Tensor Row(const Tensor& array, int64_t i, std::vector<int64_t> dims) {
    const std::vector<float> all = test::Floats(array);
    const size_t size = all.size() / static_cast<size_t>(array.dims()[0]);
    return Tensor::Of<float>(std::move(dims),
                             std::span(all).subspan(static_cast<size_t>(i) * size, size));
  }
  static int64_t ImageRow(const std::string& name) {
    const auto order = nlohmann::json::parse(std::ifstream(Path("data/images_order.json")));
    return std::find(order.begin(), order.end(), name) - order.begin();
  }
  static Tensor Zeros(std::vector<int64_t> dims) {
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    return Tensor::Of<float>(std::move(dims), std::vector<float>(count));
  }

  const std::unique_ptr<eval::Engine> engine_ = MakeOpenVinoEngine();
  std::unique_ptr<ir::Model> model_;
  std::unique_ptr<eval::CompiledGraph> compiled_;
};

TEST_F(Models, Mnist) {
  std::ifstream file(Path("data/mnist/t10k-first1000-images-idx3-ubyte"), std::ios::binary);
  std::vector<uint8_t> pixels(16 + 1000 * 784);
  ASSERT_TRUE(file.read(reinterpret_cast<char*>(pixels.data()),
                        static_cast<std::streamsize>(pixels.size())));
  for (const bool conv_bn : {true, false}) {
    Load(conv_bn ? "mnist_cnn/mnist_conv_bn.onnx" : "mnist_cnn/mnist-8.onnx");
    std::vector<float> logits;
    for (size_t digit = 0; digit < 1000; ++digit) {
      std::vector<float> image(784);
      for (size_t i = 0; i < 784; ++i) {
        const auto pixel = static_cast<float>(pixels[16 + digit * 784 + i]);
        image[i] = conv_bn ? (pixel / 255 - .1307f) / .3081f : pixel;
      }
      const auto outputs = Run({Tensor::Of<float>({1, 1, 28, 28}, image)});
      const auto row = test::Floats(outputs[0]);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    const Tensor expected = Npy(conv_bn ? "mnist_cnn/expected_mnist_conv_bn_logprobs_1000x10.npy"
                                        : "mnist_cnn/expected_mnist-8_logits_1000x10.npy");
    EXPECT_GE(test::Decibels(logits, test::Floats(expected)), 80);
  }
}

// Bytes may not depend on the number of threads: a long sum of few elements is split among threads
// by OpenVINO.
TEST_F(Models, ThreadsDoNotMatter) {
  const struct {
    const char* model;
    const char* input;
  } cases[] = {
      {"mnist_cnn/mnist_conv_bn.onnx", ""},
      {"mobilefacenet/MobileFaceNet.onnx", "mobilefacenet/input_face_0.npy"},
      {"ultraface_rfb320/version-RFB-320.onnx", "ultraface_rfb320/input_0_face03.npy"},
      {"yolox_nano/yolox_nano.onnx", "yolox_nano/input_0_street0.npy"},
  };
  for (const auto& c : cases) {
    std::vector<float> noise(784);
    for (size_t i = 0; i < noise.size(); ++i) noise[i] = std::sin(static_cast<float>(i * i));
    const Tensor input = *c.input != '\0' ? Npy(c.input) : Tensor::Of<float>({1, 1, 28, 28}, noise);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 0}) {
      Load(c.model, threads);
      results.push_back(test::Floats(Run({input})[0]));
    }
    EXPECT_EQ(results[0], results[1]) << c.model;
    EXPECT_EQ(results[0], results[2]) << c.model;
  }
}

TEST_F(Models, SqueezeNetInBothPrecisions) {
  const Tensor expected = Npy("squeezenet1.1/expected_softmax_19x1000.npy");
  for (const bool half : {false, true}) {
    Load(half ? "squeezenet1.1/SqueezeNet_fp16.onnx"
              : "squeezenet1.1/SqueezeNet_fp32_from_fp16.onnx");
    for (const std::string name : {"0_goldfish.npy", "1_mushroom.npy"}) {
      Tensor input = Npy("squeezenet1.1/input_" + name);
      if (half) {
        std::vector<uint16_t> halves;
        for (const float value : test::Floats(input)) halves.push_back(FloatToHalf(value));
        const auto bytes = std::as_bytes(std::span(halves));
        input = *Tensor::FromVector(ir::ElementType::kFloat16,
                                    {input.dims().begin(), input.dims().end()},
                                    {bytes.begin(), bytes.end()});
      }
      const auto outputs = Run({input});
      EXPECT_EQ(outputs[0].element_type(),
                half ? ir::ElementType::kFloat16 : ir::ElementType::kFloat32);
      const int64_t row = ImageRow(name[0] == '0' ? "goldfish.jpg" : "mushroom.png");
      EXPECT_GE(test::Decibels(outputs[0], Row(expected, row, {1000})), half ? 40 : 80) << name;
    }
  }
}

TEST_F(Models, ShuffleNetQdq) {
  Load("shufflenet_v2_qdq/shufflenet-v2-12-qdq.onnx");
  const Tensor expected = Npy("shufflenet_v2_qdq/expected_logits_19x1000_ort_disabled.npy");
  EXPECT_GE(test::Decibels(Run({Npy("shufflenet_v2_qdq/input_0_goldfish.npy")})[0],
                           Row(expected, ImageRow("goldfish.jpg"), {1000})),
            80);
}

TEST_F(Models, UltraFace) {
  const std::string folder = "ultraface_rfb320/";
  for (const bool decoded : {true, false}) {
    Load(folder +
         (decoded ? "version-RFB-320.onnx" : "version-RFB-320_without_postprocessing.onnx"));
    for (const std::string name : {"0_face03", "1_face20"}) {
      const auto outputs = Run({Npy(folder + "input_" + name + ".npy")});
      const std::string expected = folder + "expected_" + name[0];
      EXPECT_GE(test::Decibels(outputs[0], Npy(expected + "_scores.npy")), 80);
      EXPECT_GE(test::Decibels(outputs[1],
                               Npy(expected + (decoded ? "_boxes_decoded.npy" : "_boxes_raw.npy"))),
                80);
    }
  }
}

TEST_F(Models, YoloxNano) {
  Load("yolox_nano/yolox_nano.onnx");
  EXPECT_GE(test::Decibels(Run({Npy("yolox_nano/input_0_street0.npy")})[0],
                           Npy("yolox_nano/expected_0_output.npy")),
            80);
}

TEST_F(Models, MobileFaceNet) {
  Load("mobilefacenet/MobileFaceNet.onnx");
  EXPECT_GE(test::Decibels(Run({Npy("mobilefacenet/input_face_0.npy")})[0],
                           Row(Npy("mobilefacenet/expected_embeddings_20x128.npy"), 0, {1, 128})),
            80);
}

TEST_F(Models, PpOcrClassifierOneByOneAndInOneBatch) {
  Load("ppocr_cls/ch_ppocr_mobile_v2.0_cls_infer.onnx");
  const Tensor inputs = Npy("ppocr_cls/inputs_8x1x3x48x192.npy");
  const Tensor expected = Npy("ppocr_cls/expected_8x2.npy");
  EXPECT_GE(test::Decibels(Run({inputs.WithDims({8, 3, 48, 192})})[0], expected), 80);
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_GE(test::Decibels(Run({Row(inputs, i, {1, 3, 48, 192})})[0], Row(expected, i, {1, 2})),
              80);
  }
}

TEST_F(Models, DtlnWithItsStateCarried) {
  Load("dtln/model_1.onnx");
  const Tensor frames = Npy("dtln/input_magnitudes_Nx1x1x257.npy");
  Tensor state = Zeros({1, 2, 128, 2});
  std::vector<float> masks;
  for (int64_t i = 0; i < frames.dims()[0]; ++i) {
    const auto outputs = Run({Row(frames, i, {1, 1, 257}), state});
    const auto mask = test::Floats(outputs[0]);
    masks.insert(masks.end(), mask.begin(), mask.end());
    state = outputs[1];
  }
  EXPECT_GE(test::Decibels(masks, test::Floats(Npy("dtln/expected_mask_Nx257.npy"))), 80);
  EXPECT_GE(test::Decibels(state, Npy("dtln/expected_final_state.npy")), 80);
}

TEST_F(Models, VitTrack) {
  Load("vittrack/vitTracker.onnx");
  const char* const names[] = {"0_same", "1_shifted", "2_elsewhere"};
  for (int i = 0; i < 3; ++i) {
    const auto outputs = Run(
        {Npy("vittrack/template.npy"), Npy("vittrack/search_" + std::string(names[i]) + ".npy")});
    for (int k = 0; k < 3; ++k) {
      EXPECT_GE(test::Decibels(outputs[k],
                               Npy(fmt::format("vittrack/expected_{}_output{}.npy", i, k + 1))),
                80);
    }
  }
}

TEST_F(Models, SileroVadWithItsStateCarried) {
  Load("silero_vad/silero_vad_op18_ifless.onnx");
  const Tensor frames = Npy("silero_vad/input_frames_250x1x576.npy");
  Tensor state = Zeros({2, 1, 128});
  std::vector<float> speech;
  for (int64_t i = 0; i < frames.dims()[0]; ++i) {
    const auto outputs = Run({Row(frames, i, {1, 576}), Tensor::Scalar<int64_t>(16000), state});
    speech.push_back(test::Floats(outputs[0]).at(0));
    state = outputs[1];
  }
  EXPECT_GE(test::Decibels(speech, test::Floats(Npy("silero_vad/expected_speech_prob_250.npy"))),
            80);
}

// --- ONNX's own test files
Tensor FromProto(const onnx::TensorProto& proto) {
  const std::vector<int64_t> dims(proto.dims().begin(), proto.dims().end());
  const auto type = *ir::ElementTypeFromOnnx(proto.data_type());
  if (!proto.raw_data().empty()) {
    const auto bytes = std::as_bytes(std::span(proto.raw_data()));
    return *Tensor::FromVector(type, dims, {bytes.begin(), bytes.end()});
  }
  if (type == ir::ElementType::kFloat32) {
    return Tensor::Of<float>(
        dims, std::vector<float>(proto.float_data().begin(), proto.float_data().end()));
  }
  return Tensor::Of<int64_t>(
      dims, std::vector<int64_t>(proto.int64_data().begin(), proto.int64_data().end()));
}

std::vector<Tensor> Protos(const std::string& stem) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    std::ifstream file(stem + std::to_string(i) + ".pb", std::ios::binary);
    if (!file) return tensors;
    onnx::TensorProto proto;
    EXPECT_TRUE(proto.ParseFromIstream(&file));
    tensors.push_back(FromProto(proto));
  }
}

TEST_F(Models, MnistWithTheZoosTensors) {
  Load("mnist_cnn/mnist-8.onnx");
  for (int set = 0; set < 3; ++set) {
    const std::string stem = Path(fmt::format("mnist_cnn/mnist-8_test_data_set_{}/", set));
    EXPECT_GE(test::Decibels(Run(Protos(stem + "input_"))[0], Protos(stem + "output_")[0]), 80);
  }
}

TEST_F(Models, ControlFlowThatRuns) {
  for (const std::string name :
       {"test_gru_with_initial_bias", "test_if", "test_loop11",
        "test_range_float_type_positive_delta_expanded", "test_scan9_sum", "test_scan_sum"}) {
    const std::string folder = "control_flow_nodes/" + name + "/";
    Load(folder + "model.onnx");
    const std::string stem = Path(folder + "test_data_set_0/");
    const auto expected = Protos(stem + "output_");
    const auto outputs = Run(Protos(stem + "input_"));
    ASSERT_EQ(outputs.size(), expected.size()) << name;
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_GE(test::Decibels(outputs[i], expected[i]), 80) << name;
      EXPECT_TRUE(std::ranges::equal(outputs[i].dims(), expected[i].dims())) << name;
    }
  }
}

// What OpenVINO 2026.4 does not run. An entry that starts to run belongs above.
TEST_F(Models, WhatIsRefused) {
  const std::string folder = "control_flow_nodes/";
  EXPECT_EQ(Refusal(folder + "test_if_opt/model.onnx"),
            "node 'node_2': OpenVINO cannot run operator Optional: it has no such operator");
  EXPECT_EQ(Refusal(folder + "test_if_seq/model.onnx"),
            "node 'node_1': OpenVINO cannot run operator SequenceConstruct: it has no such "
            "operator");
  EXPECT_EQ(Refusal(folder + "test_loop13_seq/model.onnx"), "input 'seq_empty' is not a tensor");
  EXPECT_EQ(Refusal(folder + "test_loop16_seq_none/model.onnx"), "input 'opt_seq' is not a tensor");
  EXPECT_EQ(Refusal(folder + "test_lstm_with_peepholes/model.onnx"),
            "node 'node_0': operator LSTM has peephole weights, which OpenVINO ignores");
  EXPECT_EQ(Refusal("silero_vad/silero_vad.onnx"),
            "node 'If_0_then_branch__Inline_0__/decoder/decoder/2/Conv': OpenVINO cannot run "
            "operator Conv: The input data tensor's rank has to be known (static)");
}

}  // namespace
}  // namespace lathe::runtime
