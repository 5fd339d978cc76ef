// The keys by which a training checkpoint of PyTorch holds the constants of an exported model.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/passes/quant/retrain_layer.h"

namespace lathe::flows {

// The module path of an exported node: its name, or, where the exporter made the name
// ("/layer2/down/down.0/Conv"), the scopes without the operator, a scope that repeats its parent
// merged with it ("layer2.down.0").
std::string ModulePath(std::string_view node_name);

// How the constant stands in the checkpoint.
enum class ParameterLayout {
  kSame,
  kTransposed,  // a matrix: torch's Linear holds [out, in]
  kFlat,        // one axis: the slope of PRelu, [C] for [C, 1, 1]
  kLstmGates,   // of LSTM: without the axis of directions, gates in the order i, f, g, o
  kGruGates,    // of GRU: gates in the order r, z, n
};

// The block of torch that each of ONNX's blocks of gates is (the reference's 4.1); empty for other
// layouts.
std::span<const size_t> GateBlocks(ParameterLayout layout);
// Values of torch, gate behind gate, in ONNX's order.
std::vector<float> InGateOrder(std::span<const float> values, std::span<const size_t> blocks);

// A key that may hold a constant, and how.
struct ParameterKey {
  std::string name;
  // A bias of LSTM or GRU stands in two tensors, one behind the other; else empty.
  std::string second_name;
  ParameterLayout layout = ParameterLayout::kSame;
  // The shape in the checkpoint, of each of two tensors.
  std::vector<int64_t> dims;
};

// A constant operand of the model that training changes.
struct TorchParameter {
  ir::Node* node = nullptr;
  size_t input = 0;
  // The likeliest first; the last is the initializer's own name.
  std::vector<ParameterKey> keys;
  // Without a key the constant is no parameter but a constant of the network, and stays.
  bool optional = false;
};

// All of them, in graph order: weights and biases of layers, parameters of normalisations and of
// PRelu by the module path of their node (those of trained layers below
// `<layer>.quant_module.replaced_module`, and of their BatchNormalization `<layer>.bn_module`), and
// other floating-point initializers by their own name; those of layers in `sparse` that are not
// trained below `<layer>.replaced_module`. O(nodes + initializers).
std::vector<TorchParameter> FindTorchParameters(const ir::Model& model,
                                                const std::vector<passes::RetrainLayer>& layers,
                                                std::span<const std::string> sparse = {});

}  // namespace lathe::flows
