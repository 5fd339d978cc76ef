#include "lathe/passes/quant/mark_quant_points.h"

#include <gtest/gtest.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/tensor_point.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

struct Net : GraphBuilder {
  ir::Node* a = nullptr;
  ir::Node* b = nullptr;
  Net() {
    a = Node("Conv", "a", {Input("x"), Init("wa", {2, 2, 1, 1}), Init("ba", {2})});
    b = Node("Conv", "b", {a->output(), Init("wb", {2, 2, 1, 1})});
    Output(b->output());
  }
  std::string Mark(const ir::Node* node, size_t i) {
    return std::string(model().Text(node->inputs()[i].annotation()));
  }
};

quant::QuantSettings SettingsFor(const std::vector<std::string>& layers) {
  quant::QuantSettings settings;
  for (const std::string& name : layers) settings.layers.push_back({.name = name});
  return settings;
}

TEST(MarkQuantPoints, FollowsTheConfiguration) {
  Net net;
  quant::QuantSettings settings = SettingsFor({"a"});
  Resources resources;
  resources.Provide(&settings);
  ASSERT_TRUE(RunWith(net.model(), "mark-quant-points", resources).ok());
  EXPECT_EQ(net.Mark(net.a, 0), "quant.activation:a");
  EXPECT_EQ(net.Mark(net.a, 1), "quant.weight:a");
  EXPECT_EQ(net.Mark(net.a, 2), "quant.bias:a");
  EXPECT_EQ(net.Mark(net.b, 0), "");
  EXPECT_EQ(net.a->StringAttribute("op_data_type", ""), "float");
  EXPECT_EQ(net.b->FindAttribute("op_data_type"), nullptr);
}

TEST(MarkQuantPoints, ARecordComesFirstAndOldMarksGo) {
  Net net;
  quant::QuantSettings settings = SettingsFor({"a"});
  Resources resources;
  resources.Provide(&settings);
  ASSERT_TRUE(RunWith(net.model(), "mark-quant-points", resources).ok());
  quant::Record record;
  record.entries.push_back({.key = "b", .value = quant::LayerRecord{.scale_d = 1.0f}});
  // Without factors: not quantised.
  record.entries.push_back({.key = "a", .value = quant::LayerRecord{}});
  resources.Provide(&record);
  ASSERT_TRUE(RunWith(net.model(), "mark-quant-points", resources).ok());
  EXPECT_EQ(net.Mark(net.a, 0), "");
  EXPECT_EQ(net.Mark(net.b, 0), "quant.activation:b");
  ASSERT_EQ(MarkedLayers(net.model()).size(), 1u);
  EXPECT_EQ(MarkedLayers(net.model())[0].name, "b");
}

// x -> relu -> add with a constant, max; and mm with a bias.
struct TensorNet : Net {
  ir::Node* add = nullptr;
  TensorNet() {
    add = Node("Add", "add", {Op("Relu", "relu", {a->output()}), b->output()});
    Output(add->output());
    Output(Op("Add", "shifted", {Op("MaxPool", "max", {add->output()}), Init("c", {1})}));
    Output(Op("Add", "bias",
              {Op("MatMul", "mm", {a->output(), Init("wm", {4, 3})}), Init("offset", {3})}));
    Output(Op("Add", "half",
              {Op("Cast", "cast", {a->output()}, {{"to", int64_t{10}}}),
               Op("Cast", "cast2", {a->output()}, {{"to", int64_t{10}}})}));
  }
  std::string Run(const std::string& key) {
    quant::QuantSettings settings;
    settings.tensors = {{.key = key}};
    Resources resources;
    resources.Provide(&settings);
    const auto report = RunWith(model(), "mark-quant-points", resources);
    if (!report.ok()) return FormatError(report.status());
    return Statistic(report->passes[0], "tensors") == 1 ? "marked" : "not marked";
  }
};

TEST(MarkQuantPoints, InputsOnTheirOwn) {
  TensorNet net;
  EXPECT_EQ(net.Run("add:1"), "marked");
  EXPECT_EQ(net.Mark(net.add, 0), "");
  EXPECT_EQ(net.Mark(net.add, 1), "quant.tensor:add:1");
  ASSERT_EQ(MarkedTensors(net.model()).size(), 1u);
  EXPECT_EQ(MarkedTensors(net.model())[0].key, "add:1");
  EXPECT_EQ(MarkedTensors(net.model())[0].use, &net.add->inputs()[1]);
  EXPECT_EQ(MarkedTensors(net.model())[0].NodePrefix(), "add_1");
  EXPECT_TRUE(MarkedLayers(net.model()).empty());
  // The next run removes it.
  EXPECT_EQ(net.Run("max:0"), "marked");
  EXPECT_EQ(net.Mark(net.add, 1), "");
}

TEST(MarkQuantPoints, InputsThatCannotBeQuantised) {
  const std::string pass = "pass mark-quant-points: ";
  TensorNet net;
  EXPECT_EQ(net.Run("shifted:1"),
            "node 'shifted': " + pass + "input 1 cannot be quantised: it is a constant");
  EXPECT_EQ(net.Run("bias:0"), "node 'bias': " + pass +
                                   "input 0 cannot be quantised: it is the result of layer 'mm' "
                                   "before its bias");
  EXPECT_EQ(net.Run("half:0"), "node 'half': " + pass +
                                   "input 0 cannot be quantised: it is f16, only f32 is quantised "
                                   "on its own");
  EXPECT_EQ(net.Run("add:2"),
            "node 'add': " + pass + "'add:2' names no input of an Add or MaxPool");
  EXPECT_EQ(net.Run("relu:0"),
            "node 'relu': " + pass + "'relu:0' names no input of an Add or MaxPool");
  EXPECT_EQ(net.Run("nothing:0"), pass + "the model has no layer 'nothing'");
  EXPECT_EQ(net.Run("add"), pass + "'add' names no input: it is NODE:INDEX");
}

TEST(MarkQuantPoints, ScannedNodes) {
  TensorNet net;
  std::vector<std::string> lines;
  for (const quant::TensorNode& node : ScanTensorNodes(net.model())) {
    std::string line = node.name;
    for (const std::string& refusal : node.refusals) line += "; " + refusal;
    lines.push_back(line);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "add; ; ", "max; ", "shifted; ; it is a constant",
                       "bias; it is the result of layer 'mm' before its bias; it is a constant",
                       // Its type is found out when it is marked.
                       "half; ; "}));
}

TEST(MarkQuantPoints, AnUnknownLayerIsAnErrorWithNearNames) {
  Net net;
  net.rewriter().Rename(*net.a, net.model().Intern("convolution1"));
  quant::QuantSettings settings = SettingsFor({"convolution2"});
  Resources resources;
  resources.Provide(&settings);
  const auto report = RunWith(net.model(), "mark-quant-points", resources);
  EXPECT_EQ(FormatError(report.status()),
            "pass mark-quant-points: the model has no layer 'convolution2' (did you mean "
            "'convolution1'?)");
}

TEST(MarkQuantPoints, ANodeThatIsNoLayerIsAnErrorWithTheReason) {
  Net net;
  net.Output(net.Op("Relu", "r", {net.b->output()}));
  quant::QuantSettings settings = SettingsFor({"r"});
  Resources resources;
  resources.Provide(&settings);
  const auto report = RunWith(net.model(), "mark-quant-points", resources);
  EXPECT_EQ(FormatError(report.status()),
            "node 'r': pass mark-quant-points: a Relu layer that cannot be quantised: is never "
            "quantised");
}

TEST(MarkQuantPoints, NeedsAConfigurationOrARecord) {
  Net net;
  EXPECT_EQ(FormatError(RunWith(net.model(), "mark-quant-points", {}).status()),
            "pass mark-quant-points: needs a configuration or a record, and none was given");
}

}  // namespace
}  // namespace lathe::passes
