#pragma once

#include <span>

#include <openvino/core/model.hpp>

#include "lathe/ir/tensor.h"

namespace lathe::runtime {

// The ONNX frontend copies each constant of a message. Constants whose bytes stand in `memory`,
// where OpenVINO can use them, refer to those instead, so that the copies go. Reads both, once.
void ShareConstants(const ov::Model& model, std::span<const ir::TensorBytes> memory);

}  // namespace lathe::runtime
