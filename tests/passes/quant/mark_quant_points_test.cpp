#include "lathe/passes/quant/mark_quant_points.h"

#include <gtest/gtest.h>

#include "lathe/passes/quant/quant_layer.h"
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
