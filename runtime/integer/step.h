// A program's steps: each reads tensors and writes tensors.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lathe/runtime/integer/kernels.h"
#include "lathe/runtime/integer/tensor.h"
#include "lathe/support/thread_pool.h"

namespace lathe::runtime::integer {

// Position in Program::tensors.
using TensorId = size_t;

// Where things are during a run.
struct RunContext {
  const Kernels* kernels = nullptr;
  ThreadPool* pool = nullptr;
  std::span<const TensorInfo> tensors;
  // One a tensor.
  std::span<std::byte* const> memory;
  // Dense row-major arrays of the caller.
  std::span<const std::byte* const> inputs;
  std::span<std::byte* const> outputs;

  std::byte* At(TensorId id) const { return memory[id]; }
};

class Step {
 public:
  virtual ~Step() = default;
  // Deterministic for any number of threads. Everything that could be wrong was checked before.
  virtual void Run(const RunContext& context) const = 0;
  virtual std::vector<TensorId> Reads() const = 0;
  virtual std::vector<TensorId> Writes() const = 0;
};

// What a step does with each element it computes, and where the results go.
struct Epilogue {
  struct Op {
    ElementOp::Kind kind = ElementOp::Kind::kClamp;
    float low = 0;
    float high = 0;
    std::vector<float> values;
    std::optional<TensorId> tensor;
  };
  struct Quant {
    TensorId tensor = 0;
    QuantParams params;
  };

  // Channel arrays have `stride` of the results' elements; see EpilogueArgs.
  std::vector<int32_t> bias;
  std::vector<float> scale;
  std::vector<int32_t> shift;
  std::vector<float> shift_scale;
  std::vector<Op> ops;
  std::optional<TensorId> sums_out;
  std::optional<TensorId> floats_out;
  std::vector<Quant> quants;

  void AddReads(std::vector<TensorId>* ids) const;
  void AddWrites(std::vector<TensorId>* ids) const;
};

// A step that reads one tensor, and beside it what its epilogue reads; the epilogue writes.
class EpilogueStep : public Step {
 public:
  std::vector<TensorId> Reads() const final;
  std::vector<TensorId> Writes() const final;

 protected:
  EpilogueStep(TensorId input, std::shared_ptr<Epilogue> epilogue)
      : input_(input), epilogue_(std::move(epilogue)) {}

  TensorId input_;
  std::shared_ptr<Epilogue> epilogue_;
};

// An epilogue with the addresses of one run.
class BoundEpilogue {
 public:
  // `info`: shape of the results.
  BoundEpilogue(const Epilogue& epilogue, const TensorInfo& info, const RunContext& context);

  // The rows [first_row, +num_rows) and channels [first_channel, +num_channels), at most
  // kTileColumns, of which `sums` or `floats` is the first; from row to row `source_stride`.
  void RunSums(const int32_t* sums, size_t source_stride, size_t first_row, size_t num_rows,
               size_t first_channel, size_t num_channels) const;
  void RunFloats(const float* floats, size_t source_stride, size_t first_row, size_t num_rows,
                 size_t first_channel, size_t num_channels) const;

 private:
  void Run(EpilogueArgs& args, size_t first_row, size_t num_rows, size_t first_channel,
           size_t num_channels) const;

  EpilogueArgs args_;
  std::vector<ElementOp> ops_;
  std::vector<QuantTarget> quants_;
  const Kernels* kernels_;
};

}  // namespace lathe::runtime::integer
