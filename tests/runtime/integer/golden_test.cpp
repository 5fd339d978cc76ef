// Each golden's deploy model against its simulation.
#include <algorithm>
#include <cmath>
#include <iostream>

#include <gtest/gtest.h>

#include "../shared_data.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/runtime/cut.h"
#include "lathe/runtime/engine.h"
#include "slow_evaluator.h"

namespace lathe::runtime {
namespace {

namespace fs = std::filesystem;

std::vector<ir::Tensor> EvaluationInputs(const fs::path& folder) {
  auto inputs = test::Arrays(folder, "eval_in_");
  return inputs.empty() ? test::Arrays(folder, "infer_in_") : inputs;
}

// What quantisers made of the data, by layer: q - offset.
using Quantized = std::map<std::string, std::vector<int32_t>>;

// Runs a model with a tap at each quantiser; values called `suffix` after the layer's name.
std::vector<ir::Tensor> RunTapped(const ir::Model& model, const std::vector<ir::Tensor>& inputs,
                                  eval::Engine& engine, const std::string& suffix,
                                  Quantized* quantized) {
  eval::CompileOptions options;
  for (const ir::Node& node : model.graph().nodes()) {
    const ir::Value* value = node.output();
    const std::string name(value->name_text());
    if (!name.ends_with(suffix)) continue;
    const bool deploy = node.Is("AscendQuant");
    const auto offset = static_cast<int32_t>(deploy ? node.FloatAttribute("offset", 0) : 0);
    const std::string layer = name.substr(0, name.size() - suffix.size());
    options.taps.push_back({value, [=](const eval::TensorView& view) {
                              std::vector<int32_t>& values = (*quantized)[layer];
                              if (!deploy) {
                                for (const float x : view.floats()) {
                                  values.push_back(static_cast<int32_t>(x));
                                }
                                return OkStatus();
                              }
                              for (const std::byte each : view.bytes) {
                                values.push_back(static_cast<int8_t>(each) - offset);
                              }
                              return OkStatus();
                            }});
  }
  const auto compiled = engine.Compile(model, options);
  EXPECT_TRUE(compiled.ok()) << FormatError(compiled.status());
  if (!compiled.ok()) return {};
  const auto outputs = (*compiled)->Run(inputs);
  EXPECT_TRUE(outputs.ok()) << FormatError(outputs.status());
  return outputs.ok() ? *outputs : std::vector<ir::Tensor>{};
}

struct Steps {
  size_t elements = 0;
  size_t one = 0;
  size_t more = 0;
  // Of the first quantiser, in execution order, that differs at all: what feeds it is equal, so it
  // can only have rounded the other way.
  size_t first_more = 0;
};

Steps CountSteps(const ir::Model& model, const Quantized& deploy, const Quantized& simulated) {
  Steps steps;
  bool differed = false;
  for (const ir::Node& node : model.graph().nodes()) {
    const std::string name(node.name_text());
    if (!node.Is("AscendQuant")) continue;
    const std::string layer = name.substr(0, name.size() - std::string(".quant").size());
    const auto values = deploy.find(layer);
    const auto other = simulated.find(layer);
    if (values == deploy.end() || other == simulated.end()) continue;
    size_t one = 0, more = 0;
    for (size_t i = 0; i < values->second.size(); ++i) {
      const int32_t difference = std::abs(values->second[i] - other->second.at(i));
      one += difference == 1 ? 1 : 0;
      more += difference > 1 ? 1 : 0;
    }
    steps.elements += values->second.size();
    steps.one += one;
    steps.more += more;
    if (!differed) steps.first_more = more;
    differed = differed || one + more > 0;
  }
  return steps;
}

TEST(IntegerGolden, DeployModelsDoWhatTheirSimulationDoes) {
  LATHE_REQUIRE_SHARED("golden");
  size_t cases = 0;
  Steps all;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(test::SharedFolder() + "/golden")) {
    if (fs::exists(entry.path() / "deploy_model.onnx")) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  const auto engine = MakeEngine();
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    const auto deploy = frontends::ImportOnnx((folder / "deploy_model.onnx").string());
    const auto fake = frontends::ImportOnnx((folder / "fake_quant_model.onnx").string());
    ASSERT_TRUE(deploy.ok() && fake.ok()) << name;
    if (!HasAscendOperators(**deploy)) continue;
    ++cases;
    const auto inputs = EvaluationInputs(folder);
    Quantized integers, simulated;
    const auto outputs = RunTapped(**deploy, inputs, *engine, ".quant.output0", &integers);
    RunTapped(**fake, inputs, *engine, ".quant.fakequant.sub.output0", &simulated);
    const auto expected = test::Arrays(folder, "fake_quant_out_");
    ASSERT_EQ(outputs.size(), expected.size()) << name;
    double worst = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < expected.size(); ++i) {
      worst = std::min(worst, test::Decibels(outputs[i], expected[i]));
    }
    const Steps steps = CountSteps(**deploy, integers, simulated);
    std::cout << name << ": " << worst << " dB; of " << steps.elements
              << " quantised elements one step apart " << steps.one << ", more " << steps.more
              << "\n";
    EXPECT_GE(worst, 40) << name;
    EXPECT_GT(steps.elements, 0u) << name;
    EXPECT_EQ(steps.first_more, 0u) << name;
    all.elements += steps.elements;
    all.one += steps.one;
  }
  std::cout << "all: " << all.one << " of " << all.elements << " one step apart\n";
  EXPECT_GE(cases, 24u);
}

TEST(IntegerGolden, EveryInstructionSetAndThreadCountGivesTheSameBytes) {
  LATHE_REQUIRE_SHARED("golden");
  for (const std::string name : {"ptq_mobilenet", "ptq_deconv", "ptq_lstm", "ptq_mlp"}) {
    const fs::path folder = fs::path(test::SharedFolder()) / "golden" / name;
    const auto model = frontends::ImportOnnx((folder / "deploy_model.onnx").string());
    ASSERT_TRUE(model.ok());
    std::vector<std::string> results;
    for (const integer::Isa isa : integer::AvailableIsas()) {
      for (const int threads : {1, 2}) {
        const auto engine = MakeEngine({.isa = isa, .note = {}});
        const auto compiled =
            engine->Compile(**model, {.taps = {}, .input_shapes = {}, .threads = threads});
        ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
        const auto outputs = (*compiled)->Run(EvaluationInputs(folder));
        ASSERT_TRUE(outputs.ok()) << FormatError(outputs.status());
        const auto bytes = (*outputs)[0].Read();
        results.emplace_back(reinterpret_cast<const char*>(bytes->data()), bytes->size());
        EXPECT_EQ(results.back(), results.front()) << name << " " << integer::IsaName(isa);
      }
    }
  }
}

// What the fake-quant graph leaves out is all that separates recurrent deploy models from it.
TEST(IntegerGolden, RecurrentLayersDifferOnlyInTheHiddenState) {
  LATHE_REQUIRE_SHARED("golden");
  for (const std::string name : {"ptq_lstm", "ptq_gru"}) {
    const fs::path folder = fs::path(test::SharedFolder()) / "golden" / name;
    const auto model = frontends::ImportOnnx((folder / "deploy_model.onnx").string());
    ASSERT_TRUE(model.ok());
    const auto inputs = EvaluationInputs(folder);
    std::map<std::string, test::SlowValue> values;
    for (size_t i = 0; i < inputs.size(); ++i) {
      values["input" + std::to_string(i)] = {
          .dims = {inputs[i].dims().begin(), inputs[i].dims().end()},
          .floats = test::Floats(inputs[i])};
    }
    const auto compiled = MakeEngine()->Compile(**model, {});
    ASSERT_TRUE(compiled.ok());
    const auto outputs = (*compiled)->Run(inputs);
    ASSERT_TRUE(outputs.ok()) << FormatError(outputs.status());
    const auto exact = test::EvaluateSlowly(**model, values);
    EXPECT_GE(test::Decibels(test::Floats((*outputs)[0]), exact.at("output0").floats), 120) << name;
    const auto kept = test::EvaluateSlowly(**model, values, {.quantize_hidden = false});
    const auto expected = test::Arrays(folder, "fake_quant_out_");
    const double decibels = test::Decibels(kept.at("output0").floats, test::Floats(expected[0]));
    std::cout << name << " with a float hidden state: " << decibels << " dB\n";
    EXPECT_GE(decibels, 60) << name;
  }
}

}  // namespace
}  // namespace lathe::runtime
