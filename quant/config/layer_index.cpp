#include "lathe/quant/config/layer_index.h"

#include <algorithm>
#include <array>

#include <absl/container/flat_hash_set.h>
#include <fmt/ranges.h>

#include "lathe/quant/config/layer_rules.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

// The ONNX operators that types may be named by. LSTM and GRU are LayerTypes of the same name.
constexpr std::array<std::string_view, 5> kOperators = {"Conv", "ConvTranspose", "Gemm", "MatMul",
                                                        "AveragePool"};

}  // namespace

StatusOr<LayerIndex> LayerIndex::Create(const NetworkDescription& network) {
  LayerIndex index(network);
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const std::string& name = network.layers[i].name;
    if (!index.layers_.emplace(name, i).second) {
      return InvalidInput("two layers are named {}: rename one, so that rules can tell them apart",
                          Quoted(name));
    }
  }
  for (size_t i = 0; i < network.others.size(); ++i) {
    index.others_.emplace(network.others[i].name, i);
  }
  return index;
}

const OtherNode* LayerIndex::FindOther(std::string_view name) const {
  const auto other = others_.find(name);
  return other == others_.end() ? nullptr : &network_->others[other->second];
}

Status LayerIndex::UnknownName(std::string_view where, std::string_view name) const {
  std::vector<std::string_view> names;
  for (const LayerDescription& layer : network_->layers) names.push_back(layer.name);
  return UnknownLayer(where, name, names);
}

StatusOr<size_t> LayerIndex::Find(std::string_view where, std::string_view name) const {
  if (const auto layer = layers_.find(name); layer != layers_.end()) return layer->second;
  if (const OtherNode* other = FindOther(name)) return CannotQuantise(where, *other);
  return UnknownName(where, name);
}

StatusOr<std::vector<size_t>> LayerIndex::FindTypeIfAny(std::string_view where,
                                                        std::string_view name) const {
  const std::optional<LayerType> type = ParseLayerType(name);
  if (!type.has_value() && std::ranges::find(kOperators, name) == kOperators.end()) {
    std::vector<std::string_view> names;
    std::string list;
    for (const LayerType known : AllLayerTypes()) {
      names.push_back(ToString(known));
      list += (list.empty() ? "" : ", ") + std::string(ToString(known));
    }
    std::string hint = DidYouMean(name, names);
    if (hint.empty()) hint = DidYouMean(name, kOperators);
    if (hint.empty()) {
      hint = fmt::format("types are {}, or operators: {}", list, fmt::join(kOperators, ", "));
    }
    return WithContext(
        InvalidInput("{}: {} is not a layer type that can be quantised", where, Quoted(name)),
        ErrorContext::kHint, hint);
  }
  std::vector<size_t> positions;
  const LayerDescription* on_request = nullptr;
  for (size_t i = 0; i < network_->layers.size(); ++i) {
    const LayerDescription& layer = network_->layers[i];
    if (type.has_value() ? layer.type != *type : layer.op != name) continue;
    if (layer.on_request.empty()) {
      positions.push_back(i);
    } else if (on_request == nullptr) {
      on_request = &layer;
    }
  }
  if (!positions.empty()) return positions;
  if (on_request != nullptr) {
    return InvalidInput("{}: no layer of type {} is quantised without being named; {}: {}", where,
                        name, Quoted(on_request->name), on_request->on_request);
  }
  for (const OtherNode& other : network_->others) {
    if (other.type == name) {
      return InvalidInput("{}: no layer of type {} can be quantised; {}: {}", where, name,
                          Quoted(other.name), other.reason);
    }
  }
  return positions;
}

StatusOr<std::vector<size_t>> LayerIndex::FindType(std::string_view where,
                                                   std::string_view name) const {
  LATHE_ASSIGN_OR_RETURN(std::vector<size_t> positions, FindTypeIfAny(where, name));
  if (positions.empty()) {
    return InvalidInput("{}: the model has no layer of type {}", where, name);
  }
  return positions;
}

Status LayerIndex::CheckSkipFusion(const std::vector<std::string>& names) const {
  constexpr std::string_view kWhere = "skip_fusion_layers";
  LATHE_RETURN_IF_ERROR(CheckUnique(kWhere, names));
  for (const std::string& name : names) {
    std::optional<LayerType> type;
    std::string type_name;
    if (const auto layer = layers_.find(name); layer != layers_.end()) {
      type = network_->layers[layer->second].type;
      type_name = ToString(*type);
    } else if (const OtherNode* other = FindOther(name)) {
      type = ParseLayerType(other->type);
      type_name = other->type;
    } else {
      return UnknownName(kWhere, name);
    }
    if (!type.has_value() || !IsFusible(*type)) {
      return InvalidInput(
          "{}: {} is of type {}; only Conv1d, Conv2d and Conv3d are fused with BatchNormalization",
          kWhere, Quoted(name), type_name);
    }
  }
  return OkStatus();
}

Status UnknownLayer(std::string_view where, std::string_view name,
                    const std::vector<std::string_view>& names) {
  Status status = InvalidInput("{}: the model has no layer {}", where, Quoted(name));
  const std::string hint = DidYouMean(name, names);
  return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
}

Status CannotQuantise(std::string_view where, const OtherNode& node) {
  return InvalidInput("{}: {} of type {} cannot be quantised: {}", where, Quoted(node.name),
                      node.type, node.reason);
}

Status CheckUnique(std::string_view where, const std::vector<std::string>& names) {
  absl::flat_hash_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      return InvalidInput("{}: {} is there twice", where, Quoted(name));
    }
  }
  return OkStatus();
}

}  // namespace lathe::quant
