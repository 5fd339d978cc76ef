#include "lathe/passes/quant/joint_groups.h"

#include <optional>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/quant/quant_point.h"

namespace lathe::passes {
namespace {

using quant::LayerType;

bool IsConvolution(LayerType type) {
  return type != LayerType::kLinear && type != LayerType::kAvgPool2d && type != LayerType::kLstm &&
         type != LayerType::kGru;
}

// The accelerator shifts 8-bit layers only (the ONNX flavour's reference, 2.6).
bool HasJointWidths(const quant::LayerRecord& entry) {
  const auto bits = quant::ResolveRecordBits(entry);
  return bits.ok() && bits->activation == 8 && bits->weight != 4;
}

class Finder {
 public:
  Finder(const ir::Model& model, const quant::Record& record) : record_(record) {
    for (const QuantLayer& layer : MarkedLayers(model)) {
      const quant::LayerRecord* entry = record.Find(layer.name);
      const bool shifts = IsConvolution(layer.type) || layer.type == LayerType::kLinear;
      if (entry != nullptr && shifts && HasJointWidths(*entry)) {
        layers_.emplace(layer.result(), layer);
      }
    }
  }

  std::optional<JointGroup> Inspect(ir::Node& add) const {
    if (!add.Is("Add") || add.num_inputs() != 2 || !FeedsQuantised(*add.output())) {
      return std::nullopt;
    }
    const QuantLayer* first = LayerBehind(add.input(0));
    const QuantLayer* second = LayerBehind(add.input(1));
    if (first == nullptr || second == nullptr || !CanBeJoined(*first, *second)) {
      return std::nullopt;
    }
    return JointGroup{&add, {*first, *second}};
  }

 private:
  // The layer whose result reaches the Add alone, through at most one Relu.
  const QuantLayer* LayerBehind(const ir::Value* value) const {
    if (value == nullptr || !value->has_one_use()) return nullptr;
    if (const ir::Node* relu = value->producer(); relu != nullptr && relu->Is("Relu")) {
      value = relu->input(0);
      if (value == nullptr || !value->has_one_use()) return nullptr;
    }
    const auto found = layers_.find(value);
    return found == layers_.end() ? nullptr : &found->second;
  }

  static bool CanBeJoined(const QuantLayer& a, const QuantLayer& b) {
    if (IsConvolution(a.type) != IsConvolution(b.type)) return false;
    return !IsConvolution(a.type) || a.channels == b.channels;
  }

  bool FeedsQuantised(const ir::Value& sum) const {
    const ir::Value* value = &sum;
    if (value->has_one_use() && !value->first_use()->user()->is_return() &&
        value->first_use()->user()->Is("Relu")) {
      value = value->first_use()->user()->output();
    }
    bool quantised = false;
    for (const ir::Use& use : value->uses()) {
      const auto point = FindQuantPoint(use);
      if (point && record_.Find(point->layer) != nullptr) {
        quantised = true;
      } else if (use.user()->is_return() || !use.user()->Is("Add")) {
        return false;
      }
    }
    return quantised;
  }

  const quant::Record& record_;
  // By what they compute; only looked up.
  absl::flat_hash_map<const ir::Value*, QuantLayer> layers_;
};

}  // namespace

std::vector<JointGroup> FindJointGroups(const ir::Model& model, const quant::Record& record) {
  const Finder finder(model, record);
  std::vector<JointGroup> groups;
  for (ir::Node& node : model.graph().nodes()) {
    if (auto group = finder.Inspect(node)) groups.push_back(*std::move(group));
  }
  return groups;
}

}  // namespace lathe::passes
