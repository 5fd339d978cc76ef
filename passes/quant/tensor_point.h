// Inputs of Add and MaxPool that are quantised on their own (the ONNX flavour's tensor_quantize).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/quant/config/layer.h"

namespace lathe::passes {

// What configuration and record may say of `node`, or nothing for another operator. Looks at the
// node and its neighbours only. O(inputs).
std::optional<quant::TensorNode> InspectTensorNode(const ir::Node& node);

// All such nodes of the main graph and of bodies. O(nodes).
std::vector<quant::TensorNode> ScanTensorNodes(const ir::Model& model);

struct TensorPoint {
  // The record's name of it, "add1:0".
  std::string key;
  ir::Use* use = nullptr;

  // "add1_0": what the names of the nodes on the edge begin with.
  std::string NodePrefix() const;
};

// The inputs that carry a mark (see quant_point.h), in graph order. O(nodes).
std::vector<TensorPoint> MarkedTensors(const ir::Model& model);

}  // namespace lathe::passes
