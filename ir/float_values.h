// Many floats without copying them.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/support/status.h"

namespace lathe::ir {

// The elements of a tensor as float (Tensor::ValuesAsFloat): where they stand, if they are float32
// at an address for floats, else copied. Keeps the tensor's data alive.
class FloatValues {
 public:
  // Moved only: a copy would look at the elements of the original.
  FloatValues(FloatValues&&) = default;
  FloatValues& operator=(FloatValues&&) = default;
  FloatValues(const FloatValues&) = delete;
  FloatValues& operator=(const FloatValues&) = delete;

  static StatusOr<FloatValues> Of(const Tensor& tensor);

  std::span<const float> span() const { return values_; }

 private:
  explicit FloatValues(TensorBytes bytes);
  explicit FloatValues(std::vector<float> copy) : copy_(std::move(copy)), values_(copy_) {}

  TensorBytes bytes_{{}, nullptr};
  // Moving it leaves its elements where they are.
  std::vector<float> copy_;
  std::span<const float> values_;
};

// A float32 tensor that takes the values over; as many as the dims say.
Tensor TakeFloats(std::vector<int64_t> dims, std::vector<float> values);

}  // namespace lathe::ir
