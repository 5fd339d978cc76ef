#include "lathe/runtime/integer/element_step.h"

#include <algorithm>
#include <utility>

namespace lathe::runtime::integer {
namespace {

class ElementStep : public EpilogueStep {
 public:
  ElementStep(TensorId source, TensorInfo result, std::shared_ptr<Epilogue> epilogue)
      : EpilogueStep(source, std::move(epilogue)), result_(std::move(result)) {}

  void Run(const RunContext& context) const override {
    constexpr size_t kElementsATask = 8192;
    const size_t rows_a_task =
        std::max<size_t>(1, kElementsATask / std::max<size_t>(1, result_.stride));
    const BoundEpilogue epilogue(*epilogue_, result_, context);
    context.pool->ParallelFor(
        (result_.rows + rows_a_task - 1) / rows_a_task, [&](size_t task, int) {
          const size_t first = task * rows_a_task;
          RunRows(context, epilogue, first, std::min(rows_a_task, result_.rows - first));
        });
  }

 private:
  void RunRows(const RunContext& context, const BoundEpilogue& epilogue, size_t first,
               size_t count) const {
    const TensorInfo& info = context.tensors[input_];
    const size_t stride = info.stride;
    for (size_t c = 0; c < stride; c += kTileColumns) {
      const size_t channels = std::min(kTileColumns, stride - c);
      const size_t at = first * stride + c;
      switch (info.element) {
        case Element::kFloat:
          epilogue.RunFloats(reinterpret_cast<const float*>(context.At(input_)) + at, stride, first,
                             count, c, channels);
          break;
        case Element::kInt32:
          epilogue.RunSums(reinterpret_cast<const int32_t*>(context.At(input_)) + at, stride, first,
                           count, c, channels);
          break;
        case Element::kInt8:
          RunQuantized(reinterpret_cast<const uint8_t*>(context.At(input_)) + at, info,
                       128 + info.quant.offset, epilogue, first, count, c, channels);
          break;
        case Element::kInt16:
          RunQuantized(reinterpret_cast<const int16_t*>(context.At(input_)) + at, info,
                       info.quant.offset, epilogue, first, count, c, channels);
          break;
      }
    }
  }

  template <typename T>
  void RunQuantized(const T* source, const TensorInfo& info, int32_t zero,
                    const BoundEpilogue& epilogue, size_t first, size_t count, size_t channel,
                    size_t channels) const {
    float x[kTileColumns];
    for (size_t r = 0; r < count; ++r) {
      const T* row = source + r * info.stride;
      for (size_t c = 0; c < channels; ++c) x[c] = static_cast<float>(int32_t{row[c]} - zero);
      epilogue.RunFloats(x, kTileColumns, first + r, 1, channel, channels);
    }
  }

  TensorInfo result_;
};

}  // namespace

std::unique_ptr<Step> MakeElementStep(TensorId source, TensorInfo result,
                                      std::shared_ptr<Epilogue> epilogue) {
  return std::make_unique<ElementStep>(source, std::move(result), std::move(epilogue));
}

}  // namespace lathe::runtime::integer
