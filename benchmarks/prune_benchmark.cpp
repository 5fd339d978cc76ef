// Following channels and cutting them. items_per_second counts nodes.
#include <benchmark/benchmark.h>

#include "lathe/benchmarks/conv_chain.h"
#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/cut_channels.h"
#include "lathe/passes/sparsity/prune_plan.h"

namespace lathe {
namespace {

constexpr int64_t kChannels = 4;
constexpr int64_t kNodesABlock = 4;

// Residual blocks: Conv, BatchNormalization, Relu, Add with the value before; so all channels of
// the network are one group.
std::unique_ptr<ir::Model> MakeResidualChain(int64_t blocks) {
  auto model = benchmarks::MakeConvChain(blocks, kChannels);
  ir::Rewriter rewriter(*model);
  ir::Graph& graph = model->graph();
  ir::Value* before = nullptr;
  for (ir::Node* node = graph.first_node(); node != nullptr; node = node->next()) {
    if (!node->Is("Relu")) continue;
    ir::Value* result = node->output();
    if (before != nullptr && !result->is_graph_output()) {
      ir::NodeSpec spec;
      spec.op = "Add";
      spec.name = "add";
      spec.inputs = {result, before};
      ir::Node& add = rewriter.CreateNode(graph, node->next(), std::move(spec));
      rewriter.ReplaceAllUses(*result, *add.output());
      rewriter.SetInput(add, 0, result);
      node = &add;
    }
    before = node->output();
  }
  return model;
}

quant::PruneSettings Settings(const ir::Model& model) {
  quant::AmctPruneConfig config;
  config.method = quant::FilterPruneConfig{0.5, false};
  return *quant::ResolvePruneSettings(config, passes::DescribeNetwork(passes::ScanLayers(model)));
}

void BM_PlanPruning(benchmark::State& state) {
  const auto model = MakeResidualChain(state.range(0) / kNodesABlock);
  ir::Rewriter rewriter(*model);
  if (!ir::InferShapes(rewriter).ok()) return state.SkipWithError("shapes were not inferred");
  const quant::PruneSettings settings = Settings(*model);
  for ([[maybe_unused]] const auto step : state) {
    auto plan = passes::PlanPruning(*model, settings, passes::PruneReach::kFull);
    benchmark::DoNotOptimize(plan);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

void BM_CutChannels(benchmark::State& state) {
  const auto model = MakeResidualChain(state.range(0) / kNodesABlock);
  ir::Rewriter rewriter(*model);
  if (!ir::InferShapes(rewriter).ok()) return state.SkipWithError("shapes were not inferred");
  quant::Record record;
  record.prune_records =
      passes::PlanPruning(*model, Settings(*model), passes::PruneReach::kFull)->records;
  for ([[maybe_unused]] const auto step : state) {
    state.PauseTiming();
    auto copy = model->Clone();
    ir::Rewriter cutter(*copy);
    state.ResumeTiming();
    auto cut = passes::CutChannels(cutter, record);
    benchmark::DoNotOptimize(cut);
    state.PauseTiming();
    copy.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

BENCHMARK(BM_PlanPruning)->RangeMultiplier(10)->Range(1000, 100000)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_CutChannels)->RangeMultiplier(10)->Range(1000, 100000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lathe
