#include "lathe/frontends/caffe/internal/choose_layers.h"

#include <algorithm>
#include <array>

namespace lathe::frontends::caffe {
namespace {

bool Meets(const proto::NetState& state, const proto::NetStateRule& rule) {
  const auto in_stage = [&](const std::string& stage) {
    return std::ranges::find(state.stage(), stage) != state.stage().end();
  };
  if (rule.has_phase() && rule.phase() != proto::TEST) return false;
  if (rule.has_min_level() && state.level() < rule.min_level()) return false;
  if (rule.has_max_level() && state.level() > rule.max_level()) return false;
  return std::ranges::all_of(rule.stage(), in_stage) &&
         std::ranges::none_of(rule.not_stage(), in_stage);
}

bool IsChosen(const proto::NetState& state, const proto::LayerParameter& layer) {
  const auto meets = [&](const proto::NetStateRule& rule) { return Meets(state, rule); };
  if (layer.include_size() > 0) return std::ranges::any_of(layer.include(), meets);
  return std::ranges::none_of(layer.exclude(), meets);
}

}  // namespace

Status ChooseLayers(Net& net) {
  std::vector<NetLayer> chosen;
  for (NetLayer& layer : net.layers) {
    if (layer.param.include_size() > 0 && layer.param.exclude_size() > 0) {
      return InvalidInput("{}: the layer has both include and exclude rules", PlaceOf(layer));
    }
    if (IsChosen(net.state, layer.param)) chosen.push_back(std::move(layer));
  }
  net.layers = std::move(chosen);
  return OkStatus();
}

bool IsTrainingOnly(std::string_view type) {
  constexpr std::array<std::string_view, 4> kTypes = {"Accuracy", "DetectionEvaluate", "HDF5Output",
                                                      "SoftmaxWithLoss"};
  return type.ends_with("Loss") || std::ranges::find(kTypes, type) != kTypes.end();
}

bool IsDataLayer(std::string_view type) {
  constexpr std::array<std::string_view, 8> kTypes = {"AnnotatedData", "Data",      "HDF5Data",
                                                      "ImageData",     "Input",     "MemoryData",
                                                      "VideoData",     "WindowData"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

bool IsIdentity(const proto::LayerParameter& layer) {
  if (layer.type() == "Split") return true;
  return layer.type() == "Dropout" && layer.dropout_param().scale_train();
}

}  // namespace lathe::frontends::caffe
