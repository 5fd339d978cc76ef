#include "lathe/runtime/integer/copy_step.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lathe/support/half.h"

namespace lathe::runtime::integer {
namespace {

// Calls row(from, to) at the beginning of every line along the last axis, in parallel.
template <typename Row>
void WalkLines(const CopyPlan& plan, ThreadPool& pool, const Row& row) {
  size_t lines = 1;
  for (size_t i = 0; i + 1 < plan.dims.size(); ++i) lines *= static_cast<size_t>(plan.dims[i]);
  constexpr size_t kElementsATask = 8192;
  const size_t length = plan.dims.empty() ? 1 : static_cast<size_t>(plan.dims.back());
  if (length == 0) return;
  const size_t lines_a_task = std::max<size_t>(1, kElementsATask / length);
  pool.ParallelFor((lines + lines_a_task - 1) / lines_a_task, [&](size_t task, int) {
    const size_t end = std::min(lines, (task + 1) * lines_a_task);
    for (size_t line = task * lines_a_task; line < end; ++line) {
      int64_t from = plan.from_start;
      int64_t to = plan.to_start;
      size_t rest = line;
      for (size_t i = plan.dims.size(); i-- > 1;) {
        const auto dim = static_cast<size_t>(plan.dims[i - 1]);
        const auto at = static_cast<int64_t>(rest % dim);
        rest /= dim;
        from += at * plan.from[i - 1];
        to += at * plan.to[i - 1];
      }
      row(from, to);
    }
  });
}

template <typename From, typename To, typename Convert>
void CopyBox(const CopyPlan& plan, const void* from, void* to, ThreadPool& pool,
             const Convert& convert) {
  const int64_t length = plan.dims.empty() ? 1 : plan.dims.back();
  const int64_t from_step = plan.dims.empty() ? 0 : plan.from.back();
  const int64_t to_step = plan.dims.empty() ? 0 : plan.to.back();
  WalkLines(plan, pool, [&](int64_t from_at, int64_t to_at) {
    const From* source = static_cast<const From*>(from) + from_at;
    To* target = static_cast<To*>(to) + to_at;
    if (from_step == 1 && to_step == 1) {
      for (int64_t i = 0; i < length; ++i) target[i] = convert(source[i]);
    } else {
      for (int64_t i = 0; i < length; ++i) target[i * to_step] = convert(source[i * from_step]);
    }
  });
}

template <typename T>
void CopySame(const CopyPlan& plan, const void* from, void* to, ThreadPool& pool) {
  CopyBox<T, T>(plan, from, to, pool, [](T x) { return x; });
}

class ImportStep : public Step {
 public:
  ImportStep(size_t input, ir::ElementType type, TensorId to, CopyPlan plan)
      : input_(input), type_(type), to_(to), plan_(std::move(plan)) {}
  std::vector<TensorId> Reads() const override { return {}; }
  std::vector<TensorId> Writes() const override { return {to_}; }
  void Run(const RunContext& context) const override {
    const std::byte* from = context.inputs[input_];
    if (type_ == ir::ElementType::kFloat16) {
      CopyBox<uint16_t, float>(plan_, from, context.At(to_), *context.pool,
                               [](uint16_t x) { return HalfToFloat(x); });
    } else {
      CopySame<float>(plan_, from, context.At(to_), *context.pool);
    }
  }

 private:
  size_t input_;
  ir::ElementType type_;
  TensorId to_;
  CopyPlan plan_;
};

class ExportStep : public Step {
 public:
  ExportStep(TensorId from, size_t output, ir::ElementType type, CopyPlan plan)
      : from_(from), output_(output), type_(type), plan_(std::move(plan)) {}
  std::vector<TensorId> Reads() const override { return {from_}; }
  std::vector<TensorId> Writes() const override { return {}; }
  void Run(const RunContext& context) const override {
    const std::byte* from = context.At(from_);
    std::byte* to = context.outputs[output_];
    switch (context.tensors[from_].element) {
      case Element::kFloat:
        if (type_ == ir::ElementType::kFloat16) {
          CopyBox<float, uint16_t>(plan_, from, to, *context.pool,
                                   [](float x) { return FloatToHalf(x); });
        } else {
          CopySame<float>(plan_, from, to, *context.pool);
        }
        break;
      case Element::kInt8:
        // The stored q + 128 and the int8 q differ in the top bit.
        CopyBox<uint8_t, uint8_t>(plan_, from, to, *context.pool,
                                  [](uint8_t x) { return static_cast<uint8_t>(x ^ 0x80u); });
        break;
      case Element::kInt16:
        CopySame<int16_t>(plan_, from, to, *context.pool);
        break;
      case Element::kInt32:
        CopySame<int32_t>(plan_, from, to, *context.pool);
        break;
    }
  }

 private:
  TensorId from_;
  size_t output_;
  ir::ElementType type_;
  CopyPlan plan_;
};

class CopyStep : public Step {
 public:
  CopyStep(TensorId from, TensorId to, CopyPlan plan, bool fill)
      : from_(from), to_(to), plan_(std::move(plan)), fill_(fill) {}
  std::vector<TensorId> Reads() const override { return {from_}; }
  std::vector<TensorId> Writes() const override { return {to_}; }
  void Run(const RunContext& context) const override {
    const TensorInfo& info = context.tensors[to_];
    const std::byte* from = context.At(from_);
    std::byte* to = context.At(to_);
    const size_t elements = info.rows * info.stride;
    switch (info.element) {
      case Element::kInt8:
        if (fill_) std::memset(to, info.quant.offset + 128, elements);
        return CopySame<uint8_t>(plan_, from, to, *context.pool);
      case Element::kInt16:
        if (fill_) {
          std::fill_n(reinterpret_cast<int16_t*>(to), elements,
                      static_cast<int16_t>(info.quant.offset));
        }
        return CopySame<int16_t>(plan_, from, to, *context.pool);
      case Element::kFloat:
      case Element::kInt32:
        if (fill_) std::memset(to, 0, info.bytes());
        return CopySame<uint32_t>(plan_, from, to, *context.pool);
    }
  }

 private:
  TensorId from_;
  TensorId to_;
  CopyPlan plan_;
  bool fill_;
};

}  // namespace

std::vector<int64_t> DenseStrides(const std::vector<int64_t>& dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

std::unique_ptr<Step> MakeImportStep(size_t input, ir::ElementType type, TensorId to,
                                     const TensorInfo& info) {
  return std::make_unique<ImportStep>(
      input, type, to,
      CopyPlan{.dims = info.dims, .from = DenseStrides(info.dims), .to = info.Strides()});
}

std::unique_ptr<Step> MakeExportStep(TensorId from, const TensorInfo& info, size_t output,
                                     ir::ElementType type) {
  return std::make_unique<ExportStep>(
      from, output, type,
      CopyPlan{.dims = info.dims, .from = info.Strides(), .to = DenseStrides(info.dims)});
}

std::unique_ptr<Step> MakeCopyStep(TensorId from, TensorId to, CopyPlan plan, bool fill) {
  return std::make_unique<CopyStep>(from, to, std::move(plan), fill);
}

}  // namespace lathe::runtime::integer
