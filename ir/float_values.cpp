#include "lathe/ir/float_values.h"

#include <memory>

namespace lathe::ir {

FloatValues::FloatValues(TensorBytes bytes)
    : bytes_(std::move(bytes)),
      values_(reinterpret_cast<const float*>(bytes_.data()), bytes_.size() / sizeof(float)) {}

StatusOr<FloatValues> FloatValues::Of(const Tensor& tensor) {
  if (tensor.element_type() == ElementType::kFloat32) {
    LATHE_ASSIGN_OR_RETURN(TensorBytes bytes, tensor.Read());
    if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) == 0) {
      return FloatValues(std::move(bytes));
    }
  }
  LATHE_ASSIGN_OR_RETURN(std::vector<float> copy, tensor.ValuesAsFloat());
  return FloatValues(std::move(copy));
}

Tensor TakeFloats(std::vector<int64_t> dims, std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  // The size fits by contract.
  return *Tensor::FromBytes(ElementType::kFloat32, std::move(dims),
                            TensorBytes(std::as_bytes(std::span(*owner)), owner));
}

}  // namespace lathe::ir
