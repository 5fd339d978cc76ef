// Each golden's deploy model against its simulation.
#include <algorithm>
#include <cmath>
#include <iostream>

#include <gtest/gtest.h>

#include "../shared_data.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/rewriter.h"
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

// q - offset.
struct Codes {
  std::vector<int64_t> dims;
  std::vector<int32_t> values;
};

// What quantisers made of the data, by layer.
using Quantized = std::map<std::string, Codes>;

constexpr std::string_view kQuant = ".quant";

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
                              Codes& codes = (*quantized)[layer];
                              codes.dims.assign(view.dims.begin(), view.dims.end());
                              std::vector<int32_t>& values = codes.values;
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
};

Steps CountSteps(const ir::Model& model, const Quantized& deploy, const Quantized& simulated) {
  Steps steps;
  for (const ir::Node& node : model.graph().nodes()) {
    const std::string name(node.name_text());
    if (!node.Is("AscendQuant")) continue;
    const std::string layer = name.substr(0, name.size() - kQuant.size());
    const auto values = deploy.find(layer);
    const auto other = simulated.find(layer);
    if (values == deploy.end() || other == simulated.end()) continue;
    const std::vector<int32_t>& got = values->second.values;
    for (size_t i = 0; i < got.size(); ++i) {
      const int32_t difference = std::abs(got[i] - other->second.values.at(i));
      steps.one += difference == 1 ? 1 : 0;
      steps.more += difference > 1 ? 1 : 0;
    }
    steps.elements += got.size();
  }
  return steps;
}

// Gives what follows each quantiser the simulation's codes instead of the quantiser's own, so that
// no difference comes from another before it. Adds to `inputs` what the new inputs are fed.
void FeedTheSame(ir::Model& model, const Quantized& simulated, std::vector<ir::Tensor>* inputs) {
  ir::Rewriter rewriter(model);
  std::vector<ir::Node*> quantizers;
  for (ir::Node& node : model.graph().nodes()) {
    if (node.Is("AscendQuant")) quantizers.push_back(&node);
  }
  for (ir::Node* node : quantizers) {
    const std::string name(node->name_text());
    const auto codes = simulated.find(name.substr(0, name.size() - kQuant.size()));
    if (codes == simulated.end()) continue;
    const float scale = node->FloatAttribute("scale", 0);
    const float offset = node->FloatAttribute("offset", 0);
    std::vector<float> floats;
    for (const int32_t code : codes->second.values) {
      floats.push_back(static_cast<float>(code) / scale);
    }
    inputs->push_back(ir::Tensor::Of(codes->second.dims, floats));
    ir::Value& fed = rewriter.AddGraphInput(
        model.graph(), model.Intern(name + ".fed"),
        model.Intern(ir::Type::Tensor(ir::ElementType::kFloat32, codes->second.dims)));
    std::vector<ir::Use*> uses;
    for (ir::Use& use : node->output()->uses()) uses.push_back(&use);
    ir::NodeSpec spec;
    spec.op = "AscendQuant";
    spec.name = name + ".again";
    spec.inputs = {&fed};
    spec.attributes = {{"scale", scale},
                       {"offset", offset},
                       {"dst_type", node->StringAttribute("dst_type", "INT8")}};
    spec.outputs = {name + ".again.output"};
    ir::Value* again = rewriter.CreateNode(model.graph(), node->next(), std::move(spec)).output();
    for (ir::Use* use : uses) rewriter.ReplaceUse(*use, again);
  }
}

TEST(IntegerGolden, DeployModelsDoWhatTheirSimulationDoes) {
  LATHE_REQUIRE_SHARED("golden");
  size_t cases = 0;
  size_t elements = 0, apart = 0, turned = 0;
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
    // Each quantiser by itself: fed the same, it at most rounds the other way.
    Quantized alone;
    std::vector<ir::Tensor> fed = inputs;
    FeedTheSame(**deploy, simulated, &fed);
    RunTapped(**deploy, fed, *engine, ".quant.output0", &alone);
    const Steps own = CountSteps(**deploy, alone, simulated);
    std::cout << name << ": " << worst << " dB; of " << steps.elements
              << " quantised elements one step apart " << steps.one << ", more " << steps.more
              << "; each layer fed the same: " << own.one << " and " << own.more << "\n";
    EXPECT_GE(worst, 40) << name;
    EXPECT_GT(steps.elements, 0u) << name;
    EXPECT_EQ(own.elements, steps.elements) << name;
    EXPECT_EQ(own.more, 0u) << name;
    elements += steps.elements;
    apart += steps.one + steps.more;
    turned += own.one;
  }
  std::cout << "all: " << apart << " of " << elements << " differ, because " << turned
            << " are rounded the other way\n";
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
