#include "lathe/passes/sparsity/channel_flow.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/sparsity/sparse_net.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kLast = "last: its channels are an output of the network\n";

// A conv of four channels, what stands between, and a layer behind it that is an output.
template <typename Between>
std::string Through(PruneReach reach, const Between& between, int64_t cin = 4) {
  SparseNet net;
  ir::Value* x = net.Conv("c", net.Input("x", {1, 3, 2, 2}), 3, 4);
  net.Output(net.Conv("last", between(net, x), cin, 2));
  std::string text = net.PlanText(reach);
  EXPECT_TRUE(text.ends_with(kLast)) << text;
  return text.substr(0, text.size() - kLast.size());
}

TEST(ChannelFlow, ResidualAddMergesIntoTheFirstInput) {
  SparseNet net;
  ir::Value* a = net.Norm("bn", net.Conv("a", net.Input("x", {1, 3, 2, 2}), 3, 4), 4);
  ir::Value* b = net.Conv("b", net.Op("Relu", "r", {a}), 4, 4);
  ir::Value* sum = net.Op("Add", "sum", {b, a});
  net.Output(net.Conv("last", sum, 4, 2));
  EXPECT_EQ(net.PlanText(),
            "b(0-4:0,1) a(0-4:0,1) | bn(0-4:0,1) b(0-4:0,1) sum(0-4:0,1) last(0-4:0,1)\n" +
                std::string(kLast));
}

TEST(ChannelFlow, ConcatGivesRanges) {
  SparseNet net;
  ir::Value* x = net.Input("x", {1, 3, 2, 2});
  ir::Value* joined = net.Op("Concat", "cat", {net.Conv("a", x, 3, 4), net.Conv("b", x, 3, 2)},
                             {{"axis", int64_t{1}}});
  net.Output(net.Conv("last", joined, 6, 2));
  EXPECT_EQ(net.PlanText(),
            "a(0-4:0,1) | cat(0-4:0,1) last(0-4:0,1)\n"
            "b(0-2:0) | cat(4-6:4) last(4-6:4)\n" +
                std::string(kLast));
}

TEST(ChannelFlow, GroupsAndDepthwise) {
  SparseNet net;
  ir::Value* x = net.Conv("a", net.Input("x", {1, 3, 2, 2}), 3, 4);
  x = net.Conv("grouped", x, 4, 8, 2);
  x = net.Conv("dw", x, 8, 8, 8);
  net.Output(net.Conv("last", x, 8, 2));
  EXPECT_EQ(net.PlanText(),
            "a(0-4 p2:0,2) | grouped(0-4 g2:0,2)\n"
            "grouped(0-8 g2 p2:0,1,4,5) | dw(0-8:0,1,4,5) last(0-8:0,1,4,5)\n"
            "dw: it is depthwise: it loses the channels that its input loses\n" +
                std::string(kLast));
}

TEST(ChannelFlow, PoolingAndFlattenReachGemm) {
  SparseNet net;
  ir::Value* x = net.Conv("a", net.Input("x", {1, 3, 2, 2}), 3, 4);
  x = net.Op("Flatten", "flat", {net.Op("GlobalAveragePool", "gap", {x})});
  net.Output(net.Gemm("last", net.Op("Relu", "r", {net.Gemm("fc", x, 4, 6)}), 6, 2));
  EXPECT_EQ(net.PlanText(),
            "a(0-4:0,1) | fc(0-4:0,1)\nfc(0-6:0,1,2) | last(0-6:0,1,2)\n" + std::string(kLast));
}

TEST(ChannelFlow, OnlyFullReachGoesThrough) {
  using Net = SparseNet;
  const auto both = [](std::string_view op, const std::string& want, const auto& between,
                       int64_t cin = 4) {
    EXPECT_EQ(
        Through(PruneReach::kReference, between, cin),
        fmt::format("c: its channels reach {} 'y', through which they are not followed\n", op));
    EXPECT_EQ(Through(PruneReach::kFull, between, cin), want);
  };
  both("Sigmoid", "c(0-4:0,1) | last(0-4:0,1)\n",
       [](Net& net, ir::Value* x) { return net.Op("Sigmoid", "y", {x}); });
  both("PRelu", "c(0-4:0,1) | y(0-4:0,1) last(0-4:0,1)\n", [](Net& net, ir::Value* x) {
    return net.Op("PRelu", "y", {x, net.Init("s", {4, 1, 1})});
  });
  both("Mul", "c(0-4:0,1) | last(0-4:0,1)\n", [](Net& net, ir::Value* x) {
    return net.Op("Mul", "y", {x, net.Init("s", {1})});
  });
  both(
      "Slice", "c(0-4:0,1) | y(0-4:0,1) last(0-3:0)\n",
      [](Net& net, ir::Value* x) {
        return net.Op("Slice", "y",
                      {x, net.Ints("b", {1}), net.Ints("e", {4}), net.Ints("a", {1})});
      },
      3);
  both(
      "Split", "c(0-4:0) | y(0-4:0) last(0-2:0)\n",
      [](Net& net, ir::Value* x) {
        return net.Node("Split", "y", {x}, {{"axis", int64_t{1}}}, 2)->output(0);
      },
      2);
  both("ReduceMean", "c(0-4:0,1) | last(0-4:0,1)\n", [](Net& net, ir::Value* x) {
    return net.Op("ReduceMean", "y", {x}, {{"axes", std::vector<int64_t>{2, 3}}});
  });
  const std::vector<int64_t> swap = {0, 1, 3, 2};
  both("Transpose", "c(0-4:0,1) | last(0-4:0,1)\n", [&](Net& net, ir::Value* x) {
    return net.Op("Transpose", "y", {x}, {{"perm", swap}});
  });
  both("Reshape", "c(0-4:0,1) | y(0-4:0,1) last(0-4:0,1)\n", [](Net& net, ir::Value* x) {
    return net.Op("Reshape", "y", {x, net.Ints("shape", {1, 4, 4, 1})});
  });
}

TEST(ChannelFlow, PadsOfChannelsAreFollowedOnlyWithFullReach) {
  const auto pad = [](SparseNet& net, ir::Value* x) {
    return net.Op("Pad", "y", {x, net.Ints("p", {0, 1, 0, 0, 0, 0, 0, 0})});
  };
  EXPECT_EQ(Through(PruneReach::kReference, pad, 5),
            "c: its channels reach Pad 'y', which pads channels\n");
  EXPECT_EQ(Through(PruneReach::kFull, pad, 5), "c(0-4:0,1) | last(1-5:1,2)\n");
}

TEST(ChannelFlow, WhatNobodyFollowsStops) {
  for (const PruneReach reach : {PruneReach::kReference, PruneReach::kFull}) {
    EXPECT_EQ(Through(reach,
                      [](SparseNet& net, ir::Value* x) {
                        return net.Op("LRN", "y", {x}, {{"size", int64_t{3}}});
                      }),
              "c: its channels reach LRN 'y', through which they are not followed\n");
  }
}

TEST(ChannelFlow, AddOfWhatCannotLoseChannelsStops) {
  SparseNet net;
  ir::Value* x = net.Input("x", {1, 4, 2, 2});
  net.Output(net.Conv("last", net.Op("Add", "sum", {x, net.Conv("c", x, 4, 4)}), 4, 2));
  EXPECT_EQ(net.PlanText(),
            "c: its channels reach Add 'sum', through which they are not followed\n" +
                std::string(kLast));
  EXPECT_EQ(net.PlanText(PruneReach::kFull),
            "c: its channels reach Add 'sum', whose other input cannot lose channels\n" +
                std::string(kLast));
}

TEST(ChannelFlow, SplitsMeetPartsOfOtherLayers) {
  SparseNet net;
  ir::Value* x = net.Input("x", {1, 3, 2, 2});
  ir::Node* split = net.Node("Split", "split", {net.Conv("a", x, 3, 4)}, {{"axis", int64_t{1}}}, 2);
  ir::Value* sum = net.Op("Add", "sum", {split->output(0), net.Conv("b", x, 3, 2)});
  ir::Value* joined = net.Op("Concat", "cat", {sum, split->output(1)}, {{"axis", int64_t{1}}});
  net.Output(net.Conv("last", joined, 4, 2));
  EXPECT_EQ(net.PlanText(PruneReach::kFull),
            "a(0-2:0) b(0-2:0) | split(0-2:0) sum(0-2:0) cat(0-2:0) last(0-2:0)\n"
            "a(2-4:2) | split(2-4:2) cat(2-4:2) last(2-4:2)\n" +
                std::string(kLast));
}

TEST(ChannelFlow, LayersThatShareAWeightAreLeftAlone) {
  SparseNet net;
  ir::Value* x = net.Conv("c", net.Input("x", {1, 3, 2, 2}), 3, 4);
  ir::Value* w = net.Ramp("w", {4, 4, 1, 1});
  ir::Value* y = net.Op("Conv", "twice", {net.Op("Conv", "once", {x, w}), w});
  net.Output(net.Conv("last", y, 4, 2));
  EXPECT_EQ(net.PlanText(),
            "c: its channels reach Conv 'once', which is left alone: another layer uses the same "
            "weight\n" +
                std::string(kLast));
}

TEST(ChannelFlow, NothingToTakeIsSaid) {
  SparseNet net;
  net.Output(net.Conv("last", net.Conv("c", net.Input("x", {1, 3, 2, 2}), 3, 4), 4, 2));
  EXPECT_EQ(net.PlanText(PruneReach::kReference, 0.1),
            "c(0-4) | last(0-4)\n" + std::string(kLast) +
                "c: of its 4 channels none can go with ratio 0.1\n");
}

}  // namespace
}  // namespace lathe::passes
