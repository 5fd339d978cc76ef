#include "lathe/flows/tap_values.h"

#include <cstring>

#include "lathe/support/half.h"

namespace lathe::flows {

std::optional<std::span<const float>> TapValues(const eval::TensorView& view,
                                                std::vector<float>& storage) {
  if (view.element_type == ir::ElementType::kFloat32) return view.floats();
  if (view.element_type != ir::ElementType::kFloat16) return std::nullopt;
  storage.resize(view.bytes.size() / 2);
  for (size_t i = 0; i < storage.size(); ++i) {
    uint16_t half = 0;
    std::memcpy(&half, view.bytes.data() + 2 * i, 2);
    storage[i] = HalfToFloat(half);
  }
  return storage;
}

}  // namespace lathe::flows
