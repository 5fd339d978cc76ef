// Reading and writing ONNX files: many small nodes, and few with large weights.
// items_per_second counts nodes, bytes_per_second the file.
#include <filesystem>
#include <string>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/benchmarks/conv_chain.h"
#include "lathe/frontends/onnx/import.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// A file that is gone afterwards.
class TemporaryModel {
 public:
  TemporaryModel()
      : path_(fs::temp_directory_path() / ("lathe-onnx-" + std::to_string(::getpid()) + ".onnx")) {}
  ~TemporaryModel() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  int64_t size() const { return static_cast<int64_t>(fs::file_size(path_)); }

 private:
  fs::path path_;
};

void Count(benchmark::State& state, int64_t file_size) {
  const auto runs = static_cast<int64_t>(state.iterations());
  state.SetItemsProcessed(runs * 3 * state.range(0));
  state.SetBytesProcessed(runs * file_size);
}

void BM_Import(benchmark::State& state) {
  const TemporaryModel file;
  const auto model = benchmarks::MakeConvChain(state.range(0), state.range(1));
  if (!backends::ExportOnnx(*model, file.path()).ok()) {
    state.SkipWithError("not written");
    return;
  }
  for (auto _ : state) {
    if (!frontends::ImportOnnx(file.path()).ok()) state.SkipWithError("not read");
  }
  Count(state, file.size());
}

void BM_Export(benchmark::State& state) {
  const TemporaryModel file;
  const auto model = benchmarks::MakeConvChain(state.range(0), state.range(1));
  for (auto _ : state) {
    if (!backends::ExportOnnx(*model, file.path()).ok()) state.SkipWithError("not written");
  }
  if (fs::exists(file.path())) Count(state, file.size());
}

// {blocks, channels}: 4 channels make nodes, 256 make weights (2.4 MB a block).
void Sizes(benchmark::internal::Benchmark* each) {
  each->Args({100, 4})->Args({1000, 4})->Args({10000, 4})->Args({40, 256});
  each->Unit(benchmark::kMillisecond);
}
BENCHMARK(BM_Import)->Apply(Sizes);
BENCHMARK(BM_Export)->Apply(Sizes);

}  // namespace
}  // namespace lathe
