#include "lathe/passes/lowering/pack_int4.h"

#include <utility>
#include <vector>

namespace lathe::passes {

StatusOr<ir::Tensor> PackInt4(const ir::Tensor& tensor, size_t axis) {
  const auto dims = tensor.dims();
  if (dims[axis] % 2 != 0) {
    return InvalidInput("4-bit weights need an even number of input channels, not {}", dims[axis]);
  }
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  std::vector<int64_t> packed_dims(dims.begin(), dims.end());
  packed_dims[axis] /= 2;
  size_t inner = 1;
  for (const int64_t dim : dims.subspan(axis + 1)) inner *= static_cast<size_t>(dim);
  const size_t pairs = bytes.size() / (2 * inner);
  std::vector<std::byte> packed(bytes.size() / 2);
  for (size_t pair = 0; pair < pairs; ++pair) {
    const std::byte* low = bytes.data() + 2 * pair * inner;
    for (size_t i = 0; i < inner; ++i) {
      packed[pair * inner + i] = (low[i] & std::byte{0x0f}) | (low[inner + i] << 4);
    }
  }
  return ir::Tensor::FromVector(ir::ElementType::kInt8, std::move(packed_dims), std::move(packed));
}

}  // namespace lathe::passes
