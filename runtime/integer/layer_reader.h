// What the nodes of a deploy graph say, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lathe/ir/node.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/runtime/integer/tensor.h"
#include "lathe/runtime/integer/weights.h"
#include "lathe/runtime/integer/window.h"

namespace lathe::runtime::integer {

// The constant behind a value, looked for through Cast, Identity and AscendWeightQuant nodes too.
// Empty when it is not constant.
ir::Tensor ConstantBehind(const ir::Value* value);

// Of AscendQuant or AscendAntiQuant. Errors: a scale that is not finite; an offset that is no
// integer of dst_type; an unknown dst_type; rounding modes and sqrt_mode, which deploy graphs do
// not use.
StatusOr<QuantParams> ReadQuantParams(const ir::Node& node);

// The words of AscendDequant. Errors: not constant, not uint64, neither one word nor `channels`; a
// scale that is not finite; a shift beyond 31.
StatusOr<std::vector<quant::DequantParam>> ReadDequantWords(const ir::Node& node, size_t channels);

// Integers of a constant of type int8, int16, int32 or int4. Errors: another type, or not constant.
StatusOr<std::vector<int32_t>> ReadIntegers(const ir::Value* value, std::string_view what);

// A layer's weights and bias as `ir/node` holds them: Conv, ConvTranspose, Gemm, MatMul. `input`:
// dims of the activation. `bias`: another place for the bias than the node's own (the Add behind a
// MatMul), may be null. `offsets`: offset_w, one or one a channel. Errors: what the layer's
// operator does not allow, or this runtime does not execute.
StatusOr<LayerWeights> ReadLayerWeights(const ir::Node& node, const std::vector<int64_t>& input,
                                        const ir::Value* bias, const std::vector<int8_t>& offsets);

// The window of Conv, ConvTranspose, MaxPool or AveragePool (whose kernel is an attribute) over an
// input of these dims, and the extents of its outputs. Errors: attributes that do not fit.
StatusOr<Window> ReadWindow(const ir::Node& node, const std::vector<int64_t>& input,
                            const std::vector<int64_t>& kernel);

// "node 'x': ..." around an error.
Status InNode(Status status, const ir::Node& node);

}  // namespace lathe::runtime::integer
