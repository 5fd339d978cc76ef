#include "lathe/runtime/integer/tensor.h"

#include <utility>

namespace lathe::runtime::integer {

TensorInfo MakeTensorInfo(Element element, Layout layout, std::vector<int64_t> dims) {
  constexpr size_t kVector = 16;
  TensorInfo info;
  info.element = element;
  info.layout = dims.size() < 3 ? Layout::kPlain : layout;
  size_t total = 1;
  for (const int64_t dim : dims) total *= static_cast<size_t>(dim);
  if (!dims.empty()) {
    info.channels =
        static_cast<size_t>(info.layout == Layout::kChannelsLast ? dims[1] : dims.back());
  }
  info.rows = info.channels == 0 ? 0 : total / info.channels;
  info.stride = RoundUp(info.channels, kVector);
  info.dims = std::move(dims);
  return info;
}

std::vector<int64_t> TensorInfo::Strides() const {
  std::vector<int64_t> strides(dims.size());
  if (dims.empty()) return strides;
  const size_t channel_axis = layout == Layout::kChannelsLast ? 1 : dims.size() - 1;
  strides[channel_axis] = 1;
  int64_t step = static_cast<int64_t>(stride);
  for (size_t i = dims.size(); i-- > 0;) {
    if (i == channel_axis) continue;
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

}  // namespace lathe::runtime::integer
