// The layers that are read: one function a family, in internal/layers/. Each makes the nodes of one
// layer (LayerBuilder::Finish) or says why it cannot.
#pragma once

#include <string_view>
#include <vector>

#include "lathe/frontends/caffe/internal/layer_builder.h"

namespace lathe::frontends::caffe {

using LayerFunction = Status (*)(LayerBuilder&);

// Null when the type is not read.
LayerFunction FindLayer(std::string_view type);
// The types that FindLayer knows, sorted.
std::vector<std::string_view> LayerTypes();

Status ArgMax(LayerBuilder& builder);
Status Axpy(LayerBuilder& builder);
Status BatchMatMul(LayerBuilder& builder);
Status BatchNorm(LayerBuilder& builder);
Status Bias(LayerBuilder& builder);
Status Clip(LayerBuilder& builder);
Status Concat(LayerBuilder& builder);
Status Convolution(LayerBuilder& builder);
Status Crop(LayerBuilder& builder);
Status Deconvolution(LayerBuilder& builder);
Status DetectionOutput(LayerBuilder& builder);
Status Dropout(LayerBuilder& builder);
Status DummyData(LayerBuilder& builder);
Status Eltwise(LayerBuilder& builder);
Status Embed(LayerBuilder& builder);
Status Exp(LayerBuilder& builder);
Status Flatten(LayerBuilder& builder);
Status InnerProduct(LayerBuilder& builder);
Status Interp(LayerBuilder& builder);
Status Log(LayerBuilder& builder);
Status Lrn(LayerBuilder& builder);
Status Lstm(LayerBuilder& builder);
Status Mvn(LayerBuilder& builder);
Status Normalize(LayerBuilder& builder);
Status Parameter(LayerBuilder& builder);
Status Permute(LayerBuilder& builder);
Status Pooling(LayerBuilder& builder);
Status Power(LayerBuilder& builder);
Status PRelu(LayerBuilder& builder);
Status PriorBox(LayerBuilder& builder);
Status Reduction(LayerBuilder& builder);
Status Relu(LayerBuilder& builder);
Status Reorg(LayerBuilder& builder);
Status Reshape(LayerBuilder& builder);
Status Reverse(LayerBuilder& builder);
Status Rnn(LayerBuilder& builder);
Status RoiPooling(LayerBuilder& builder);
Status Scale(LayerBuilder& builder);
Status ShuffleChannel(LayerBuilder& builder);
Status SimpleActivation(LayerBuilder& builder);
Status Slice(LayerBuilder& builder);
Status Softmax(LayerBuilder& builder);
Status Spp(LayerBuilder& builder);
Status SsdDetectionOutput(LayerBuilder& builder);
Status Swish(LayerBuilder& builder);
Status Threshold(LayerBuilder& builder);
Status Tile(LayerBuilder& builder);
Status Upsample(LayerBuilder& builder);

// A BatchNorm and the Scale that is its only reader, as one BatchNormalization. `scale` is a Scale
// of one weight a channel (IsChannelScale).
Status BatchNormAndScale(LayerBuilder& builder, const proto::LayerParameter& scale,
                         WeightSource& weights);
// Scales the channels of what it reads by weights of its own.
bool IsChannelScale(const proto::LayerParameter& layer);

}  // namespace lathe::frontends::caffe
