// Ascend's operators for pairs of QuantizeLinear and DequantizeLinear that belong to no layer (the
// ONNX flavour's reference, section 4, B and C).
#pragma once

#include "lathe/ir/model.h"
#include "lathe/passes/quant/absorb_qdq.h"

namespace lathe::passes {

// Makes the pairs that are left AscendQuant and AscendAntiQuant, and notes what remains. After
// everything that knows ONNX's operators only. O(nodes).
void LowerQdqPairs(ir::Model& model, QdqReport& report);

// Makes each QuantizeLinear that only a graph output reads AscendQuant, where its integers are
// int8, and drops its note. For the deploy model: a simulation has no such integers.
void LowerQdqOutputs(ir::Model& model, QdqReport& report);

}  // namespace lathe::passes
