#include <array>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "lathe/frontends/caffe/internal/upgrade.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

namespace proto = LatheCaffe;
using google::protobuf::FieldDescriptor;

constexpr std::array<std::string_view, 40> kTypes = {
    "",
    "Accuracy",
    "BNLL",
    "Concat",
    "Convolution",
    "Data",
    "Dropout",
    "EuclideanLoss",
    "Flatten",
    "HDF5Data",
    "HDF5Output",
    "Im2col",
    "ImageData",
    "InfogainLoss",
    "InnerProduct",
    "LRN",
    "MultinomialLogisticLoss",
    "Pooling",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxWithLoss",
    "Split",
    "TanH",
    "WindowData",
    "Eltwise",
    "Power",
    "SigmoidCrossEntropyLoss",
    "HingeLoss",
    "MemoryData",
    "ArgMax",
    "Threshold",
    "DummyData",
    "Slice",
    "MVN",
    "AbsVal",
    "Silence",
    "ContrastiveLoss",
    "Exp",
    "Deconvolution",
};

// Parameters have the same names and types in both forms; only their numbers differ.
void CopyParameters(const proto::V1LayerParameter& old, proto::LayerParameter& layer) {
  const google::protobuf::Reflection& from = *old.GetReflection();
  const google::protobuf::Reflection& to = *layer.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  from.ListFields(old, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || !field->name().ends_with("_param")) continue;
    const FieldDescriptor* target = layer.GetDescriptor()->FindFieldByName(field->name());
    to.MutableMessage(&layer, target)->CopyFrom(from.GetMessage(old, field));
  }
}

void CopyParamSpecs(const proto::V1LayerParameter& old, proto::LayerParameter& layer) {
  for (const std::string& name : old.param()) layer.add_param()->set_name(name);
  for (int i = 0; i < old.blob_share_mode_size(); ++i) {
    while (layer.param_size() <= i) layer.add_param();
    layer.mutable_param(i)->set_share_mode(
        old.blob_share_mode(i) == proto::V1LayerParameter::PERMISSIVE ? proto::ParamSpec::PERMISSIVE
                                                                      : proto::ParamSpec::STRICT);
  }
}

}  // namespace

std::string_view UpgradedType(int v1_type) {
  if (v1_type == proto::V1LayerParameter::QUANT) return "Quant";
  if (v1_type == proto::V1LayerParameter::DEQUANT) return "DeQuant";
  if (v1_type < 0 || v1_type >= static_cast<int>(kTypes.size())) return "";
  return kTypes[static_cast<size_t>(v1_type)];
}

StatusOr<proto::LayerParameter> Upgrade(const proto::V1LayerParameter& old, int line) {
  proto::LayerParameter layer;
  if (old.has_layer()) {
    auto upgraded = UpgradeV0(old.layer());
    if (!upgraded.ok()) {
      return AtPlace(upgraded.status(),
                     fmt::format("line {}, layer {}", line, Quoted(old.layer().name())));
    }
    layer = *std::move(upgraded);
  } else {
    layer.set_name(old.name());
    layer.set_type(std::string(UpgradedType(old.type())));
    CopyParameters(old, layer);
  }
  *layer.mutable_bottom() = old.bottom();
  *layer.mutable_top() = old.top();
  *layer.mutable_include() = old.include();
  *layer.mutable_exclude() = old.exclude();
  CopyParamSpecs(old, layer);
  return layer;
}

}  // namespace lathe::frontends::caffe
