// Cost of edits of the IR at 1e3 to 1e6 nodes: time per edit (items_per_second) must not depend on
// the number of nodes. BytesPerNode shows the memory of a chain of one-input, one-output nodes; in
// BM_Build without that of names.
#include <algorithm>
#include <cstdint>
#include <malloc.h>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lathe/ir/rewriter.h"
#include "lathe/ir/verifier.h"

namespace lathe::ir {
namespace {

NodeSpec Relu(Value* input) {
  NodeSpec spec;
  spec.op = "Relu";
  spec.inputs = {input};
  return spec;
}

// x -> Relu -> Relu -> ... -> output
struct Chain {
  explicit Chain(int64_t count) {
    Value* value = &rewriter.AddGraphInput(model.graph(), model.Intern("x"), model.unknown_type());
    nodes.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      nodes.push_back(&rewriter.CreateNode(model.graph(), nullptr, Relu(value)));
      value = nodes.back()->output();
    }
    rewriter.AddGraphOutput(model.graph(), value);
  }
  Model model;
  Rewriter rewriter{model};
  std::vector<Node*> nodes;
};

// Indices in an order that no cache foresees.
std::vector<size_t> Shuffled(size_t count) {
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = i;
  std::mt19937 random(1);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

void PerNode(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_Add(benchmark::State& state) {
  for (auto _ : state) {
    const auto before = mallinfo2();
    const auto chain = std::make_unique<Chain>(state.range(0));
    const auto after = mallinfo2();
    state.counters["BytesPerNode"] =
        static_cast<double>(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) /
        static_cast<double>(state.range(0));
    state.PauseTiming();
    benchmark::DoNotOptimize(chain->nodes.data());
    state.ResumeTiming();
  }
  PerNode(state);
}

// As a reader builds it. The names are there before, so BytesPerNode is what nodes and values take.
void BM_Build(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto model = std::make_unique<Model>();
    Rewriter rewriter(*model);
    const Name relu = model->Intern("Relu");
    std::vector<Name> names;
    for (int64_t i = 0; i < state.range(0); ++i) {
      names.push_back(model->Intern("v" + std::to_string(i)));
    }
    Value* value =
        &rewriter.AddGraphInput(model->graph(), model->Intern("x"), model->unknown_type());
    const auto before = mallinfo2();
    state.ResumeTiming();
    for (const Name name : names) {
      Node& node = rewriter.InsertNode(model->graph(), nullptr, relu, {}, {});
      rewriter.SetInputs(node, std::span<Value* const>(&value, 1));
      value = &rewriter.AddOutput(node, name, model->unknown_type());
    }
    state.PauseTiming();
    const auto after = mallinfo2();
    state.counters["BytesPerNode"] =
        static_cast<double>(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) /
        static_cast<double>(state.range(0));
    model.reset();
    state.ResumeTiming();
  }
  PerNode(state);
}

// Takes nodes out of the middle of the chain, one by one.
void BM_Remove(benchmark::State& state) {
  const std::vector<size_t> order = Shuffled(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    auto chain = std::make_unique<Chain>(state.range(0));
    state.ResumeTiming();
    for (const size_t i : order) {
      Node& node = *chain->nodes[i];
      chain->rewriter.ReplaceAllUses(*node.output(), *node.input(0));
      chain->rewriter.Erase(node);
    }
    state.PauseTiming();
    chain.reset();
    state.ResumeTiming();
  }
  PerNode(state);
}

// All uses of one value, as many as there are nodes, become those of another.
void BM_ReplaceAllUses(benchmark::State& state) {
  Model model;
  Rewriter rewriter(model);
  Value* from = &rewriter.AddGraphInput(model.graph(), model.Intern("a"), model.unknown_type());
  Value* to = &rewriter.AddGraphInput(model.graph(), model.Intern("b"), model.unknown_type());
  for (int64_t i = 0; i < state.range(0); ++i) {
    rewriter.CreateNode(model.graph(), nullptr, Relu(from));
  }
  for (auto _ : state) {
    rewriter.ReplaceAllUses(*from, *to);
    std::swap(from, to);
  }
  PerNode(state);
}

// One edge of a graph of the given size; the graph must not matter.
void BM_ReplaceOneUse(benchmark::State& state) {
  Chain chain(state.range(0));
  Node& node = *chain.nodes[chain.nodes.size() / 2];
  Value* values[] = {chain.nodes[0]->output(), chain.nodes[1]->output()};
  size_t i = 0;
  for (auto _ : state) chain.rewriter.SetInput(node, 0, values[i++ % 2]);
  state.SetItemsProcessed(state.iterations());
}

// A new node in front of each node, in no order.
void BM_InsertBefore(benchmark::State& state) {
  const std::vector<size_t> order = Shuffled(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    auto chain = std::make_unique<Chain>(state.range(0));
    state.ResumeTiming();
    for (const size_t i : order) {
      Node& node = *chain->nodes[i];
      chain->rewriter.CreateNode(chain->model.graph(), &node, Relu(node.input(0)));
    }
    state.PauseTiming();
    chain.reset();
    state.ResumeTiming();
  }
  PerNode(state);
}

// The hardest case for order numbers: all new nodes at one place, with a question after each.
void BM_InsertBeforeOneNode(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto chain = std::make_unique<Chain>(state.range(0));
    Node& middle = *chain->nodes[chain->nodes.size() / 2];
    bool before = true;
    state.ResumeTiming();
    for (int64_t i = 0; i < state.range(0); ++i) {
      const Node& made =
          chain->rewriter.CreateNode(chain->model.graph(), &middle, Relu(middle.input(0)));
      before &= made.IsBefore(middle);
    }
    if (!before) state.SkipWithError("the order is wrong");
    state.PauseTiming();
    chain.reset();
    state.ResumeTiming();
  }
  PerNode(state);
}

// Nodes in topological order, each compared with the one before.
void BM_WalkInOrder(benchmark::State& state) {
  Chain chain(state.range(0));
  for (auto _ : state) {
    const Node* previous = nullptr;
    size_t ordered = 0;
    for (const Node& node : chain.model.graph().nodes()) {
      ordered += previous != nullptr && previous->IsBefore(node);
      previous = &node;
    }
    if (ordered + 1 != chain.nodes.size()) state.SkipWithError("the order is wrong");
  }
  PerNode(state);
}

// Moves nodes about, in places that keep the list's length.
void BM_Move(benchmark::State& state) {
  Chain chain(state.range(0));
  const std::vector<size_t> order = Shuffled(chain.nodes.size());
  for (auto _ : state) {
    for (size_t i = 1; i < order.size(); ++i) {
      chain.rewriter.Move(*chain.nodes[order[i - 1]], chain.nodes[order[i]]);
    }
  }
  PerNode(state);
}

void BM_Verify(benchmark::State& state) {
  const Chain chain(state.range(0));
  for (auto _ : state) {
    if (!VerifyModel(chain.model).ok()) state.SkipWithError("the model is not well formed");
  }
  PerNode(state);
}

void BM_Clone(benchmark::State& state) {
  const Chain chain(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(chain.model.Clone());
  PerNode(state);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t count : {1000, 10000, 100000, 1000000}) benchmark->Arg(count);
  benchmark->Unit(benchmark::kMillisecond);
}

BENCHMARK(BM_Add)->Apply(Sizes);
BENCHMARK(BM_Build)->Apply(Sizes);
BENCHMARK(BM_Remove)->Apply(Sizes);
BENCHMARK(BM_ReplaceAllUses)->Apply(Sizes);
BENCHMARK(BM_ReplaceOneUse)->RangeMultiplier(10)->Range(1000, 1000000);
BENCHMARK(BM_InsertBefore)->Apply(Sizes);
BENCHMARK(BM_InsertBeforeOneNode)->Apply(Sizes);
BENCHMARK(BM_WalkInOrder)->Apply(Sizes);
BENCHMARK(BM_Move)->Apply(Sizes);
BENCHMARK(BM_Verify)->Apply(Sizes);
BENCHMARK(BM_Clone)->Apply(Sizes);

}  // namespace
}  // namespace lathe::ir
