#include "lathe/passes/quant/insert_calibration.h"

#include <gtest/gtest.h>

#include "lathe/quant/config/quant_settings.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

// Marks the layers and puts observers on them.
PassReport Insert(GraphBuilder& net, const std::vector<std::string>& layers) {
  quant::QuantSettings settings;
  for (const std::string& name : layers) settings.layers.push_back({.name = name});
  Resources resources;
  resources.Provide(&settings);
  const auto report = RunWith(net.model(), "mark-quant-points,insert-calibration", resources);
  EXPECT_TRUE(report.ok()) << FormatError(report.status());
  return report.ok() ? report->passes.back() : PassReport();
}

// x -> a -> b, and c beside b.
struct Net : GraphBuilder {
  Net() {
    ir::Value* a = Op("Conv", "a", {Input("x"), Init("wa", {2, 2, 1, 1})});
    Output(Op("Conv", "b", {a, Init("wb", {2, 2, 1, 1})}));
    Output(Op("Conv", "c", {a, Init("wc", {2, 2, 1, 1})}));
  }
};

TEST(InsertCalibration, MarkedLayersAreObserved) {
  Net net;
  const PassReport report = Insert(net, {"a", "c"});
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "observers"), 2);
  EXPECT_EQ(Listing(net.graph()),
            "Observe(x)\n"
            "a = Conv(x, wa)\n"
            "b = Conv(a, wb)\n"
            "Observe(a)\n"
            "c = Conv(a, wc)\n"
            "return b, c\n");
  const ir::Node& observer = *net.graph().first_node();
  EXPECT_EQ(observer.domain_text(), "lathe");
  EXPECT_EQ(observer.name_text(), "a.observe");
  EXPECT_EQ(observer.StringAttribute("layer", ""), "a");
}

TEST(InsertCalibration, LayersThatReadOneValueHaveAnObserverEach) {
  Net net;
  EXPECT_EQ(Statistic(Insert(net, {"b", "c"}), "observers"), 2);
}

TEST(InsertCalibration, APaddedAveragePoolIsObservedBeforeThePad) {
  GraphBuilder net;
  ir::Value* padded = net.Op("Pad", "p_pad", {net.Input("x"), net.Init("pads", {8}, 0)});
  net.Output(net.Op("AveragePool", "p", {padded}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}));
  Insert(net, {"p"});
  EXPECT_EQ(Listing(net.graph()),
            "Observe(x)\np_pad = Pad(x, pads)\np = AveragePool(p_pad)\nreturn p\n");
}

TEST(InsertCalibration, TheHiddenStateOfARecurrentLayerIsObservedToo) {
  GraphBuilder net;
  ir::Node* gru = net.Node("GRU", "rnn",
                           {net.Input("x", {3, 1, 4}), net.Init("w", {1, 6, 4}),
                            net.Init("r", {1, 6, 2}), nullptr, nullptr, net.Input("h", {1, 1, 2})},
                           {{"linear_before_reset", int64_t{1}}}, 2);
  net.Output(gru->output(1));
  EXPECT_EQ(Statistic(Insert(net, {"rnn"}), "observers"), 2);
  EXPECT_EQ(
      Listing(net.graph()),
      "Observe(x)\n"
      "rnn, rnn.output1 = GRU(x, w, r, -, -, h)\n"
      "rnn.hidden.but_last.output0 = Slice(rnn, rnn.hidden.first, rnn.hidden.end, "
      "rnn.hidden.first)\n"
      "rnn.hidden.initial.output0 = Reshape(h, rnn.hidden.flat)\n"
      "rnn.hidden.later.output0 = Reshape(rnn.hidden.but_last.output0, rnn.hidden.flat)\n"
      "rnn.hidden.all.output0 = Concat(rnn.hidden.initial.output0, rnn.hidden.later.output0)\n"
      "Observe(rnn.hidden.all.output0)\n"
      "return rnn.output1\n");
  int hidden = 0;
  for (const ir::Node& node : net.graph().nodes()) {
    if (node.op_text() != "Observe") continue;
    EXPECT_EQ(node.StringAttribute("layer", ""), "rnn");
    hidden += static_cast<int>(node.IntAttribute("hidden", 0));
  }
  EXPECT_EQ(hidden, 1);
}

TEST(InsertCalibration, WithoutMarkedLayersNothingHappens) {
  Net net;
  const std::string before = Listing(net.graph());
  EXPECT_FALSE(Insert(net, {}).changed);
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(InsertCalibration, NeedsMarks) {
  Net net;
  EXPECT_EQ(FormatError(RunWith(net.model(), "insert-calibration", {}).status()),
            "pass insert-calibration (number 1) needs the fact 'quant-points-marked', which does "
            "not hold; run mark-quant-points before it");
}

}  // namespace
}  // namespace lathe::passes
