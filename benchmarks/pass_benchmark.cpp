// The passes of post-training quantisation, without running the network. items_per_second counts
// layers.
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "lathe/benchmarks/conv_chain.h"
#include "lathe/flows/make_settings.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/save_model.h"
#include "lathe/passes/pipelines/quantization.h"

namespace lathe {
namespace {

using benchmarks::MakeConvChain;

// A network on its way: BatchNormalization folded, each layer with its settings, and weight factors
// measured.
struct Prepared {
  std::unique_ptr<ir::Model> fused;
  quant::QuantSettings settings;
  quant::Record record;
};

Status Fuse(ir::Model& model) {
  return flows::RunPasses(model, passes::FusionPipeline(true, {})).status();
}

// What comes before the network is run: marks, rounded weights with their factors, observers.
Status Observe(ir::Model& model, quant::QuantSettings& settings, quant::Record& record) {
  passes::QuantReport report;
  passes::Resources marking;
  marking.Provide(&settings);
  LATHE_RETURN_IF_ERROR(flows::RunPasses(model, passes::kMarkingPipeline, marking).status());
  passes::Resources resources;
  resources.Provide(&settings);
  resources.Provide(&record);
  resources.Provide(&report);
  return flows::RunPasses(model, passes::kCalibrationPipeline, resources).status();
}

StatusOr<Prepared> Prepare(int64_t blocks, int64_t channels) {
  Prepared prepared;
  prepared.fused = MakeConvChain(blocks, channels);
  LATHE_ASSIGN_OR_RETURN(flows::ChosenConfig chosen, flows::ChooseConfig(*prepared.fused, {}));
  prepared.settings = std::move(chosen.settings);
  LATHE_RETURN_IF_ERROR(Fuse(*prepared.fused));
  const auto observed = prepared.fused->Clone();
  LATHE_RETURN_IF_ERROR(Observe(*observed, prepared.settings, prepared.record));
  for (quant::RecordEntry& entry : prepared.record.entries) {
    entry.value->scale_d = 0.05f;
    entry.value->offset_d = -128;
  }
  return prepared;
}

void Count(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

void BM_FuseConvBn(benchmark::State& state) {
  const auto model = MakeConvChain(state.range(0), state.range(1));
  for (auto _ : state) {
    state.PauseTiming();
    const auto copy = model->Clone();
    state.ResumeTiming();
    if (!Fuse(*copy).ok()) state.SkipWithError("refused");
  }
  Count(state);
}

void BM_InsertCalibration(benchmark::State& state) {
  StatusOr<Prepared> prepared = Prepare(state.range(0), state.range(1));
  if (!prepared.ok()) {
    state.SkipWithError("not prepared");
    return;
  }
  for (auto _ : state) {
    state.PauseTiming();
    const auto copy = prepared->fused->Clone();
    quant::Record record;
    state.ResumeTiming();
    if (!Observe(*copy, prepared->settings, record).ok()) state.SkipWithError("refused");
  }
  Count(state);
}

void BM_Lower(benchmark::State& state) {
  const StatusOr<Prepared> prepared = Prepare(state.range(0), state.range(1));
  if (!prepared.ok()) {
    state.SkipWithError("not prepared");
    return;
  }
  for (auto _ : state) {
    state.PauseTiming();
    auto copy = prepared->fused->Clone();
    state.ResumeTiming();
    if (!flows::LowerModel(std::move(copy), prepared->record).ok()) state.SkipWithError("refused");
  }
  Count(state);
}

// {blocks, channels}: 4 channels make nodes, 256 make weights (2.4 MB a block).
void Sizes(benchmark::internal::Benchmark* each) {
  each->Args({100, 4})->Args({1000, 4})->Args({40, 256})->Unit(benchmark::kMillisecond);
}
BENCHMARK(BM_FuseConvBn)->Apply(Sizes);
BENCHMARK(BM_InsertCalibration)->Apply(Sizes);
BENCHMARK(BM_Lower)->Apply(Sizes);

}  // namespace
}  // namespace lathe
