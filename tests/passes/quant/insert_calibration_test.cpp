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
