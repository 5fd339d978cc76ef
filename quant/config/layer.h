// A network as configuration sees it: plain data, made from a graph by whoever holds one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::quant {

// The layers that can be quantised after training, by the names that configurations use.
enum class LayerType {
  kConv1d,           // Conv, one spatial axis
  kConv2d,           // Conv, two
  kConv3d,           // Conv, three
  kConvTranspose1d,  // ConvTranspose, one
  kConvTranspose2d,  // ConvTranspose, two
  kLinear,           // Gemm, MatMul
  kAvgPool2d,        // AveragePool
  kLstm,             // LSTM
  kGru,              // GRU
};

// "Conv2d", ...: the spelling in skip_layer_types and override_layer_types.
std::string_view ToString(LayerType type);
std::optional<LayerType> ParseLayerType(std::string_view name);
// Every type, in the order above.
std::span<const LayerType> AllLayerTypes();

// One layer that can be quantised (the reference's 3.6 says which can).
struct LayerDescription {
  std::string name;
  LayerType type = LayerType::kConv2d;
  int64_t group = 1;
  // Length of the input-channel axis of each weight (one; two for LSTM and GRU: W and R; none for
  // AveragePool). Of the stored weight: input channels divided by the group for Conv.
  std::vector<int64_t> cin_axis_lengths;
  bool has_bias = false;
  // The ONNX operator: "Conv", "Gemm", ...
  std::string op;
  // Why only a configuration that names the layer quantises it, as a clause; empty: any does.
  std::string on_request;
};

// A node that cannot be quantised.
struct OtherNode {
  std::string name;
  // What a user would call it: a LayerType's name if it has one ("Conv2d"), else its ONNX operator.
  std::string type;
  // Why not, as a clause: "its weight is used by another layer".
  std::string reason;
};

// A node whose inputs can be quantised on their own: Add, MaxPool. It is among the others, too.
struct TensorNode {
  std::string name;
  // Why each input cannot be, as a clause; empty when it can.
  std::vector<std::string> refusals;
};

// Layers in graph order; names are unique among layers and others together.
struct NetworkDescription {
  std::vector<LayerDescription> layers;
  std::vector<OtherNode> others;
  std::vector<TensorNode> tensors;
};

}  // namespace lathe::quant
