// An integer region, ready to run: tensors with places in one block of memory, and steps.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/runtime/integer/step.h"
#include "lathe/runtime/integer/weights.h"

namespace lathe::runtime::integer {

struct ProgramOutput {
  ir::ElementType type = ir::ElementType::kFloat32;
  std::vector<int64_t> dims;
};

class Program {
 public:
  explicit Program(const Kernels& kernels) : kernels_(kernels) {}

  // ---- Building ----

  TensorId AddTensor(TensorInfo info);
  const TensorInfo& tensor(TensorId id) const { return tensors_[id]; }
  void AddStep(std::unique_ptr<Step> step) { steps_.push_back(std::move(step)); }
  size_t num_steps() const { return steps_.size(); }
  // The first step that writes the tensor; num_steps() when none does. O(steps).
  size_t FirstWriter(TensorId id) const;
  size_t AddOutput(ProgramOutput output);
  const Kernels& kernels() const { return kernels_; }
  // Gives each tensor its place: tensors that are never needed at one time share it. Errors: more
  // memory than there is.
  Status Finish();

  // ---- Running ----

  // Dense row-major inputs in the order that Import steps count; not reentrant. Errors: an input
  // cannot be read; memory runs out.
  StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> inputs, ThreadPool& pool);

  size_t memory_bytes() const { return memory_bytes_; }

 private:
  StatusOr<std::vector<ir::Tensor>> RunSteps(std::span<const ir::Tensor> inputs, ThreadPool& pool);

  const Kernels& kernels_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<ProgramOutput> outputs_;
  std::vector<size_t> offsets_;
  size_t memory_bytes_ = 0;
  AlignedBytes memory_;
};

}  // namespace lathe::runtime::integer
