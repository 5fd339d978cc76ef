#include "lathe/flows/retrain_shifts.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/flows/run_passes.h"
#include "lathe/flows/save_model.h"
#include "lathe/flows/search_shifts.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/joint_groups.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

// Why a layer is not shifted; empty: it can be.
std::string_view WhyNotShifted(const passes::RetrainLayer& layer, const ir::Model& model) {
  if (layer.layer.is_recurrent()) return "LSTM and GRU are not";
  if (layer.settings.activation_bits != 8) return "its activations do not have 8 bits";
  if (layer.settings.weight_bits == 4) return "its weights have 4 bits";
  if (layer.layer.node->graph() != &model.graph()) return "it stands in a body";
  return "";
}

// A record of these layers for passes that only look which there are and how wide they are.
quant::Record OutlineOf(const std::vector<passes::RetrainLayer>& layers) {
  quant::Record record;
  for (const passes::RetrainLayer& layer : layers) {
    quant::LayerRecord entry;
    entry.scale_d = 1.0f;
    entry.offset_d = 0;
    entry.scale_w = {1.0f};
    entry.offset_w = {0};
    entry.act_type = fmt::format("INT{}", layer.settings.activation_bits);
    entry.wts_type = fmt::format("INT{}", layer.settings.weight_bits);
    record.entries.push_back({layer.layer.name, std::move(entry), std::nullopt});
  }
  return record;
}

quant::LayerRecord& EntryOf(quant::Record& record, const std::string& layer) {
  return *std::ranges::find(record.entries, layer, &quant::RecordEntry::key)->value;
}

std::string NamesOf(const passes::SearchNGroup& group) {
  std::string names = Quoted(group[0]);
  for (size_t i = 1; i < group.size(); ++i) names += " and " + Quoted(group[i]);
  return names;
}

// The convolutions with results of one value a channel.
StatusOr<absl::flat_hash_set<std::string>> GlobalConvolutions(const ir::Model& fused) {
  const std::unique_ptr<ir::Model> typed = fused.Clone();
  LATHE_RETURN_IF_ERROR(RunPasses(*typed, "infer-shapes").status());
  absl::flat_hash_set<std::string> names;
  for (const passes::QuantLayer& layer : passes::ScanLayers(*typed).layers) {
    if (!layer.node->Is("Conv") && !layer.node->Is("ConvTranspose")) continue;
    const ir::Type& type = layer.result()->type();
    if (type.rank() < 3) continue;
    const auto one = [](const ir::Dim& dim) { return dim.is_known() && dim.extent() == 1; };
    if (std::all_of(type.shape->begin() + 2, type.shape->end(), one)) names.insert(layer.name);
  }
  return names;
}

void TakeLargestScale(quant::LayerRecord& entry) {
  float largest = 0;
  for (const float scale : entry.scale_w) {
    largest = std::max(largest, quant::DequantScale(scale, *entry.scale_d));
  }
  std::ranges::fill(entry.scale_w, largest / *entry.scale_d);
}

// What each layer computes in the fake-quant model.
absl::flat_hash_map<std::string, const ir::Value*> ResultsOf(const ir::Model& model) {
  constexpr std::string_view kSuffix = ".fakedequant.mul";
  absl::flat_hash_map<std::string, const ir::Value*> results;
  for (const ir::Node& node : model.graph().nodes()) {
    const std::string_view name = node.name_text();
    if (!name.ends_with(kSuffix)) continue;
    results.emplace(name.substr(0, name.size() - kSuffix.size()), node.output());
  }
  return results;
}

}  // namespace

StatusOr<SearchNPlan> PlanSearchN(const ir::Model& model,
                                  const std::vector<passes::RetrainLayer>& layers) {
  const std::unique_ptr<ir::Model> marked = model.Clone();
  LATHE_RETURN_IF_ERROR(
      RunPasses(*marked, passes::FusionPipeline(/*do_fusion=*/true, {})).status());
  quant::Record outline = OutlineOf(layers);
  passes::Resources resources;
  resources.Provide(&outline);
  LATHE_RETURN_IF_ERROR(RunPasses(*marked, passes::kMarkingPipeline, resources).status());

  SearchNPlan plan;
  absl::flat_hash_map<std::string, std::string> partners;
  for (const passes::JointGroup& group : passes::FindJointGroups(*marked, outline)) {
    partners.emplace(group.layers[0].name, group.layers[1].name);
    partners.emplace(group.layers[1].name, group.layers[0].name);
  }
  absl::flat_hash_set<std::string> done;
  for (const passes::RetrainLayer& layer : layers) {
    const std::string& name = layer.layer.name;
    if (const std::string_view reason = WhyNotShifted(layer, model); !reason.empty()) {
      plan.notes.push_back(
          fmt::format("searchN: layer {} is not shifted: {}", Quoted(name), reason));
      continue;
    }
    if (!done.insert(name).second) continue;
    passes::SearchNGroup& group = plan.groups.emplace_back(passes::SearchNGroup{name});
    const auto partner = partners.find(name);
    if (partner == partners.end()) continue;
    done.insert(partner->second);
    group.push_back(partner->second);
    plan.notes.push_back(fmt::format("searchN: {} share one searchN layer", NamesOf(group)));
  }
  return plan;
}

StatusOr<std::vector<std::string>> SearchRetrainShifts(
    const ir::Model& fused, const SearchNPlan& plan, quant::SearchNVersion version,
    int64_t batch_num, eval::Engine& engine, const frontends::BatchSource& data,
    const RunControl& control, quant::Record& record) {
  std::vector<std::string> notes = plan.notes;
  LATHE_ASSIGN_OR_RETURN(const auto global, GlobalConvolutions(fused));
  std::vector<ShiftGroup> groups;
  for (const passes::SearchNGroup& names : plan.groups) {
    if (names.size() > 1 && !ShareScales(names, record)) {
      notes.push_back(
          fmt::format("searchN: {} are not shifted: their scales have no common "
                      "product in float32",
                      NamesOf(names)));
      continue;
    }
    ShiftGroup& group = groups.emplace_back();
    for (const std::string& name : names) group.layers.push_back({name, nullptr});
    group.one_shift = record.Find(names[0])->scale_w.size() > 1 &&
                      std::ranges::all_of(names, [&](const auto& n) { return global.contains(n); });
    if (!group.one_shift || version != quant::SearchNVersion::kV1) continue;
    for (const std::string& name : names) TakeLargestScale(EntryOf(record, name));
    // The quotients of two layers need not give one product.
    if (names.size() > 1 && !ShareScales(names, record)) {
      return InternalError("{}: scales without a common product", NamesOf(names));
    }
  }
  if (groups.empty()) {
    notes.emplace_back("searchN: no trained layer can be shifted");
    return notes;
  }
  LATHE_ASSIGN_OR_RETURN(const SavedModels models, LowerModel(fused.Clone(), record));
  const auto results = ResultsOf(*models.fake_quant);
  for (ShiftGroup& group : groups) {
    for (ShiftGroup::Layer& layer : group.layers) {
      const auto found = results.find(layer.name);
      if (found == results.end()) return InternalError("{} has no result", Quoted(layer.name));
      layer.result = found->second;
    }
  }
  LATHE_RETURN_IF_ERROR(
      SearchShifts(*models.fake_quant, groups, version, batch_num, engine, data, control, record));
  return notes;
}

}  // namespace lathe::flows
