// One layer of each kind, for tests that need no file.
#pragma once

#include "lathe/quant/config/layer.h"

namespace lathe::test {

inline quant::NetworkDescription SmallNetwork() {
  using quant::LayerType;
  quant::NetworkDescription network;
  network.layers = {
      {"stem", LayerType::kConv2d, 1, {3}, true, "Conv"},
      {"body.conv", LayerType::kConv2d, 1, {16}, false, "Conv"},
      {"body.dw", LayerType::kConv2d, 16, {1}, false, "Conv"},
      {"conv1d", LayerType::kConv1d, 1, {4}, true, "Conv"},
      {"conv3d", LayerType::kConv3d, 1, {8}, true, "Conv"},
      {"up1d", LayerType::kConvTranspose1d, 1, {4}, true, "ConvTranspose"},
      {"up2d", LayerType::kConvTranspose2d, 1, {16}, true, "ConvTranspose"},
      {"pool", LayerType::kAvgPool2d, 1, {}, false, "AveragePool"},
      {"lstm", LayerType::kLstm, 1, {12, 16}, true, "LSTM"},
      {"gru", LayerType::kGru, 1, {12, 15}, true, "GRU"},
      {"fc1", LayerType::kLinear, 1, {64}, true, "Gemm"},
      {"fc2", LayerType::kLinear, 1, {32}, false, "MatMul"},
  };
  network.others = {
      {"relu", "Relu", "its operator is not among those"},
      {"shared", "Conv2d", "its weight is used by another layer"},
      {"up3d", "ConvTranspose3d", "its kernel has three axes"},
      {"sum", "Add", "Add is never quantised"},
      {"max", "MaxPool", "MaxPool is never quantised"},
  };
  network.tensors = {{"sum", {"", "it is a constant"}}, {"max", {""}}};
  return network;
}

}  // namespace lathe::test
