// What a tap sees, as floats.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lathe/eval/engine.h"

namespace lathe::flows {

// The view's elements: itself where it is float32, converted into `storage` where it is float16,
// nothing for other types.
std::optional<std::span<const float>> TapValues(const eval::TensorView& view,
                                                std::vector<float>& storage);

}  // namespace lathe::flows
