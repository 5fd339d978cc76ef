// Element types between the IR and OpenVINO.
#pragma once

#include <optional>

#include <openvino/core/type/element_type.hpp>

#include "lathe/ir/element_type.h"

namespace lathe::runtime {

// Nothing when OpenVINO has no such type.
std::optional<ov::element::Type> ToOpenVino(ir::ElementType type);
std::optional<ir::ElementType> FromOpenVino(const ov::element::Type& type);

}  // namespace lathe::runtime
