#include "lathe/runtime/integer/program.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <utility>

namespace lathe::runtime::integer {
namespace {

// Kernels read whole groups of bytes and so up to this much behind a row.
constexpr size_t kSlack = 64;
constexpr size_t kAlignment = 64;

// Gaps of a block of memory that grows at its end. First fit.
class Places {
 public:
  size_t Take(size_t size) {
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      if (gap->second < size) continue;
      const size_t offset = gap->first;
      const size_t rest = gap->second - size;
      gaps_.erase(gap);
      if (rest > 0) gaps_.emplace(offset + size, rest);
      return offset;
    }
    size_t offset = end_;
    if (!gaps_.empty()) {
      const auto last = std::prev(gaps_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        gaps_.erase(last);
      }
    }
    end_ = offset + size;
    return offset;
  }

  void Give(size_t offset, size_t size) {
    auto gap = gaps_.emplace(offset, size).first;
    if (const auto next = std::next(gap);
        next != gaps_.end() && gap->first + gap->second == next->first) {
      gap->second += next->second;
      gaps_.erase(next);
    }
    if (gap == gaps_.begin()) return;
    const auto previous = std::prev(gap);
    if (previous->first + previous->second == gap->first) {
      previous->second += gap->second;
      gaps_.erase(gap);
    }
  }

  size_t end() const { return end_; }

 private:
  std::map<size_t, size_t> gaps_;
  size_t end_ = 0;
};

}  // namespace

TensorId Program::AddTensor(TensorInfo info) {
  tensors_.push_back(std::move(info));
  return tensors_.size() - 1;
}

size_t Program::AddOutput(ProgramOutput output) {
  outputs_.push_back(std::move(output));
  return outputs_.size() - 1;
}

size_t Program::FirstWriter(TensorId id) const {
  size_t step = 0;
  while (step < steps_.size() && !std::ranges::count(steps_[step]->Writes(), id)) ++step;
  return step;
}

Status Program::Finish() {
  // The first and last step that touches each tensor.
  constexpr size_t kNever = SIZE_MAX;
  std::vector<size_t> first(tensors_.size(), kNever);
  std::vector<std::vector<TensorId>> last_used(steps_.size());
  std::vector<size_t> last(tensors_.size(), 0);
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const auto& ids : {steps_[i]->Reads(), steps_[i]->Writes()}) {
      for (const TensorId id : ids) {
        first[id] = std::min(first[id], i);
        last[id] = i;
      }
    }
  }
  for (TensorId id = 0; id < tensors_.size(); ++id) {
    if (first[id] != kNever) last_used[last[id]].push_back(id);
  }
  // Far below what products of sizes could overflow.
  constexpr size_t kMostBytes = size_t{1} << 42;
  std::vector<std::vector<TensorId>> first_used(steps_.size());
  for (TensorId id = 0; id < tensors_.size(); ++id) {
    if (first[id] != kNever) first_used[first[id]].push_back(id);
  }
  offsets_.assign(tensors_.size(), 0);
  Places places;
  const auto size = [&](TensorId id) { return RoundUp(tensors_[id].bytes() + kSlack, kAlignment); };
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const TensorId id : first_used[i]) {
      offsets_[id] = places.Take(size(id));
      if (places.end() > kMostBytes) break;
    }
    if (places.end() > kMostBytes) break;
    for (const TensorId id : last_used[i]) places.Give(offsets_[id], size(id));
  }
  memory_bytes_ = places.end();
  try {
    if (memory_bytes_ > kMostBytes) throw std::bad_alloc();
    memory_ = AllocateAligned(memory_bytes_);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        fmt::format("an integer region needs {} bytes for its tensors", memory_bytes_));
  }
  return OkStatus();
}

StatusOr<std::vector<ir::Tensor>> Program::Run(std::span<const ir::Tensor> inputs,
                                               ThreadPool& pool) {
  try {
    return RunSteps(inputs, pool);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for the results of an integer region");
  }
}

StatusOr<std::vector<ir::Tensor>> Program::RunSteps(std::span<const ir::Tensor> inputs,
                                                    ThreadPool& pool) {
  std::vector<ir::TensorBytes> held;
  std::vector<AlignedBytes> copies;
  std::vector<const std::byte*> sources;
  for (const ir::Tensor& input : inputs) {
    LATHE_ASSIGN_OR_RETURN(ir::TensorBytes bytes, input.Read());
    // In a file a tensor may stand anywhere.
    if (reinterpret_cast<uintptr_t>(bytes.data()) % sizeof(float) != 0) {
      copies.push_back(AllocateAligned(bytes.size()));
      std::memcpy(copies.back().get(), bytes.data(), bytes.size());
      sources.push_back(copies.back().get());
    } else {
      sources.push_back(bytes.data());
    }
    held.push_back(std::move(bytes));
  }
  std::vector<std::byte*> places;
  for (const size_t offset : offsets_) places.push_back(memory_.get() + offset);
  std::vector<std::vector<std::byte>> results;
  std::vector<std::byte*> targets;
  for (const ProgramOutput& output : outputs_) {
    LATHE_ASSIGN_OR_RETURN(const size_t bytes, ir::CheckedByteSize(output.type, output.dims));
    results.emplace_back(bytes);
  }
  for (auto& result : results) targets.push_back(result.data());
  RunContext context;
  context.kernels = &kernels_;
  context.pool = &pool;
  context.tensors = tensors_;
  context.memory = places;
  context.inputs = sources;
  context.outputs = targets;
  for (const auto& step : steps_) step->Run(context);
  std::vector<ir::Tensor> tensors;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    LATHE_ASSIGN_OR_RETURN(
        ir::Tensor tensor,
        ir::Tensor::FromVector(outputs_[i].type, outputs_[i].dims, std::move(results[i])));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace lathe::runtime::integer
