// Throughput of the quantisation numerics, in values a second (items_per_second).
#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "lathe/quant/arq.h"
#include "lathe/quant/hfmg.h"
#include "lathe/quant/ifmr.h"
#include "lathe/quant/internal/kernels.h"

namespace lathe::quant {
namespace {

std::vector<float> Normal(size_t count, bool relu) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& x : values) {
    x = normal(random);
    if (relu) x = std::max(x, 0.0f);
  }
  return values;
}

// A batch of one ResNet-50 stage 1 activation: 4 x 256 x 56 x 56.
constexpr size_t kBatch = size_t{4} * 256 * 56 * 56;

// Threads observe one tensor together, each its share of a batch; arg 0: whether it went through a
// ReLU.
void BM_IfmrObserve(benchmark::State& state) {
  static std::unique_ptr<IfmrObserver> observer;
  static std::vector<float> values;
  if (state.thread_index() == 0) {
    values = Normal(kBatch, state.range(0) != 0);
    observer = *IfmrObserver::Create({}, uint64_t{100} * kBatch);
  }
  IfmrScratch scratch;
  const auto threads = static_cast<size_t>(state.threads());
  for (auto _ : state) {
    const std::span<const float> share(values.data(), values.size());
    const size_t length = kBatch / threads;
    const size_t begin = static_cast<size_t>(state.thread_index()) * length;
    if (!observer->Observe(share.subspan(begin, length), scratch).ok())
      state.SkipWithError("refused");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBatch / threads));
}
BENCHMARK(BM_IfmrObserve)->Arg(0)->Arg(1)->Threads(1)->Threads(2)->UseRealTime();

// Order statistics, candidates and bounds of one observer.
void BM_IfmrFinish(benchmark::State& state) {
  const std::vector<float> values = Normal(kBatch, state.range(0) != 0);
  IfmrScratch scratch;
  size_t survivors = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto observer = *IfmrObserver::Create({}, kBatch);
    if (!observer->Observe(values, scratch).ok()) state.SkipWithError("refused");
    state.ResumeTiming();
    benchmark::DoNotOptimize(observer->FinishPass());
    survivors = observer->survivors();
  }
  state.counters["survivors"] = static_cast<double>(survivors);
}
BENCHMARK(BM_IfmrFinish)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

// One candidate of the second pass.
void BM_IfmrScore(benchmark::State& state) {
  const auto* kernels = internal::KernelsFor(static_cast<internal::InstructionSet>(state.range(0)));
  if (kernels == nullptr) {
    state.SkipWithError("this machine does not have the instruction set");
    return;
  }
  const std::vector<float> values = Normal(internal::kMaxChunk, false);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        kernels->score(values.data(), values.size(), {-4.0f, 4.0f, 0.03f, 64.0f}));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * values.size()));
}
BENCHMARK(BM_IfmrScore)->DenseRange(0, 2);

// The fill of the histogram alone.
void BM_IfmrAccumulate(benchmark::State& state) {
  const auto* kernels = internal::KernelsFor(static_cast<internal::InstructionSet>(state.range(0)));
  if (kernels == nullptr) {
    state.SkipWithError("this machine does not have the instruction set");
    return;
  }
  const std::vector<float> values = Normal(kBatch, state.range(1) != 0);
  std::vector<uint64_t> words(2 * internal::kTableSize);
  for (auto _ : state) {
    for (size_t begin = 0; begin < kBatch; begin += internal::kMaxChunk) {
      kernels->accumulate(values.data() + begin, internal::kMaxChunk, 8192.0f, words.data());
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBatch));
}
BENCHMARK(BM_IfmrAccumulate)->ArgsProduct({{0, 1, 2}, {0, 1}});

void BM_HfmgObserve(benchmark::State& state) {
  const std::vector<float> values = Normal(kBatch, false);
  auto observer = *HfmgObserver::Create({});
  for (auto _ : state) {
    if (!observer.Observe(values).ok()) state.SkipWithError("refused");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBatch));
}
BENCHMARK(BM_HfmgObserve);

void BM_HfmgFinish(benchmark::State& state) {
  auto observer = *HfmgObserver::Create({.num_of_bins = state.range(0)});
  if (!observer.Observe(Normal(kBatch, false)).ok()) state.SkipWithError("refused");
  for (auto _ : state) benchmark::DoNotOptimize(observer.Finish());
}
BENCHMARK(BM_HfmgFinish)->Arg(1024)->Arg(4096)->Arg(8192)->Unit(benchmark::kMillisecond);

// ResNet-50's 25 million weights, as rows of 2304 (256 x 3 x 3).
constexpr int64_t kRows = 11000;
constexpr int64_t kRowSize = 2304;
constexpr auto kWeights = static_cast<size_t>(kRows * kRowSize);

void BM_ArqScales(benchmark::State& state) {
  const std::vector<float> weights = Normal(kWeights, false);
  const WeightLayout layout = WeightLayout::AlongAxis(1, kRows, kRowSize);
  for (auto _ : state) benchmark::DoNotOptimize(ArqScales(weights, layout, 8));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kWeights));
}
BENCHMARK(BM_ArqScales)->Unit(benchmark::kMillisecond);

void BM_QuantizeWeights(benchmark::State& state) {
  const std::vector<float> weights = Normal(kWeights, false);
  const WeightLayout layout = WeightLayout::AlongAxis(1, kRows, kRowSize);
  const std::vector<float> scales = *ArqScales(weights, layout, 8);
  std::vector<int8_t> integers(kWeights);
  for (auto _ : state) {
    if (!QuantizeWeights(weights, layout, scales, 8, integers).ok()) state.SkipWithError("refused");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kWeights));
}
BENCHMARK(BM_QuantizeWeights)->Unit(benchmark::kMillisecond);

void BM_FakeQuantizeWeights(benchmark::State& state) {
  std::vector<float> weights = Normal(kWeights, false);
  const WeightLayout layout = WeightLayout::AlongAxis(1, kRows, kRowSize);
  const std::vector<float> scales = *ArqScales(weights, layout, 8);
  for (auto _ : state) {
    if (!FakeQuantizeWeights(weights, layout, scales, 8, weights).ok())
      state.SkipWithError("refused");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kWeights));
}
BENCHMARK(BM_FakeQuantizeWeights)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lathe::quant
