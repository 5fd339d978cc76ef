// From a QDQ model to a float model and the factors that its pairs say (the ONNX flavour's
// reference, section 4).
#pragma once

#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct QdqNote {
  std::string node;
  std::string reason;
};

struct QdqReport {
  // Layers that are computed in integers.
  size_t layers = 0;
  // Pairs that round a value between other operators.
  size_t pairs = 0;
  // Layers with a quantised operand that are computed in float, and why.
  std::vector<QdqNote> float_layers;
  // QuantizeLinear and DequantizeLinear nodes that stay, and why.
  std::vector<QdqNote> kept;
};

// Makes Conv, ConvTranspose, Gemm and MatMul with a constant quantised weight and with a pair on
// input 0, or with one in front of operators that only move values, float layers with an entry in
// `record`: the layer reads what the pair rounds (through a Clip where a Clip of integers narrows
// the range), or what it has rounded where others read that, too; weight and bias become the real
// constants that they stand for. The factors are the pair's and the weight's; integers that the
// lowering makes of the weight are those that were there. All other quantised constants become real
// ones, too. A layer stays float, with its pair, when the factors have no place in a record: a
// weight with a zero point or scales along another axis than that of its output channels, and what
// InspectLayer and the layer's type refuse. O(nodes + elements of constants).
void AbsorbQdq(ir::Model& model, quant::Record& record, QdqReport& report);

}  // namespace lathe::passes
