#include "lathe/passes/searchn/search_n_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using quant::SearchNVersion;
using testing::ElementsAre;

// x -> { a -> bn, b } -> Add, and b is a graph output.
struct Net : GraphBuilder {
  Net() {
    ir::Value* x = Input("x");
    ir::Value* a = Op("Conv", "a", {x, Init("wa", {2, 2, 1, 1})});
    ir::Value* norm =
        Op("BatchNormalization", "bn",
           {a, Init("gamma", {2}), Init("beta", {2}), Init("mean", {2}), Init("var", {2})});
    ir::Value* b = Op("Conv", "b", {x, Init("wb", {2, 2, 1, 1})});
    Output(Op("Add", "sum", {norm, b}));
    Output(b);
  }

  std::vector<RetrainLayer> Layers() {
    quant::RetrainSettings settings;
    settings.layers = {{.name = "a"}, {.name = "b"}};
    auto layers = FindRetrainLayers(model(), settings);
    EXPECT_TRUE(layers.ok()) << FormatError(layers.status());
    return *std::move(layers);
  }
};

TEST(SearchNLayers, InsertedAndRemovedIsTheSameGraph) {
  for (const auto& [version, suffix] : {std::pair(SearchNVersion::kV1, ".search_n"),
                                        std::pair(SearchNVersion::kV2, ".search_n_v2")}) {
    Net net;
    const std::string before = Listing(net.graph());
    const SearchNGroup group = {"a", "b"};
    InsertSearchN(net.model(), net.Layers(), std::span(&group, 1), version);
    std::vector<std::string> names;
    for (const ir::Node& node : net.graph().nodes()) {
      if (node.Is("Identity")) names.emplace_back(node.name_text());
    }
    EXPECT_THAT(names, ElementsAre(std::string("a") + suffix, std::string("a") + suffix + ".1"));
    EXPECT_NE(Listing(net.graph()), before);
    // Behind the normalisation, which is folded into `a` later.
    const ir::Node* sum = net.graph().outputs()[0].value()->producer();
    EXPECT_EQ(sum->input(0)->producer()->name_text(), std::string("a") + suffix);
    EXPECT_EQ(sum->input(0)->producer()->input(0)->producer()->name_text(), "bn");
    const auto removed = RemoveSearchN(net.model());
    ASSERT_TRUE(removed.ok()) << FormatError(removed.status());
    EXPECT_EQ(*removed, version);
    EXPECT_EQ(Listing(net.graph()), before);
  }
}

TEST(SearchNLayers, OtherIdentitiesStay) {
  for (const std::string name : {"a", "search_n", "a.search_n_v3", "a.search_n.x", "7", ""}) {
    GraphBuilder net;
    net.Output(net.Op("Identity", name, {net.Input("x")}));
    const std::string before = Listing(net.graph());
    const auto removed = RemoveSearchN(net.model());
    ASSERT_TRUE(removed.ok());
    EXPECT_EQ(*removed, std::nullopt) << name;
    EXPECT_EQ(Listing(net.graph()), before);
  }
}

}  // namespace
}  // namespace lathe::passes
