#include "lathe/passes/quant/joint_groups.h"

#include <functional>

#include <gtest/gtest.h>

#include "lathe/passes/quant/mark_quant_points.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

// x -> a, x -> b; add = a + b; c reads it. Each part can be changed before the net is complete.
struct Net : GraphBuilder {
  quant::Record record;
  ir::Value* x = Input("x");

  ir::Value* Layer(const std::string& name, ir::Value* input, int64_t channels = 2,
                   const std::string& op = "Conv") {
    const bool matrix = op == "MatMul";
    const std::vector<int64_t> dims =
        matrix ? std::vector<int64_t>{4, channels} : std::vector<int64_t>{channels, 2, 1, 1};
    ir::Value* result = Op(op, name, {input, Init("w." + name, dims)});
    Record(name);
    return result;
  }
  quant::LayerRecord& Record(const std::string& name) {
    quant::LayerRecord entry;
    entry.scale_d = 1.0f;
    entry.offset_d = 0;
    entry.scale_w = {1};
    entry.offset_w = {0};
    record.entries.push_back({.key = name, .value = entry});
    return *record.entries.back().value;
  }
  // Each group as "add: a b", the layers of the record marked.
  std::vector<std::string> Groups(const std::string& lost = "") {
    Resources resources;
    resources.Provide(&record);
    const auto report = RunWith(model(), "mark-quant-points", resources);
    EXPECT_TRUE(report.ok()) << FormatError(report.status());
    std::erase_if(record.entries, [&](const auto& entry) { return entry.key == lost; });
    std::vector<std::string> lines;
    for (const JointGroup& group : FindJointGroups(model(), record)) {
      std::string line = group.add->display_name() + ":";
      for (const QuantLayer& layer : group.layers) line += " " + layer.name;
      lines.push_back(line);
    }
    return lines;
  }
};

using Lines = std::vector<std::string>;

TEST(JointGroups, TwoLayersAndAQuantisedReader) {
  Net net;
  net.Output(net.Layer("c", net.Op("Add", "add", {net.Layer("a", net.x), net.Layer("b", net.x)})));
  EXPECT_EQ(net.Groups(), Lines{"add: a b"});
}

TEST(JointGroups, ThroughRelus) {
  Net net;
  ir::Value* a = net.Op("Relu", "ra", {net.Layer("a", net.x)});
  ir::Value* b = net.Layer("b", net.x);
  ir::Value* sum = net.Op("Relu", "rs", {net.Op("Add", "add", {b, a})});
  net.Output(net.Layer("c", sum));
  net.Output(net.Layer("d", sum));
  EXPECT_EQ(net.Groups(), Lines{"add: b a"});
}

TEST(JointGroups, AnotherAddMayReadTheSumToo) {
  Net net;
  ir::Value* sum = net.Op("Add", "add", {net.Layer("a", net.x), net.Layer("b", net.x)});
  net.Output(net.Op("Add", "next", {sum, net.Layer("c", sum)}));
  EXPECT_EQ(net.Groups(), Lines{"add: a b"});
}

TEST(JointGroups, MatricesWithTheirBias) {
  Net net;
  const auto layer = [&](const std::string& name) {
    return net.Op("Add", name + ".bias",
                  {net.Layer(name, net.x, 4, "MatMul"), net.Init("b." + name, {4})});
  };
  ir::Value* sum = net.Op("Add", "add", {layer("a"), layer("b")});
  net.Output(net.Layer("c", sum, 4, "MatMul"));
  EXPECT_EQ(net.Groups(), Lines{"add: a b"});
}

TEST(JointGroups, AnInputOnItsOwnIsAQuantisedReader) {
  Net net;
  ir::Value* sum = net.Op("Add", "add", {net.Layer("a", net.x), net.Layer("b", net.x)});
  net.Output(net.Op("MaxPool", "max", {sum}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}));
  EXPECT_EQ(net.Groups(), Lines{});
  net.record.entries.push_back(
      {.key = "max:0",
       .value = quant::LayerRecord{.scale_d = 1.0f, .offset_d = 0, .is_tensor_quantize = true}});
  EXPECT_EQ(net.Groups(), Lines{"add: a b"});
}

// What must not be joined: each case spoils one condition.
TEST(JointGroups, EachConditionIsNeeded) {
  using Build = std::function<void(Net&)>;
  const auto sum_of = [](Net& net, ir::Value* a, ir::Value* b) {
    return net.Op("Add", "add", {a, b});
  };
  const std::vector<std::pair<std::string, Build>> cases = {
      {"one input is no layer",
       [&](Net& net) { net.Output(net.Layer("c", sum_of(net, net.Layer("a", net.x), net.x))); }},
      {"both inputs are one layer",
       [&](Net& net) {
         ir::Value* a = net.Layer("a", net.x);
         net.Output(net.Layer("c", sum_of(net, a, a)));
       }},
      {"another node reads a branch",
       [&](Net& net) {
         ir::Value* a = net.Layer("a", net.x);
         net.Output(net.Layer("c", sum_of(net, a, net.Layer("b", net.x))));
         net.Output(net.Op("Sigmoid", "s", {a}));
       }},
      {"another node reads a branch's Relu",
       [&](Net& net) {
         ir::Value* a = net.Op("Relu", "ra", {net.Layer("a", net.x)});
         net.Output(net.Layer("c", sum_of(net, a, net.Layer("b", net.x))));
         net.Output(net.Op("Sigmoid", "s", {a}));
       }},
      {"something other than Relu stands between",
       [&](Net& net) {
         ir::Value* a = net.Op("Sigmoid", "s", {net.Layer("a", net.x)});
         net.Output(net.Layer("c", sum_of(net, a, net.Layer("b", net.x))));
       }},
      {"different channels",
       [&](Net& net) {
         net.Output(
             net.Layer("c", sum_of(net, net.Layer("a", net.x, 1), net.Layer("b", net.x, 2))));
       }},
      {"a convolution and a matrix",
       [&](Net& net) {
         net.Output(net.Layer(
             "c", sum_of(net, net.Layer("a", net.x), net.Layer("b", net.x, 4, "MatMul"))));
       }},
      {"the sum is a graph output, too",
       [&](Net& net) {
         ir::Value* sum = sum_of(net, net.Layer("a", net.x), net.Layer("b", net.x));
         net.Output(sum);
         net.Output(net.Layer("c", sum));
       }},
      {"a float operator reads the sum, too",
       [&](Net& net) {
         ir::Value* sum = sum_of(net, net.Layer("a", net.x), net.Layer("b", net.x));
         net.Output(net.Layer("c", sum));
         net.Output(net.Op("Sigmoid", "s", {sum}));
       }},
      {"only another Add reads the sum",
       [&](Net& net) {
         ir::Value* sum = sum_of(net, net.Layer("a", net.x), net.Layer("b", net.x));
         net.Output(net.Op("Add", "next", {sum, net.x}));
       }},
      {"nothing reads the sum",
       [&](Net& net) { net.Output(sum_of(net, net.Layer("a", net.x), net.Layer("b", net.x))); }},
      {"average pooling",
       [&](Net& net) {
         ir::Value* pool =
             net.Op("AveragePool", "b", {net.x}, {{"kernel_shape", std::vector<int64_t>{1, 1}}});
         net.Record("b");
         net.Output(net.Layer("c", sum_of(net, net.Layer("a", net.x), pool)));
       }},
  };
  for (const auto& [name, build] : cases) {
    Net net;
    build(net);
    EXPECT_EQ(net.Groups(), Lines{}) << name;
  }
}

TEST(JointGroups, WidthsAndLostLayers) {
  const auto groups = [](const std::string& act, const std::string& wts, const std::string& lost) {
    Net net;
    net.Output(
        net.Layer("c", net.Op("Add", "add", {net.Layer("a", net.x), net.Layer("b", net.x)})));
    net.record.entries[1].value->act_type = act;
    net.record.entries[1].value->wts_type = wts;
    return net.Groups(lost).size();
  };
  EXPECT_EQ(groups("INT8", "INT8", ""), 1u);
  EXPECT_EQ(groups("INT8", "INT6", ""), 1u);
  EXPECT_EQ(groups("INT16", "INT8", ""), 0u);
  EXPECT_EQ(groups("INT8", "INT4", ""), 0u);
  EXPECT_EQ(groups("INT8", "INT8", "a"), 0u);
  EXPECT_EQ(groups("INT8", "INT8", "c"), 0u);
}

}  // namespace
}  // namespace lathe::passes
