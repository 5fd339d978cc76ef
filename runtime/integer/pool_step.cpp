#include "lathe/runtime/integer/pool_step.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lathe::runtime::integer {
namespace {

constexpr size_t kRowsATask = 16;

// Elements of a window on one axis that count with padding: those that do not lie beyond the
// padding (with ceil_mode a window may).
int64_t PaddedCount(const WindowAxis& axis, int64_t out) {
  int64_t count = 0;
  for (int64_t tap = 0; tap < axis.taps; ++tap) {
    const int64_t at = out * axis.stride - axis.pad_begin + tap * axis.dilation;
    count += at < axis.in + axis.pad_end ? 1 : 0;
  }
  return count;
}

class PoolStep : public EpilogueStep {
 public:
  PoolStep(PoolLayer layer, std::shared_ptr<Epilogue> epilogue)
      : EpilogueStep(layer.input, std::move(epilogue)), layer_(std::move(layer)) {}

  void Run(const RunContext& context) const override {
    const size_t rows = layer_.result.rows;
    const BoundEpilogue epilogue(*epilogue_, layer_.result, context);
    context.pool->ParallelFor((rows + kRowsATask - 1) / kRowsATask, [&](size_t task, int) {
      std::vector<int64_t> inputs(layer_.window.taps());
      float result[kTileColumns] = {};
      const size_t end = std::min(rows, (task + 1) * kRowsATask);
      for (size_t row = task * kRowsATask; row < end; ++row) {
        layer_.window.Rows(row, inputs.data());
        for (size_t c = 0; c < layer_.result.stride; c += kTileColumns) {
          const size_t count = std::min(kTileColumns, layer_.result.stride - c);
          Pool(context, row, inputs, c, count, result);
          epilogue.RunFloats(result, kTileColumns, row, 1, c, count);
        }
      }
    });
  }

 protected:
  virtual void Pool(const RunContext& context, size_t row, const std::vector<int64_t>& inputs,
                    size_t first_channel, size_t channels, float* result) const = 0;

  PoolLayer layer_;
};

class AveragePoolStep : public PoolStep {
 public:
  using PoolStep::PoolStep;

 protected:
  void Pool(const RunContext& context, size_t row, const std::vector<int64_t>& inputs,
            size_t first_channel, size_t channels, float* result) const override {
    const TensorInfo& input = context.tensors[layer_.input];
    const auto count = static_cast<float>(Count(row, inputs));
    switch (input.element) {
      case Element::kInt8:
        return Average<uint8_t, int64_t>(context, inputs, 128 + input.quant.offset, first_channel,
                                         channels, count, result);
      case Element::kInt16:
        return Average<int16_t, int64_t>(context, inputs, input.quant.offset, first_channel,
                                         channels, count, result);
      default:
        return Average<float, double>(context, inputs, 0, first_channel, channels, count, result);
    }
  }

 private:
  int64_t Count(size_t row, const std::vector<int64_t>& inputs) const {
    if (!layer_.count_padding) {
      return std::ranges::count_if(inputs, [](int64_t input) { return input >= 0; });
    }
    int64_t count = 1;
    size_t place = row % layer_.window.out_rows();
    const auto& axes = layer_.window.axes();
    for (size_t i = axes.size(); i-- > 0;) {
      const auto out = static_cast<size_t>(axes[i].out);
      count *= PaddedCount(axes[i], static_cast<int64_t>(place % out));
      place /= out;
    }
    return count;
  }

  template <typename T, typename Sum>
  void Average(const RunContext& context, const std::vector<int64_t>& inputs, int32_t zero,
               size_t first_channel, size_t channels, float count, float* result) const {
    const size_t stride = context.tensors[layer_.input].stride;
    const auto* base = reinterpret_cast<const T*>(context.At(layer_.input)) + first_channel;
    Sum sums[kTileColumns] = {};
    for (const int64_t input : inputs) {
      if (input < 0) continue;
      const T* x = base + static_cast<size_t>(input) * stride;
      for (size_t c = 0; c < channels; ++c) {
        sums[c] += static_cast<Sum>(x[c]) - static_cast<Sum>(zero);
      }
    }
    for (size_t c = 0; c < channels; ++c) result[c] = static_cast<float>(sums[c]) / count;
  }
};

template <typename T>
void Largest(const T* base, size_t stride, const std::vector<int64_t>& inputs, size_t channels,
             T* result) {
  for (const int64_t input : inputs) {
    if (input < 0) continue;
    const T* x = base + static_cast<size_t>(input) * stride;
    for (size_t c = 0; c < channels; ++c) result[c] = x[c] > result[c] ? x[c] : result[c];
  }
}

class MaxPoolStep : public PoolStep {
 public:
  using PoolStep::PoolStep;

 protected:
  void Pool(const RunContext& context, size_t /*row*/, const std::vector<int64_t>& inputs,
            size_t first_channel, size_t channels, float* result) const override {
    std::fill_n(result, channels, -std::numeric_limits<float>::infinity());
    Largest(reinterpret_cast<const float*>(context.At(layer_.input)) + first_channel,
            context.tensors[layer_.input].stride, inputs, channels, result);
  }
};

class QuantizedMaxPoolStep : public Step {
 public:
  QuantizedMaxPoolStep(PoolLayer layer, TensorId output)
      : layer_(std::move(layer)), output_(output) {}

  std::vector<TensorId> Reads() const override { return {layer_.input}; }
  std::vector<TensorId> Writes() const override { return {output_}; }

  void Run(const RunContext& context) const override {
    const size_t rows = layer_.result.rows;
    context.pool->ParallelFor((rows + kRowsATask - 1) / kRowsATask, [&](size_t task, int) {
      std::vector<int64_t> inputs(layer_.window.taps());
      const size_t end = std::min(rows, (task + 1) * kRowsATask);
      for (size_t row = task * kRowsATask; row < end; ++row) {
        layer_.window.Rows(row, inputs.data());
        if (layer_.result.element == Element::kInt8) {
          Pool<uint8_t>(context, row, inputs);
        } else {
          Pool<int16_t>(context, row, inputs);
        }
      }
    });
  }

 private:
  template <typename T>
  void Pool(const RunContext& context, size_t row, const std::vector<int64_t>& inputs) const {
    const size_t stride = layer_.result.stride;
    T* out = reinterpret_cast<T*>(context.At(output_)) + row * stride;
    // Not the lowest of the tensor's type: a Pad writes its offset, which may lie below INT4's.
    std::fill_n(out, stride, std::numeric_limits<T>::lowest());
    Largest(reinterpret_cast<const T*>(context.At(layer_.input)),
            context.tensors[layer_.input].stride, inputs, stride, out);
  }

  PoolLayer layer_;
  TensorId output_;
};

}  // namespace

std::unique_ptr<Step> MakeAveragePoolStep(PoolLayer layer, std::shared_ptr<Epilogue> epilogue) {
  return std::make_unique<AveragePoolStep>(std::move(layer), std::move(epilogue));
}

std::unique_ptr<Step> MakeMaxPoolStep(PoolLayer layer, std::shared_ptr<Epilogue> epilogue) {
  return std::make_unique<MaxPoolStep>(std::move(layer), std::move(epilogue));
}

std::unique_ptr<Step> MakeQuantizedMaxPoolStep(PoolLayer layer, TensorId output) {
  return std::make_unique<QuantizedMaxPoolStep>(std::move(layer), output);
}

}  // namespace lathe::runtime::integer
