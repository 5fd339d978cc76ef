// Joint quantisation: the layers whose results the accelerator can add as integers.
#pragma once

#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/record.h"

namespace lathe::passes {

struct JointGroup {
  ir::Node* add = nullptr;
  // The layers behind its inputs, in their order.
  std::vector<QuantLayer> layers;
};

// The Adds of a marked and calibrated model whose layers are quantised together (the ONNX flavour's
// reference, 2.6 and 8.6):
// - both inputs are results of marked layers, directly or through a Relu, that nothing else reads;
// - these are Conv or ConvTranspose with equally many channels, or both Gemm or MatMul, with 8-bit
//   activations and no 4-bit weights;
// - what reads the sum, directly or through one Relu, is quantised (at least once) or another Add.
// Layers that lost their entry in the record count as float. Only the main graph is looked at.
// O(nodes).
std::vector<JointGroup> FindJointGroups(const ir::Model& model, const quant::Record& record);

}  // namespace lathe::passes
