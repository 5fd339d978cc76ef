// Times a model on the driver's engine, without reading and planning:
//   run_model MODEL.onnx INPUT.npy ROUNDS [BATCH]
// prints "seconds N", the shortest time of a pass over all samples of the input, in batches.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/runtime/engine.h"

namespace lathe {
namespace {

StatusOr<std::vector<ir::Tensor>> Split(const ir::Tensor& all, int64_t batch) {
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, all.Read());
  std::vector<ir::Tensor> batches;
  std::vector<int64_t> dims(all.dims().begin(), all.dims().end());
  const size_t sample = bytes.size() / static_cast<size_t>(dims[0]);
  for (int64_t i = 0; i < all.dims()[0]; i += batch) {
    dims[0] = std::min(batch, all.dims()[0] - i);
    const auto part = bytes.bytes().subspan(static_cast<size_t>(i) * sample,
                                            static_cast<size_t>(dims[0]) * sample);
    LATHE_ASSIGN_OR_RETURN(ir::Tensor tensor, ir::Tensor::FromVector(all.element_type(), dims,
                                                                     {part.begin(), part.end()}));
    batches.push_back(std::move(tensor));
  }
  return batches;
}

Status Measure(const std::string& model_path, const std::string& input_path, int rounds,
               int64_t batch) {
  LATHE_ASSIGN_OR_RETURN(const auto model, frontends::ImportOnnx(model_path));
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor input, frontends::ReadNpy(input_path));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> batches, Split(input, batch));
  const auto engine = runtime::MakeEngine();
  LATHE_ASSIGN_OR_RETURN(const auto graph, engine->Compile(*model, {}));
  LATHE_RETURN_IF_ERROR(graph->Run({&batches[0], 1}).status());
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (const ir::Tensor& each : batches) {
      LATHE_RETURN_IF_ERROR(graph->Run({&each, 1}).status());
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i == 0 || seconds < best) best = seconds;
  }
  fmt::print("seconds {}\n", best);
  return OkStatus();
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: run_model MODEL.onnx INPUT.npy ROUNDS [BATCH]\n");
    return 2;
  }
  const int64_t batch = argc > 4 ? std::max(1, std::atoi(argv[4])) : 1;
  const lathe::Status status = lathe::Measure(argv[1], argv[2], std::atoi(argv[3]), batch);
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", lathe::FormatError(status));
  return 1;
}
