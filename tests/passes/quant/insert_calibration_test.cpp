#include "lathe/passes/quant/insert_calibration.h"

#include <limits>

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

TEST(InsertCalibration, InputsOnTheirOwn) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* relu = net.Op("Relu", "relu", {x});
  net.Output(net.Op("Add", "add", {x, relu}));
  quant::QuantSettings settings;
  settings.tensors = {{.key = "add:1"}};
  Resources resources;
  resources.Provide(&settings);
  const auto report = RunWith(net.model(), "mark-quant-points,insert-calibration", resources);
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  EXPECT_EQ(Listing(net.graph()),
            "relu = Relu(x)\n"
            "Observe(relu)\n"
            "add = Add(x, relu)\n"
            "return add\n");
  const ir::Node& observer = *net.graph().first_node()->next();
  EXPECT_EQ(observer.name_text(), "add:1.observe");
  EXPECT_EQ(observer.StringAttribute("layer", ""), "add:1");
  EXPECT_EQ(observer.IntAttribute("tensor", 0), 1);
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
      "rnn.hidden.initial.output0 = Reshape(h, rnn.hidden.flat)\n"
      "rnn.hidden.but_last.output0 = Slice(rnn, rnn.hidden.first, rnn.hidden.end, "
      "rnn.hidden.axis)\n"
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

// The direction that runs in reverse ends at the first step; without initial_h there is a zero.
TEST(InsertCalibration, TheHiddenStateOfBothDirections) {
  GraphBuilder net;
  ir::Node* lstm =
      net.Node("LSTM", "rnn",
               {net.Input("x", {3, 1, 4}), net.Init("w", {2, 8, 4}), net.Init("r", {2, 8, 2})},
               {{"direction", std::string("bidirectional")}}, 2);
  net.Output(lstm->output(1));
  EXPECT_EQ(Statistic(Insert(net, {"rnn"}), "observers"), 2);
  EXPECT_EQ(Listing(net.graph()),
            "Observe(x)\n"
            "rnn, rnn.output1 = LSTM(x, w, r)\n"
            "rnn.hidden.but_last.output0 = Slice(rnn, rnn.hidden.first, rnn.hidden.end, "
            "rnn.hidden.axis)\n"
            "rnn.hidden.later.output0 = Reshape(rnn.hidden.but_last.output0, rnn.hidden.flat)\n"
            "rnn.hidden.but_last.reverse.output0 = Slice(rnn, rnn.hidden.first.reverse, "
            "rnn.hidden.end.reverse, rnn.hidden.axis.reverse)\n"
            "rnn.hidden.later.reverse.output0 = Reshape(rnn.hidden.but_last.reverse.output0, "
            "rnn.hidden.flat)\n"
            "rnn.hidden.all.output0 = Concat(rnn.hidden.zero, rnn.hidden.later.output0, "
            "rnn.hidden.later.reverse.output0)\n"
            "Observe(rnn.hidden.all.output0)\n"
            "return rnn.output1\n");
  const auto constant = [&](std::string_view name) {
    for (const ir::Node& node : net.graph().nodes()) {
      for (const ir::Value* input : {node.input(0), node.input(1), node.input(2), node.input(3)}) {
        if (input != nullptr && input->name_text() == name) {
          return *input->ConstantTensor().Values<int64_t>();
        }
      }
    }
    return std::vector<int64_t>();
  };
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(constant("rnn.hidden.first"), (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(constant("rnn.hidden.end"), (std::vector<int64_t>{-1, 1}));
  EXPECT_EQ(constant("rnn.hidden.first.reverse"), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(constant("rnn.hidden.end.reverse"), (std::vector<int64_t>{kEnd, 2}));
  EXPECT_EQ(constant("rnn.hidden.axis.reverse"), (std::vector<int64_t>{0, 1}));
}

TEST(InsertCalibration, WhatALayerOfABranchSeesIsLedOut) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* branch = net.Node("If", "if", {net.Input("c", {})});
  const auto body = [&](const char* name) -> ir::Graph& {
    return net.rewriter().AddBody(*branch, net.model().Intern(name), false);
  };
  ir::Graph& then = body("then_branch");
  ir::Value* inside = &net.rewriter().Capture(then, *x);
  net.rewriter().AddGraphOutput(
      then, net.Node(then, "Conv", "a", {inside, net.Init(then, "w", {2, 2, 1, 1})})->output());
  ir::Graph& other = body("else_branch");
  net.rewriter().AddGraphOutput(
      other, net.Node(other, "Neg", "n", {&net.rewriter().Capture(other, *x)})->output());
  net.Output(branch->output());
  EXPECT_TRUE(Insert(net, {"a"}).changed);
  EXPECT_EQ(Listing(net.graph()),
            "if, a.observe = If(c)\n"
            "  a = Conv(x, w)\n"
            "  a.observe.flat.output0 = Reshape(x, a.observe.flat.shape)\n"
            "  return a, a.observe.flat.output0\n"
            "  n = Neg(x)\n"
            "  a.observe.none.output0 = Slice(a.observe.none.value, a.observe.none.bound, "
            "a.observe.none.bound, a.observe.none.bound)\n"
            "  return n, a.observe.none.output0\n"
            "Observe(a.observe)\n"
            "return if\n");
}

TEST(InsertCalibration, AScanSaysHowTheNewOutputIsPutTogether) {
  GraphBuilder net;
  ir::Node* scan =
      net.Node("Scan", "scan", {net.Input("h", {2, 4}), net.Input("xs", {3, 2, 4})},
               {{"num_scan_inputs", int64_t{1}}, {"scan_output_axes", std::vector<int64_t>{1}}}, 2);
  ir::Graph& body = net.rewriter().AddBody(*scan, net.model().Intern("body"), false);
  ir::Value* state = net.Input(body, "state", {2, 4});
  ir::Value* item = net.Input(body, "item", {2, 4});
  ir::Node* product = net.Node(body, "MatMul", "mm", {item, net.Init(body, "w", {4, 4})});
  net.rewriter().AddGraphOutput(body, state);
  net.rewriter().AddGraphOutput(body, product->output());
  net.Output(scan->output(1));
  EXPECT_TRUE(Insert(net, {"mm"}).changed);
  EXPECT_EQ(Listing(net.graph()),
            "scan, scan.output1, mm.observe = Scan(h, xs)\n"
            "  mm = MatMul(item, w)\n"
            "  mm.observe.flat.output0 = Reshape(item, mm.observe.flat.shape)\n"
            "  return state, mm, mm.observe.flat.output0\n"
            "Observe(mm.observe)\n"
            "return scan.output1\n");
  EXPECT_EQ(scan->IntsAttribute("scan_output_axes"), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(scan->FindAttribute("scan_output_directions"), nullptr);
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
