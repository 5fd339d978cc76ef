#include "lathe/flows/activation_layout.h"

namespace lathe::flows {

StatusOr<quant::WeightLayout> ActivationLayout(const passes::QuantLayer& layer,
                                               std::span<const int64_t> dims) {
  const size_t axis = layer.type == quant::LayerType::kLinear ? dims.size() - 1 : 1;
  if (axis >= dims.size() || dims[axis] != layer.cin) {
    return InvalidInput("its input [{}] does not have the {} channels of its weight",
                        fmt::join(dims, ","), layer.cin);
  }
  int64_t before = 1;
  for (const int64_t dim : dims.first(axis)) before *= dim;
  int64_t after = 1;
  for (const int64_t dim : dims.subspan(axis + 1)) after *= dim;
  return quant::WeightLayout::AlongAxis(before, dims[axis], after);
}

}  // namespace lathe::flows
