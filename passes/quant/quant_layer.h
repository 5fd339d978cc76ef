// Which nodes of a graph are layers that can be quantised, and where their operands are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/quant/config/layer.h"
#include "lathe/quant/weight_layout.h"

namespace lathe::passes {

// The name by which configurations and records call a node: its own, or that of the node it came
// from.
std::string LayerName(const ir::Node& node);

struct QuantLayer {
  ir::Node* node = nullptr;
  std::string name;
  quant::LayerType type = quant::LayerType::kConv2d;
  int64_t group = 1;
  // Output channels that weight scales may have one each of; 1 for AveragePool. LSTM and GRU:
  // directions times gates times hidden size, the rows of W and R.
  int64_t channels = 1;
  // LSTM and GRU: 2 when bidirectional.
  int64_t directions = 1;
  // Linear: columns of the result; 1 for others.
  int64_t columns = 1;
  // Input channels (all groups); 0 for AveragePool.
  int64_t cin = 0;
  // The operand whose value is quantised: input 0, or that of the Pad named `<layer>_pad` before an
  // AveragePool.
  ir::Use* activation = nullptr;
  // Null for AveragePool.
  ir::Use* weight = nullptr;
  // Null when there is none.
  ir::Use* bias = nullptr;
  // LSTM and GRU: initial_h (null when there is none, which means zeros) and R; else null.
  ir::Use* hidden = nullptr;
  ir::Use* recurrence = nullptr;
  // Why the reference does not quantise it, as a clause; empty: it does. Such a layer is quantised
  // only if a configuration or a record names it.
  std::string on_request;
  // MatMul with a bias: the Add whose input 1 is the bias.
  ir::Node* bias_add = nullptr;

  // The value that the layer computes, bias included.
  ir::Value* result() const { return (bias_add != nullptr ? bias_add : node)->output(); }
  bool is_recurrent() const { return recurrence != nullptr; }
  // How `weight` or `recurrence`, of its present shape, maps to that many scales: one; or one a
  // channel; for LSTM and GRU also one a gate of each direction; for Linear one a column.
  quant::WeightLayout Layout(const ir::Use& constant, size_t scales) const;
  // How a weight of the layer's present shape maps to input channels; not for AveragePool, LSTM and
  // GRU.
  quant::WeightLayout InputLayout() const;
};

// The layer that `node` is, or why it is none (for a node whose operator is never quantised:
// nothing). Looks at the node and its neighbours only, and not at element types, so it also
// recognises a layer that is already lowered. O(1).
struct NotALayer {
  std::string type;    // what a user would call it
  std::string reason;  // a clause; empty when the operator is never quantised
};
std::variant<QuantLayer, NotALayer> InspectLayer(ir::Node& node);

struct LayerScan {
  std::vector<QuantLayer> layers;  // in graph order
  std::vector<quant::OtherNode> others;
  std::vector<quant::TensorNode> tensors;
};

// All layers of the main graph and of the bodies in it that can be quantised, if only on request
// (the reference's 3.6; it knows no bodies), and why the others cannot: also when a weight serves
// several layers, or a layer stands inside a local function. O(nodes).
LayerScan ScanLayers(const ir::Model& model);

// The scan as configuration sees it.
quant::NetworkDescription DescribeNetwork(const LayerScan& scan);

// The layers whose activation operand carries a quantisation mark (see quant_point.h), in graph
// order, those of a body after its owner. O(nodes).
std::vector<QuantLayer> MarkedLayers(const ir::Model& model);

}  // namespace lathe::passes
