#include <algorithm>
#include <array>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/frontends/caffe/internal/upgrade.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

namespace proto = LatheCaffe;
using proto::LayerParameter;
using proto::V0LayerParameter;

constexpr std::array<std::pair<std::string_view, std::string_view>, 25> kTypes = {{
    {"accuracy", "Accuracy"},
    {"bnll", "BNLL"},
    {"concat", "Concat"},
    {"conv", "Convolution"},
    {"data", "Data"},
    {"dropout", "Dropout"},
    {"euclidean_loss", "EuclideanLoss"},
    {"flatten", "Flatten"},
    {"hdf5_data", "HDF5Data"},
    {"hdf5_output", "HDF5Output"},
    {"im2col", "Im2col"},
    {"images", "ImageData"},
    {"infogain_loss", "InfogainLoss"},
    {"innerproduct", "InnerProduct"},
    {"lrn", "LRN"},
    {"multinomial_logistic_loss", "MultinomialLogisticLoss"},
    {"padding", "Padding"},
    {"pool", "Pooling"},
    {"relu", "ReLU"},
    {"sigmoid", "Sigmoid"},
    {"softmax", "Softmax"},
    {"softmax_loss", "SoftmaxWithLoss"},
    {"split", "Split"},
    {"tanh", "TanH"},
    {"window_data", "WindowData"},
}};

void SetConvolution(const V0LayerParameter& old, LayerParameter& layer) {
  proto::ConvolutionParameter& param = *layer.mutable_convolution_param();
  if (old.has_num_output()) param.set_num_output(old.num_output());
  if (old.has_biasterm()) param.set_bias_term(old.biasterm());
  if (old.has_pad()) param.add_pad(old.pad());
  if (old.has_kernelsize()) param.add_kernel_size(old.kernelsize());
  if (old.has_group()) param.set_group(old.group());
  if (old.has_stride()) param.add_stride(old.stride());
}

void SetPooling(const V0LayerParameter& old, LayerParameter& layer) {
  proto::PoolingParameter& param = *layer.mutable_pooling_param();
  if (old.has_pad()) param.set_pad(old.pad());
  if (old.has_kernelsize()) param.set_kernel_size(old.kernelsize());
  if (old.has_stride()) param.set_stride(old.stride());
  if (old.has_pool()) {
    param.set_pool(static_cast<proto::PoolingParameter::PoolMethod>(old.pool()));
  }
}

void SetInnerProduct(const V0LayerParameter& old, LayerParameter& layer) {
  proto::InnerProductParameter& param = *layer.mutable_inner_product_param();
  if (old.has_num_output()) param.set_num_output(old.num_output());
  if (old.has_biasterm()) param.set_bias_term(old.biasterm());
}

void SetLrn(const V0LayerParameter& old, LayerParameter& layer) {
  proto::LRNParameter& param = *layer.mutable_lrn_param();
  if (old.has_local_size()) param.set_local_size(old.local_size());
  if (old.has_alpha()) param.set_alpha(old.alpha());
  if (old.has_beta()) param.set_beta(old.beta());
  if (old.has_k()) param.set_k(old.k());
}

}  // namespace

std::string_view UpgradedV0Type(std::string_view v0_type) {
  const auto* const found =
      std::ranges::find(kTypes, v0_type, [](const auto& pair) { return pair.first; });
  return found == kTypes.end() ? std::string_view() : found->second;
}

StatusOr<LayerParameter> UpgradeV0(const V0LayerParameter& old) {
  LayerParameter layer;
  layer.set_name(old.name());
  const std::string_view type = UpgradedV0Type(old.type());
  if (type.empty()) return InvalidInput("there is no layer type {}", Quoted(old.type()));
  layer.set_type(std::string(type));
  if (type == "Convolution") SetConvolution(old, layer);
  if (type == "Pooling") SetPooling(old, layer);
  if (type == "InnerProduct") SetInnerProduct(old, layer);
  if (type == "LRN") SetLrn(old, layer);
  if (type == "Dropout" && old.has_dropout_ratio()) {
    layer.mutable_dropout_param()->set_dropout_ratio(old.dropout_ratio());
  }
  if (type == "Concat" && old.has_concat_dim()) {
    layer.mutable_concat_param()->set_concat_dim(old.concat_dim());
  }
  return layer;
}

Status MergePaddingLayers(proto::NetParameter& net) {
  // Of each blob that a padding layer makes, that layer.
  absl::flat_hash_map<std::string, const proto::V1LayerParameter*> padded;
  for (proto::V1LayerParameter& layer : *net.mutable_layers()) {
    const std::string& type = layer.layer().type();
    for (std::string& bottom : *layer.mutable_bottom()) {
      const auto padding = padded.find(bottom);
      if (padding == padded.end()) continue;
      if (type != "conv" && type != "pool") {
        return InvalidInput(
            "layer {}: only convolutions and poolings can read the padding layer {}",
            Quoted(layer.layer().name()), Quoted(padding->second->layer().name()));
      }
      layer.mutable_layer()->set_pad(padding->second->layer().pad());
      bottom = padding->second->bottom(0);
    }
    if (type == "padding") {
      if (layer.bottom_size() != 1 || layer.top_size() != 1) {
        return InvalidInput("layer {}: a padding layer has one bottom and one top",
                            Quoted(layer.layer().name()));
      }
      padded[layer.top(0)] = &layer;
    } else {
      for (const std::string& top : layer.top()) padded.erase(top);
    }
  }
  return OkStatus();
}

}  // namespace lathe::frontends::caffe
