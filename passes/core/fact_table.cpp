#include "lathe/passes/core/fact_table.h"

#include <algorithm>
#include <array>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/core/model_form.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kMetadataKey = "lathe.facts";

template <typename Predicate>
bool AnyNode(const ir::Model& model, Predicate predicate) {
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      if (predicate(node)) return true;
    }
  }
  return false;
}

bool HasUnknownShape(const ir::Value& value) {
  const ir::Type& type = value.type();
  if (type.kind == ir::Type::Kind::kUnknown) return true;
  if (!type.is_tensor()) return false;
  return !type.shape || std::ranges::any_of(*type.shape, [](const ir::Dim& dim) {
    return !dim.is_known() && !dim.is_symbol();
  });
}

// Whether a value has a shape can only be told from inference, so this asks for more than the fact:
// every shape is there.
bool EveryShapeIsKnown(const ir::Model& model) {
  return !AnyNode(model, [](const ir::Node& node) {
    return std::ranges::any_of(node.outputs(), [](const ir::Value* output) {
      return !output->name().empty() && HasUnknownShape(*output);
    });
  });
}

bool IsConvolution(const ir::Node& node) { return node.Is("Conv") || node.Is("ConvTranspose"); }

// A BatchNormalization with constant parameters behind a convolution that feeds nothing else.
bool BelongsIntoConvolution(const ir::Node& node) {
  if (!node.Is("BatchNormalization") || node.input(0) == nullptr) return false;
  const ir::Node* producer = node.input(0)->producer();
  if (producer == nullptr || !IsConvolution(*producer)) return false;
  if (!node.input(0)->has_one_use()) return false;
  for (size_t i = 1; i < node.num_inputs(); ++i) {
    if (node.input(i) == nullptr || !node.input(i)->ConstantTensor()) return false;
  }
  return producer->input(1) != nullptr && static_cast<bool>(producer->input(1)->ConstantTensor());
}

bool NoBatchNormLeft(const ir::Model& model) { return !AnyNode(model, BelongsIntoConvolution); }

// Values that depend on constants only, in one walk in execution order (outer graphs come first).
absl::flat_hash_set<const ir::Value*> ConstantValues(const ir::Model& model) {
  absl::flat_hash_set<const ir::Value*> constant;
  const auto is_constant = [&](const ir::Value* value) {
    if (value == nullptr) return true;
    value = value->Resolve();
    return value->kind() == ir::Value::Kind::kInitializer || constant.contains(value);
  };
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      if (node.has_bodies()) continue;
      if (node.num_inputs() == 0 && !node.Is("Constant")) continue;
      if (!std::ranges::all_of(node.inputs(),
                               [&](const ir::Use& use) { return is_constant(use.value()); })) {
        continue;
      }
      constant.insert(node.outputs().begin(), node.outputs().end());
    }
  }
  return constant;
}

// No weight is computed from constants or shared with another use.
bool WeightsAreFolded(const ir::Model& model) {
  const absl::flat_hash_set<const ir::Value*> computed = ConstantValues(model);
  return !AnyNode(model, [&](const ir::Node& node) {
    if (!IsConvolution(node) && !node.Is("Gemm") && !node.Is("MatMul")) return false;
    const ir::Value* weight = node.input(1);
    if (weight == nullptr) return false;
    weight = weight->Resolve();
    if (weight->kind() == ir::Value::Kind::kInitializer) return !weight->has_one_use();
    return computed.contains(weight);
  });
}

bool HasQuantPoints(const ir::Model& model) {
  return AnyNode(model, [](const ir::Node& node) {
    return std::ranges::any_of(node.operands(),
                               [](const ir::Use& use) { return !use.annotation().empty(); });
  });
}

bool IsLowered(const ir::Model& model) {
  return AnyNode(model, [](const ir::Node& node) {
    return node.Is("AscendQuant") || node.Is("AscendDequant");
  });
}

bool IsModified(const ir::Model& model) {
  return RecognizeForm(model).form == ModelForm::kModified;
}

bool IsFakeQuant(const ir::Model& model) {
  return RecognizeForm(model).form == ModelForm::kFakeQuant;
}

constexpr std::array<FactDescriptor, 11> kFacts = {{
    {facts::kShapesInferred, "every value whose shape can be known has it", EveryShapeIsKnown},
    {facts::kConvBnFused, "no BatchNormalization is left that belongs into a convolution",
     NoBatchNormLeft},
    {facts::kWeightsFolded,
     "weights of quantisable layers are initializers of their own, not shared and not computed",
     WeightsAreFolded},
    {facts::kQuantPointsMarked, "operands to be quantised carry annotations", HasQuantPoints},
    {facts::kCalibrated, "activation and weight factors are known", nullptr},
    {facts::kSearchNInserted, "layers that need one search for N", nullptr},
    {facts::kChannelsPruned, "the channels that a record names are out", nullptr},
    {facts::kSparsityApplied, "pruned channels and masked weights are in place", nullptr},
    {facts::kWeightsRounded,
     "weights hold only values that integers stand for, and their layers say so: a modified model",
     IsModified},
    {facts::kAscendLowered, "AscendQuant, AscendDequant and integer weights are in place",
     IsLowered},
    {facts::kFakeQuantLowered,
     "what AscendQuant and AscendDequant do is written in standard operators: a fake-quant model",
     IsFakeQuant},
}};

}  // namespace

std::span<const FactDescriptor> AllFacts() { return kFacts; }

const FactDescriptor* FindFact(std::string_view name) {
  const auto it = std::ranges::find(kFacts, name, &FactDescriptor::name);
  return it == kFacts.end() ? nullptr : &*it;
}

bool FactHolds(const ir::Model& model, std::string_view fact) {
  const FactDescriptor* descriptor = FindFact(fact);
  if (descriptor != nullptr && descriptor->recognise != nullptr) {
    return descriptor->recognise(model);
  }
  return StoredFacts(model).contains(fact);
}

FactSet StoredFacts(const ir::Model& model) {
  FactSet result;
  for (const auto& [key, text] : model.info().metadata) {
    if (key != kMetadataKey) continue;
    std::string_view rest = text;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(','), rest.size());
      if (end > 0) result.emplace(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return result;
}

void StoreFacts(ir::Rewriter& rewriter, const FactSet& facts) {
  auto& metadata = rewriter.MutableInfo().metadata;
  const auto is_ours = [](const auto& entry) { return entry.first == kMetadataKey; };
  if (facts.empty()) {
    std::erase_if(metadata, is_ours);
    return;
  }
  const std::string text = fmt::format("{}", fmt::join(facts, ","));
  const auto it = std::ranges::find_if(metadata, is_ours);
  if (it != metadata.end()) {
    it->second = text;
  } else {
    metadata.emplace_back(kMetadataKey, text);
  }
}

}  // namespace lathe::passes
