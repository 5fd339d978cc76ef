// tensor_quantize of the ONNX flavour: inputs of Add and MaxPool that are quantised on their own,
// by AscendQuant and AscendAntiQuant on the edge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/ptq_config.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// "add1:0": what the record calls input 0 of node add1 (the reference's 2.6, "name:index").
std::string TensorKey(std::string_view node, int64_t input_index);

struct TensorName {
  std::string_view node;
  size_t input_index = 0;
};
// The inverse, or nothing when the key has another form. The name is a part of `key`.
std::optional<TensorName> ParseTensorKey(std::string_view key);

// Whether each entry names an input that can be quantised, once, with values in range. Errors name
// the node, the input and the reason. 16 and 4 bits are refused: AscendAntiQuant takes int8.
Status CheckTensorQuantize(const std::vector<TensorQuantizeConfig>& entries,
                           const NetworkDescription& network);

// A record's entry with is_tensor_quantize: scale_d, offset_d, act_type INT8, nothing else.
Status CheckTensorRecord(const LayerRecord& record, std::string_view key,
                         const std::vector<TensorNode>& nodes);

}  // namespace lathe::quant
