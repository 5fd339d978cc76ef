#include "lathe/runtime/openvino/engine.h"

#include <cmath>
#include <filesystem>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"

namespace lathe::runtime {
namespace {

using ir::Dim;
using ir::ElementType;
using ir::Tensor;
using test::GraphBuilder;
using ::testing::ElementsAre;
using Inputs = std::vector<Tensor>;

class Engine : public ::testing::Test {
 protected:
  StatusOr<std::unique_ptr<eval::CompiledGraph>> Compile(const eval::CompileOptions& options = {}) {
    return engine_->Compile(*graph_.model, options);
  }
  std::string CompileError(const eval::CompileOptions& options = {}) {
    const auto compiled = Compile(options);
    return compiled.ok() ? "no error" : FormatError(compiled.status());
  }
  StatusOr<std::vector<Tensor>> Run(const Inputs& inputs,
                                    const eval::CompileOptions& options = {}) {
    LATHE_ASSIGN_OR_RETURN(const auto compiled, Compile(options));
    return compiled->Run(inputs);
  }
  static std::string RunError(eval::CompiledGraph& compiled, const Inputs& inputs) {
    const auto outputs = compiled.Run(inputs);
    return outputs.ok() ? "no error" : FormatError(outputs.status());
  }
  static Tensor Floats(std::vector<int64_t> dims, std::vector<float> values) {
    return Tensor::Of<float>(std::move(dims), values);
  }
  static std::vector<float> Values(const Tensor& tensor) { return *tensor.Values<float>(); }

  const std::unique_ptr<eval::Engine> engine_ = MakeOpenVinoEngine();
  GraphBuilder graph_;
};

TEST_F(Engine, OutputsInGraphOrderInputsAndConstantsAmongThem) {
  ir::Value& a = graph_.Input("a", {2});
  ir::Value& unused = graph_.Input("unused", {7});
  ir::Value& b = graph_.Input("b", {2});
  ir::Value& k = graph_.Constant("k", Floats({2}, {10, 20}));
  ir::Value& sum = graph_.Node("Add", "sum", {&b, &k});
  ir::Value& difference = graph_.Node("Sub", "difference", {&a, &b});
  (void)unused;
  for (ir::Value* output : {&difference, &k, &a, &sum}) graph_.Output(*output);
  const auto outputs =
      Run({Floats({2}, {1, 2}), Floats({7}, {0, 0, 0, 0, 0, 0, 0}), Floats({2}, {100, 200})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 4u);
  EXPECT_THAT(Values((*outputs)[0]), ElementsAre(-99, -198));
  EXPECT_THAT(Values((*outputs)[1]), ElementsAre(10, 20));
  EXPECT_THAT(Values((*outputs)[2]), ElementsAre(1, 2));
  EXPECT_THAT(Values((*outputs)[3]), ElementsAre(110, 220));
}

// OpenVINO's frontend drops such an operator and gives the input's parameter the result's name.
TEST_F(Engine, InputsBehindOperatorsThatDoNothing) {
  ir::Value& a = graph_.Input("a", {2});
  ir::Value& unused = graph_.Input("unused", {3});
  ir::Value& b = graph_.Input("b", {2});
  (void)unused;
  graph_.Output(graph_.Node("Dropout", "drop_b", {&b}));
  graph_.Output(graph_.Node("Dropout", "drop_a", {&a}));
  const auto outputs = Run({Floats({2}, {1, 2}), Floats({3}, {0, 0, 0}), Floats({2}, {3, 4})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 2u);
  EXPECT_THAT(Values((*outputs)[0]), ElementsAre(3, 4));
  EXPECT_THAT(Values((*outputs)[1]), ElementsAre(1, 2));
}

TEST_F(Engine, InputsAreCheckedBeforeAnyWork) {
  graph_.Output(graph_.Node("Relu", "r",
                            {&graph_.FreeInput("image", {Dim::Symbol("batch"), Dim::Known(1),
                                                         Dim::Known(8), Dim::Known(8)})}));
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ(RunError(**compiled, {Floats({1, 8, 8}, std::vector<float>(64))}),
            "input 'image': shape [1,8,8] has rank 3, the model wants [batch,1,8,8]");
  EXPECT_EQ(RunError(**compiled, {Floats({1, 3, 8, 8}, std::vector<float>(192))}),
            "input 'image': shape [1,3,8,8] has extent 3 in dimension 1, the model wants "
            "[batch,1,8,8]");
  EXPECT_EQ(RunError(**compiled, {Tensor::Of<int64_t>({1, 1, 8, 8}, std::vector<int64_t>(64))}),
            "input 'image': element type is i64, the model wants f32");
  EXPECT_EQ(RunError(**compiled, {}), "0 inputs were given, the model has 1: 'image'");
  EXPECT_EQ(RunError(**compiled, {Floats({2, 1, 8, 8}, std::vector<float>(128))}), "no error");
}

TEST_F(Engine, AnyNumberOfBatchSizes) {
  graph_.Output(graph_.Node("Neg", "n", {&graph_.FreeInput("x", {Dim(), Dim::Known(2)})}));
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  for (const int64_t batch : {1, 4, 2, 3, 5, 1, 0, 4}) {
    std::vector<float> values(static_cast<size_t>(batch) * 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
    const auto outputs = (*compiled)->Run(Inputs{Floats({batch, 2}, values)});
    ASSERT_TRUE(outputs.ok()) << batch << outputs.status();
    for (float& value : values) value = -value;
    EXPECT_EQ(Values((*outputs)[0]), values) << batch;
    EXPECT_THAT((*outputs)[0].dims(), ElementsAre(batch, 2));
  }
}

TEST_F(Engine, FixedShapes) {
  graph_.Output(graph_.Node("Neg", "n", {&graph_.FreeInput("x", {Dim(), Dim::Known(2)})}));
  const auto compiled = Compile({.taps = {}, .input_shapes = {{"x", {3, 2}}}});
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ(RunError(**compiled, {Floats({1, 2}, {1, 2})}),
            "input 'x': shape [1,2] has extent 1 in dimension 0, the model wants [3,2]");
  EXPECT_EQ(CompileError({.taps = {}, .input_shapes = {{"x", {3, 4}}}}),
            "input 'x': shape [3,4] was asked for, the model wants [?,2]");
  EXPECT_EQ(CompileError({.taps = {}, .input_shapes = {{"y", {3}}}}),
            "a shape is given for 'y', which is no input (inputs: 'x')");
}

TEST_F(Engine, ConstantsThatStandAtOddAddresses) {
  const auto block = std::make_shared<std::vector<std::byte>>(4 * 1000 + 1);
  for (int i = 0; i < 1000; ++i) {
    const auto value = static_cast<float>(i);
    std::memcpy(block->data() + 1 + 4 * i, &value, 4);
  }
  const auto odd = Tensor::FromBytes(ElementType::kFloat32, {1000},
                                     ir::TensorBytes({block->data() + 1, 4000}, block));
  ASSERT_TRUE(odd.ok());
  graph_.Output(graph_.Node("Add", "n", {&graph_.Input("x", {1000}), &graph_.Constant("k", *odd)}));
  const auto outputs = Run({Floats({1000}, std::vector<float>(1000, 1))});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Values((*outputs)[0])[999], 1000);
}

struct Seen {
  std::vector<std::string> names;
  std::map<std::string, std::vector<float>> values;
  eval::Tap On(const ir::Value& value) {
    return {&value, [this, name = std::string(value.name_text())](const eval::TensorView& view) {
              EXPECT_EQ(view.element_type, ElementType::kFloat32);
              names.push_back(name);
              values[name].assign(view.floats().begin(), view.floats().end());
              return OkStatus();
            }};
  }
};

// Such inputs are handed over where they are, in memory that must not be written to.
TEST_F(Engine, InputsThatAreMappedFilesAreOnlyRead) {
  std::string path = (std::filesystem::temp_directory_path() / "lathe-engine-XXXXXX").string();
  const int descriptor = ::mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  const std::vector<float> values(4096, -1.5f);
  ASSERT_EQ(::write(descriptor, values.data(), 4 * values.size()), 4 * 4096);
  ::close(descriptor);
  const auto file = MappedFile::Open(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(file.ok());
  const auto mapped = Tensor::FromFile(ElementType::kFloat32, {4, 1024}, *file, 0);
  ASSERT_TRUE(mapped.ok());
  ir::Value& x = graph_.Input("x", {4, 1024});
  ir::Value& shape = graph_.Constant("shape", Tensor::Of<int64_t>({2}, {64, 64}));
  ir::Value& reshaped = graph_.Node("Reshape", "reshaped", {&x, &shape});
  graph_.Output(graph_.Node("Neg", "a", {&graph_.Node("Relu", "r", {&x})}));
  graph_.Output(graph_.Node("Abs", "b", {&reshaped}));
  graph_.Output(graph_.Node("Add", "c", {&x, &x}));
  for (const bool tapped : {false, true}) {
    Seen seen;
    eval::CompileOptions options;
    if (tapped) options.taps = {seen.On(x), seen.On(reshaped)};
    const auto outputs = Run({*mapped}, options);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(Values((*outputs)[1])[4095], 1.5f);
    EXPECT_EQ(Values((*outputs)[2])[4095], -3);
    EXPECT_EQ(*mapped->Values<float>(), values);
  }
}

TEST_F(Engine, TapsSeeInputsConstantsOutputsAndValuesThatFusionWouldTakeAway) {
  ir::Value& x = graph_.Input("x", {1, 1, 2, 2});
  ir::Value& w = graph_.Constant("w", Floats({1, 1, 1, 1}, {2}));
  ir::Value& k = graph_.Constant("k", Floats({1}, {-6}));
  ir::Value& conv = graph_.Node("Conv", "conv", {&x, &w});
  ir::Value& same = graph_.Node("Identity", "same", {&conv});
  ir::Value& add = graph_.Node("Add", "add", {&same, &k});
  ir::Value& relu = graph_.Node("Relu", "relu", {&add});
  ir::Value& doubled = graph_.Node("Mul", "doubled", {&k, &k});
  ir::Value& dead = graph_.Node("Neg", "dead", {&x});
  graph_.Output(relu);
  Seen seen;
  eval::CompileOptions options;
  for (ir::Value* value : {&x, &w, &k, &conv, &same, &add, &relu, &doubled, &dead}) {
    options.taps.push_back(seen.On(*value));
  }
  options.taps.push_back(seen.On(conv));
  for (const bool with_outputs : {true, false}) {
    options.outputs = with_outputs;
    const auto compiled = Compile(options);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    for (int run = 0; run < 2; ++run) {
      seen.names.clear();
      seen.values.clear();
      const auto outputs = (*compiled)->Run(Inputs{Floats({1, 1, 2, 2}, {1, 2, 3, 4})});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_EQ(outputs->size(), with_outputs ? 1u : 0u);
      EXPECT_EQ(seen.names.size(), 10u);
      EXPECT_THAT(seen.values["x"], ElementsAre(1, 2, 3, 4));
      EXPECT_THAT(seen.values["w"], ElementsAre(2));
      EXPECT_THAT(seen.values["k"], ElementsAre(-6));
      EXPECT_THAT(seen.values["conv_out"], ElementsAre(2, 4, 6, 8));
      EXPECT_THAT(seen.values["same_out"], ElementsAre(2, 4, 6, 8));
      EXPECT_THAT(seen.values["add_out"], ElementsAre(-4, -2, 0, 2));
      EXPECT_THAT(seen.values["relu_out"], ElementsAre(0, 0, 0, 2));
      EXPECT_THAT(seen.values["doubled_out"], ElementsAre(36));
      EXPECT_THAT(seen.values["dead_out"], ElementsAre(-1, -2, -3, -4));
    }
  }
}

TEST_F(Engine, TapsOfEveryElementType) {
  std::map<std::string, ElementType> seen;
  eval::CompileOptions options;
  ir::Value& x = graph_.Input("x", {2});
  for (const ElementType type :
       {ElementType::kFloat16, ElementType::kFloat64, ElementType::kInt64, ElementType::kInt32,
        ElementType::kInt8, ElementType::kUint8, ElementType::kBool}) {
    ir::Value& cast = graph_.Node("Cast", fmt::format("to_{}", ir::ElementTypeName(type)), {&x},
                                  {{"to", static_cast<int64_t>(type)}});
    graph_.Output(cast, type);
    options.taps.push_back({&cast, [&, type](const eval::TensorView& view) {
                              seen[std::string(ir::ElementTypeName(type))] = view.element_type;
                              EXPECT_EQ(view.dims.size(), 1u);
                              EXPECT_EQ(view.bytes.size(), ir::ElementBytes(view.element_type, 2));
                              return OkStatus();
                            }});
  }
  const auto outputs = Run({Floats({2}, {0, 3})}, options);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(seen.size(), 7u);
  for (const auto& [name, type] : seen) {
    EXPECT_EQ(ir::ElementTypeName(type), name.starts_with("f") ? "f32" : name);
  }
  EXPECT_EQ((*outputs)[0].element_type(), ElementType::kFloat16);
  EXPECT_EQ((*outputs)[2].element_type(), ElementType::kInt64);
}

TEST_F(Engine, TapsOfAModelWithoutInputs) {
  ir::Value& k = graph_.Constant("k", Floats({2}, {1, 2}));
  graph_.Output(graph_.Node("Neg", "neg", {&k}));
  Seen seen;
  const auto outputs = Run({}, {.taps = {seen.On(k)}, .input_shapes = {}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(Values((*outputs)[0]), ElementsAre(-1, -2));
  EXPECT_THAT(seen.values["k"], ElementsAre(1, 2));
}

TEST_F(Engine, AnObserversErrorStopsTheRun) {
  ir::Value& x = graph_.Input("x", {2});
  ir::Value& first = graph_.Node("Neg", "first", {&x});
  ir::Value& second = graph_.Node("Exp", "second", {&first});
  graph_.Output(second);
  int later = 0;
  bool fail = true;
  eval::CompileOptions options;
  options.taps.push_back({&first, [&](const eval::TensorView&) {
                            return fail ? InvalidInput("enough") : OkStatus();
                          }});
  options.taps.push_back({&second, [&](const eval::TensorView&) {
                            ++later;
                            return OkStatus();
                          }});
  const auto compiled = Compile(options);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ(RunError(**compiled, {Floats({2}, {1, 2})}), "enough");
  EXPECT_EQ(later, 0);
  // The next run starts afresh.
  fail = false;
  EXPECT_EQ(RunError(**compiled, {Floats({2}, {1, 2})}), "no error");
  EXPECT_EQ(later, 1);
}

TEST_F(Engine, TapsDoNotChangeOutputs) {
  ir::Value& x = graph_.Input("x", {1, 3, 9, 9});
  std::vector<float> weights(8 * 3 * 3 * 3), data(3 * 81);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::sin(static_cast<float>(i));
  for (size_t i = 0; i < data.size(); ++i) data[i] = std::cos(static_cast<float>(i));
  ir::Value& conv =
      graph_.Node("Conv", "conv", {&x, &graph_.Constant("w", Floats({8, 3, 3, 3}, weights))});
  ir::Value& relu = graph_.Node("Relu", "relu", {&conv});
  graph_.Output(relu);
  Seen seen;
  const auto bare = Run({Floats({1, 3, 9, 9}, data)});
  const auto tapped = Run({Floats({1, 3, 9, 9}, data)},
                          {.taps = {seen.On(conv), seen.On(relu)}, .input_shapes = {}});
  ASSERT_TRUE(bare.ok() && tapped.ok());
  EXPECT_EQ(Values((*bare)[0]), Values((*tapped)[0]));
  EXPECT_EQ(seen.values["relu_out"], Values((*bare)[0]));
}

// OpenVINO splits such sums among its threads, and so rounds them otherwise for another number.
TEST_F(Engine, LongSumsDoNotDependOnTheNumberOfThreads) {
  std::vector<float> data(25088), weights(16 * 25088);
  for (size_t i = 0; i < data.size(); ++i) data[i] = std::sin(static_cast<float>(i));
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::cos(static_cast<float>(i * 7));
  ir::Value& x = graph_.Input("x", {1, 25088});
  ir::Value& gemm =
      graph_.Node("Gemm", "gemm", {&x, &graph_.Constant("w", Floats({16, 25088}, weights))},
                  {{"transB", int64_t{1}}});
  graph_.Output(graph_.Node("Relu", "relu", {&gemm}));
  ir::Value& shape = graph_.Constant("shape", Tensor::Of<int64_t>({4}, {1, 512, 7, 7}));
  ir::Value& image = graph_.Node("Reshape", "image", {&x, &shape});
  ir::Value& conv = graph_.Node("Conv", "conv",
                                {&image, &graph_.Constant("k", Floats({16, 512, 7, 7}, weights))});
  graph_.Output(graph_.Node("Relu", "relu2", {&conv}));
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 0, 1}) {
    const auto outputs =
        Run({Floats({1, 25088}, data)}, {.taps = {}, .input_shapes = {}, .threads = threads});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    results.push_back(Values((*outputs)[0]));
    for (const float value : Values((*outputs)[1])) results.back().push_back(value);
    EXPECT_EQ(results.back(), results.front()) << threads;
  }
}

TEST_F(Engine, RefusalsNameOperatorAndNode) {
  ir::Value& x = graph_.Input("x", {2});
  graph_.Output(graph_.Node("Relu", "fine", {&x}));
  graph_.Output(graph_.Node("Bar", "strange", {&x}));
  EXPECT_EQ(CompileError(),
            "node 'strange': OpenVINO cannot run operator Bar: it has no such operator");
}

TEST_F(Engine, RefusalsNameTheDomain) {
  graph_.rewriter.MutableInfo().opset_imports.push_back({"amct", 1});
  graph_.Output(graph_.Node("AscendQuant", "quant", {&graph_.Input("x", {2})}, {}, "amct"));
  EXPECT_EQ(CompileError(),
            "node 'quant': OpenVINO cannot run operator amct.AscendQuant: it has no such operator");
}

TEST_F(Engine, RefusalsGiveTheReason) {
  ir::Value& x = graph_.Input("x", {2});
  graph_.Output(graph_.Node("Conv", "conv", {&x, &graph_.Constant("w", Floats({3}, {1, 2, 3}))}));
  const std::string text = CompileError();
  EXPECT_TRUE(text.starts_with("node 'conv': OpenVINO cannot run operator Conv: ")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

TEST_F(Engine, RepeatsOfTileThatComeFromShapes) {
  ir::Value& x = graph_.FreeInput("x", {Dim(), Dim()});
  ir::Value& shape = graph_.Node("Shape", "shape", {&x});
  graph_.Output(graph_.Node("Tile", "tile", {&x, &shape}));
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  for (const int64_t rows : {1, 2, 3, 1, 4, 5, 2, 1}) {
    std::vector<float> values(static_cast<size_t>(2 * rows));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    const auto outputs = (*compiled)->Run(Inputs{Floats({rows, 2}, values)});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_THAT((*outputs)[0].dims(), ElementsAre(rows * rows, 4));
    const std::vector<float> tiled = Values((*outputs)[0]);
    for (size_t i = 0; i < tiled.size(); ++i) {
      const size_t row = i / 4 % static_cast<size_t>(rows), column = i % 2;
      ASSERT_EQ(tiled[i], values[2 * row + column]) << rows << " " << i;
    }
  }
}

// OpenVINO's frontend takes axes that are an attribute for none.
TEST_F(Engine, AxesOfReduceL1) {
  ir::Value& x = graph_.Input("x", {2, 2});
  ir::Value& rows = graph_.Node("ReduceL1", "rows", {&x}, {{"axes", std::vector<int64_t>{1}}});
  ir::Value& all = graph_.Node("ReduceL1", "all", {&x}, {{"keepdims", int64_t{0}}});
  graph_.Output(rows);
  graph_.Output(all);
  const auto outputs = Run({Floats({2, 2}, {1, -2, 3, -4})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[0].dims(), ElementsAre(2, 1));
  EXPECT_THAT(Values((*outputs)[0]), ElementsAre(3, 7));
  EXPECT_THAT((*outputs)[1].dims(), ElementsAre());
  EXPECT_THAT(Values((*outputs)[1]), ElementsAre(10));
}

TEST_F(Engine, RepeatsOfTileThatAreAnInputAreRefused) {
  graph_.Output(graph_.Node(
      "Tile", "tile", {&graph_.Input("x", {2}), &graph_.Input("r", {1}, ElementType::kInt64)}));
  EXPECT_EQ(CompileError(),
            "node 'tile': OpenVINO cannot run operator Tile: its repeats are not constant");
}

TEST_F(Engine, TopKOfEqualElementsKeepsTheirOrder) {
  ir::NodeSpec spec;
  spec.op = "TopK";
  spec.name = "top";
  spec.inputs = {&graph_.Input("x", {6}),
                 &graph_.Constant("k", Tensor::Of<int64_t>({1}, std::vector<int64_t>{4}))};
  spec.outputs = {"values", "indices"};
  ir::Node& node = graph_.rewriter.CreateNode(graph_.model->graph(), nullptr, spec);
  graph_.Output(*node.output(1));
  const auto outputs = Run({Floats({6}, {7, 7, 9, 7, 7, 9})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(*(*outputs)[0].ValuesAsInt64(), ElementsAre(2, 5, 0, 1));
}

TEST_F(Engine, WhatWouldBeComputedOtherwiseIsRefused) {
  ir::Value& x = graph_.Input("x", {2}, ElementType::kInt8);
  graph_.Output(graph_.Node("BitShift", "shift", {&x, &x}, {{"direction", std::string("RIGHT")}}));
  EXPECT_EQ(CompileError(),
            "node 'shift': operator BitShift of signed integers has other results in OpenVINO");
}

TEST_F(Engine, MaxPoolWhoseLastWindowStartsInPaddingIsRefused) {
  ir::Value& x = graph_.Input("x", {1, 1, 2, 2});
  graph_.Output(graph_.Node("MaxPool", "pool", {&x},
                            {{"kernel_shape", std::vector<int64_t>{1, 1}},
                             {"strides", std::vector<int64_t>{2, 2}},
                             {"ceil_mode", int64_t{1}}}));
  EXPECT_EQ(CompileError(),
            "node 'pool': operator MaxPool has ceil_mode and a window in the end padding alone, "
            "which OpenVINO computes otherwise");
}

TEST_F(Engine, CornersOfExtentsThatAreNotWholeAreRefused) {
  ir::Value& x = graph_.Input("x", {1, 1, 2, 4});
  ir::Value& scales = graph_.Constant("s", Floats({4}, {1, 1, .5f, .6f}));
  graph_.Output(graph_.Node("Resize", "resize", {&x, nullptr, &scales},
                            {{"mode", std::string("linear")},
                             {"coordinate_transformation_mode", std::string("align_corners")}}));
  EXPECT_EQ(CompileError(),
            "node 'resize': operator Resize has align_corners and scales that give no whole "
            "extent, which OpenVINO computes otherwise");
}

TEST_F(Engine, WindowsOfAttentionAreRefused) {
  ir::Value& x = graph_.Input("x", {1, 1, 2, 2});
  graph_.Output(
      graph_.Node("Attention", "attention", {&x, &x, &x}, {{"left_window_size", int64_t{1}}}));
  EXPECT_EQ(CompileError(),
            "node 'attention': operator Attention has left_window_size, which OpenVINO ignores");
}

TEST_F(Engine, WhatWouldBeIgnoredIsRefused) {
  ir::Value& x = graph_.Input("x", {1, 1, 4, 4});
  ir::Value& scales = graph_.Constant("s", Floats({4}, {1, 1, .5f, .5f}));
  graph_.Output(graph_.Node("Resize", "resize", {&x, nullptr, &scales},
                            {{"mode", std::string("linear")}, {"antialias", int64_t{1}}}));
  EXPECT_EQ(CompileError(),
            "node 'resize': operator Resize has antialias 1, which OpenVINO ignores");
}

TEST_F(Engine, StringsAreRefused) {
  graph_.Output(graph_.Node("Identity", "i", {&graph_.Input("x", {2}, ElementType::kString)}),
                ElementType::kString);
  EXPECT_EQ(CompileError(), "input 'x' is made of strings, OpenVINO has none");
}

TEST_F(Engine, StringConstantsAreRefused) {
  ir::Value& k = graph_.Constant("k", Tensor::OfStrings({1}, {"a"}));
  graph_.Output(graph_.Node("Identity", "i", {&k}), ElementType::kString);
  graph_.Output(graph_.Node("Relu", "r", {&graph_.Input("x", {2})}));
  EXPECT_EQ(CompileError(), "node 'i': operator Identity works on strings, OpenVINO does not");
}

TEST_F(Engine, IntegersBeyond32Bits) {
  ir::Value& x = graph_.Input("x", {2}, ElementType::kInt64);
  graph_.Output(x);
  graph_.Output(
      graph_.Node("Add", "add", {&x, &graph_.Constant("k", Tensor::Scalar<int64_t>(1LL << 40))}),
      ElementType::kInt64);
  EXPECT_EQ(CompileError(),
            "node 'add': operator Add takes the constant 1099511627776 of type "
            "i64, OpenVINO computes it in 32 bits");
}

TEST_F(Engine, WideInputsAndConstantsThatOnlyMeanTheEnd) {
  ir::Value& x = graph_.Input("x", {3}, ElementType::kInt64);
  const auto ints = [](int64_t value) { return Tensor::Of<int64_t>({1}, {value}); };
  graph_.Output(graph_.Node("Slice", "slice",
                            {&x, &graph_.Constant("start", ints(1)),
                             &graph_.Constant("end", ints(INT64_MAX))}),
                ElementType::kInt64);
  const auto compiled = Compile();
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const auto outputs = (*compiled)->Run(Inputs{Tensor::Of<int64_t>({3}, {1, -2, INT32_MAX})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(*(*outputs)[0].Values<int64_t>(), ElementsAre(-2, INT32_MAX));
  EXPECT_EQ(RunError(**compiled, {Tensor::Of<int64_t>({3}, {1, 1LL << 31, 3})}),
            "input 'x': 2147483648 is beyond the 32-bit integers that OpenVINO computes with");
}

}  // namespace
}  // namespace lathe::runtime
