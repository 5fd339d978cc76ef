#include "lathe/passes/fusion/fuse_pad.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using Ints = std::vector<int64_t>;
using Attributes = std::vector<std::pair<std::string, ir::PlainAttribute>>;

struct Net : GraphBuilder {
  // Pads of the last two of four axes: top, left, bottom, right.
  ir::Value* Pad(const Ints& pads, const std::string& mode = "constant", float value = 0) {
    const Ints all = {0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]};
    ir::Value& amounts = rewriter().AddInitializer(graph(), model().Intern("pads"),
                                                   ir::Tensor::Of<int64_t>({8}, all));
    return Op("Pad", "pad", {Input("x", {1, 1, 8, 8}), &amounts, Init("value", {}, value)},
              {{"mode", mode}});
  }
  void Conv(ir::Value* x, const Attributes& attributes = {}) {
    Output(Op("Conv", "y", {x, Init("w", {1, 1, 3, 3})}, attributes));
  }
  void Pool(const std::string& op, ir::Value* x, Attributes attributes = {}) {
    attributes.emplace_back("kernel_shape", Ints{3, 3});
    Output(Op(op, "y", {x}, attributes));
  }
};

const ir::Node& Fused(Net& net, const std::string& listing) {
  const PassReport report = RunPass(net.model(), "fuse-pad");
  EXPECT_EQ(Statistic(report, "fused"), 1);
  EXPECT_EQ(Listing(net.graph()), listing);
  EXPECT_FALSE(RunPass(net.model(), "fuse-pad").changed);
  return *net.graph().first_node();
}

void ExpectRefused(Net& net, const std::string& reason) {
  const std::string before = Listing(net.graph());
  const PassReport report = RunPass(net.model(), "fuse-pad");
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(net.graph()), before);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, "'pad' stays: " + reason);
}

TEST(FusePad, IntoConv) {
  Net net;
  net.Conv(net.Pad({1, 2, 3, 4}), {{"pads", Ints{0, 0, 1, 1}}});
  const ir::Node& conv = Fused(net, "y = Conv(x, w)\nreturn y\n");
  EXPECT_THAT(conv.IntsAttribute("pads"), ElementsAre(1, 2, 4, 5));
  EXPECT_EQ(net.graph().initializers().size(), 1u);
}

TEST(FusePad, ValidBecomesExplicit) {
  Net net;
  net.Conv(net.Pad({1, 2, 3, 4}), {{"auto_pad", std::string("VALID")}});
  const ir::Node& conv = Fused(net, "y = Conv(x, w)\nreturn y\n");
  EXPECT_THAT(conv.IntsAttribute("pads"), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(conv.FindAttribute("auto_pad"), nullptr);
}

TEST(FusePad, AnAveragePoolCountsThePadding) {
  Net net;
  net.Pool("AveragePool", net.Pad({1, 1, 1, 1}));
  const ir::Node& pool = Fused(net, "y = AveragePool(x)\nreturn y\n");
  EXPECT_THAT(pool.IntsAttribute("pads"), ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(pool.IntAttribute("count_include_pad", 0), 1);
}

TEST(FusePad, MinusInfinityIntoMaxPool) {
  Net net;
  net.Pool("MaxPool", net.Pad({1, 1, 1, 1}, "constant", -std::numeric_limits<float>::infinity()));
  const ir::Node& pool = Fused(net, "y = MaxPool(x)\nreturn y\n");
  EXPECT_EQ(pool.FindAttribute("count_include_pad"), nullptr);
}

TEST(FusePad, RefusesForConv) {
  const auto conv = [](const std::string& reason, const Ints& pads,
                       const std::string& mode = "constant", float value = 0,
                       const Attributes& attributes = {}) {
    Net net;
    net.Conv(net.Pad(pads, mode, value), attributes);
    ExpectRefused(net, reason);
  };
  conv("the Pad does not put zeros", {1, 1, 1, 1}, "constant", 1);
  conv("the mode of the Pad is reflect", {1, 1, 1, 1}, "reflect");
  conv("the Pad takes elements away", {1, 1, 1, -1});
  conv("auto_pad is SAME_UPPER", {1, 1, 1, 1}, "constant", 0,
       {{"auto_pad", std::string("SAME_UPPER")}});
  conv("the pads of the node do not fit the Pad", {1, 1, 1, 1}, "constant", 0,
       {{"pads", Ints{1, 1}}});
}

TEST(FusePad, RefusesForPools) {
  const auto pool = [](const std::string& reason, const std::string& op, const Ints& pads,
                       float value, const Attributes& attributes = {}) {
    Net net;
    net.Pool(op, net.Pad(pads, "constant", value), attributes);
    ExpectRefused(net, reason);
  };
  pool("the Pad does not put minus infinity", "MaxPool", {1, 1, 1, 1}, 0);
  pool("the Pad does not put zeros", "AveragePool", {1, 1, 1, 1}, 1);
  pool("the pool does not count its own padding", "AveragePool", {1, 1, 1, 1}, 0,
       {{"pads", Ints{0, 0, 1, 1}}});
  pool("ceil_mode is set", "AveragePool", {1, 1, 1, 1}, 0, {{"ceil_mode", int64_t{1}}});
  pool("the padding is not smaller than the kernel", "AveragePool", {1, 1, 3, 1}, 0);
}

TEST(FusePad, RefusesChannelsAndOtherUses) {
  Net channels;
  ir::Value& amounts = channels.rewriter().AddInitializer(
      channels.graph(), channels.model().Intern("pads"),
      ir::Tensor::Of<int64_t>({8}, Ints{0, 1, 0, 0, 0, 0, 0, 0}));
  channels.Conv(channels.Op("Pad", "pad", {channels.Input("x"), &amounts}));
  ExpectRefused(channels, "the Pad adds batches or channels");

  Net shared;
  ir::Value* pad = shared.Pad({1, 1, 1, 1});
  shared.Conv(pad);
  shared.Output(pad);
  ExpectRefused(shared, "the Pad has other uses");

  Net indices;
  pad = indices.Pad({1, 1, 1, 1}, "constant", -std::numeric_limits<float>::infinity());
  ir::Node* node = indices.Node("MaxPool", "y", {pad}, {{"kernel_shape", Ints{3, 3}}}, 2);
  indices.Output(node->output(0));
  indices.Output(node->output(1));
  ExpectRefused(indices, "the indices are used");
}

}  // namespace
}  // namespace lathe::passes
