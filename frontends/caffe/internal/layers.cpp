#include "lathe/frontends/caffe/internal/layers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lathe::frontends::caffe {
namespace {

constexpr auto kLayers = std::to_array<std::pair<std::string_view, LayerFunction>>({
    {"AbsVal", SimpleActivation},
    {"ArgMax", ArgMax},
    {"Axpy", Axpy},
    {"BNLL", SimpleActivation},
    {"BatchMatMul", BatchMatMul},
    {"BatchNorm", BatchNorm},
    {"Bias", Bias},
    {"Clip", Clip},
    {"Concat", Concat},
    {"Convolution", Convolution},
    {"ConvolutionDepthwise", Convolution},
    {"Crop", Crop},
    {"Deconvolution", Deconvolution},
    {"DepthwiseConvolution", Convolution},
    {"DetectionOutput", DetectionOutput},
    {"Dropout", Dropout},
    {"DummyData", DummyData},
    {"ELU", SimpleActivation},
    {"Eltwise", Eltwise},
    {"Embed", Embed},
    {"Exp", Exp},
    {"Flatten", Flatten},
    {"InnerProduct", InnerProduct},
    {"Interp", Interp},
    {"LRN", Lrn},
    {"LSTM", Lstm},
    {"Log", Log},
    {"MVN", Mvn},
    {"Normalize", Normalize},
    {"PReLU", PRelu},
    {"Parameter", Parameter},
    {"Permute", Permute},
    {"Pooling", Pooling},
    {"Power", Power},
    {"PriorBox", PriorBox},
    {"RNN", Rnn},
    {"ROIPooling", RoiPooling},
    {"ReLU", Relu},
    {"ReLU6", SimpleActivation},
    {"Reduction", Reduction},
    {"Reorg", Reorg},
    {"Reshape", Reshape},
    {"Reverse", Reverse},
    {"SPP", Spp},
    {"SSDDetectionOutput", SsdDetectionOutput},
    {"Scale", Scale},
    {"ShuffleChannel", ShuffleChannel},
    {"Sigmoid", SimpleActivation},
    {"Slice", Slice},
    {"Softmax", Softmax},
    {"Swish", Swish},
    {"TanH", SimpleActivation},
    {"Threshold", Threshold},
    {"Tile", Tile},
    {"Upsample", Upsample},
});
static_assert(std::ranges::is_sorted(kLayers, {}, [](const auto& each) { return each.first; }));

}  // namespace

LayerFunction FindLayer(std::string_view type) {
  const auto* const found =
      std::ranges::find(kLayers, type, [](const auto& each) { return each.first; });
  return found == kLayers.end() ? nullptr : found->second;
}

std::vector<std::string_view> LayerTypes() {
  std::vector<std::string_view> types;
  types.reserve(kLayers.size());
  for (const auto& [type, function] : kLayers) types.push_back(type);
  return types;
}

}  // namespace lathe::frontends::caffe
