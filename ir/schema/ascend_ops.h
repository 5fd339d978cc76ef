// Operators of our own, which no operator set of ONNX has: those of Ascend deploy graphs, in the
// default domain as the reference writes them, and those that passes leave for later passes, in the
// domain "lathe".
//
//   AscendQuant(x) -> y                 {scale: float, offset: float, dst_type: INT4|INT8|INT16}
//   AscendDequant(x, deq_scale) -> y    {dtype: 0 float32 | 1 float16}
//   AscendAntiQuant(x) -> y             {scale: float, offset: float, dst_type}
//   AscendWeightQuant(w, offset) -> y   {dst_type}
//   BasicLSTMInplaceFillWindowCache(x, w, r, initial_h, initial_c, bias, sequence_lens, _, param)
//   BasicGRUInplaceFillWindowCache(x, w, r, initial_h, bias, sequence_lens, _, param)
//                                       {hidden_size, direction, ...} -> Y, Y_h[, Y_c]
//   lathe.Observe(x)                    {layer: string, hidden: 1 for the state of LSTM and GRU}
//
// Forms and attributes: the reference's deploy graph.
#pragma once

#include <span>
#include <string_view>

#include "lathe/ir/schema/operator_schema.h"

namespace lathe::ir {

// All of them, sorted by domain and name.
std::span<const OperatorSchema> AscendOperators();

// Null when it is none of ours. O(number of our operators).
const OperatorSchema* FindAscendOperator(std::string_view domain, std::string_view op);

}  // namespace lathe::ir
