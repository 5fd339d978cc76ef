#include "lathe/flows/sparsify.h"

#include <algorithm>
#include <map>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/flows/run_passes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/pipelines/sparsity.h"
#include "lathe/passes/sparsity/prune_plan.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

using passes::SparseLayer;
using quant::SelectivePruneConfig;

constexpr std::string_view kInferShapes = "infer-shapes{list=false}";
constexpr std::string_view kCut = "infer-shapes{list=false},prune-channels";

Status RunOnRecord(ir::Model& model, std::string_view pipeline, quant::Record& record) {
  passes::Resources resources;
  resources.Provide(&record);
  return RunPasses(model, pipeline, resources, {std::string(passes::facts::kChannelsPruned)})
      .status();
}

// Of the layers whose single weights are pruned.
std::map<std::string, SelectivePruneConfig, std::less<>> SelectiveLayers(
    const quant::PruneSettings& settings) {
  std::map<std::string, SelectivePruneConfig, std::less<>> result;
  for (const quant::PruneLayerSettings& layer : settings.layers) {
    const auto* selective = std::get_if<SelectivePruneConfig>(&layer.method);
    if (selective != nullptr) result.emplace(layer.name, *selective);
  }
  return result;
}

}  // namespace

StatusOr<SparsityReport> SparsifyAsConfigured(ir::Model& model,
                                              const quant::PruneSettings& settings,
                                              passes::PruneReach reach, quant::Record& record) {
  SparsityReport report;
  if (settings.has_filters()) {
    LATHE_RETURN_IF_ERROR(RunPasses(model, kInferShapes).status());
    LATHE_ASSIGN_OR_RETURN(passes::PrunePlan plan, passes::PlanPruning(model, settings, reach));
    record.prune_records = std::move(plan.records);
    report.groups = record.prune_records.size();
    report.channels = plan.channels;
    report.pruned = plan.pruned;
    for (const auto& [layer, reason] : plan.left) {
      report.left.push_back(fmt::format("{} keeps its channels: {}", layer, reason));
    }
    LATHE_RETURN_IF_ERROR(RunOnRecord(model, "prune-channels", record));
  }
  const passes::LayerScan scan = passes::ScanLayers(model);
  absl::flat_hash_map<std::string_view, const passes::QuantLayer*> layers;
  for (const passes::QuantLayer& layer : scan.layers) layers.emplace(layer.name, &layer);
  for (const quant::PruneLayerSettings& layer : settings.layers) {
    const auto* selective = std::get_if<SelectivePruneConfig>(&layer.method);
    if (selective == nullptr) continue;
    LATHE_ASSIGN_OR_RETURN(const quant::SelectiveMask mask,
                           passes::MakeSelectiveMask(*layers.at(layer.name), *selective));
    record.prune_records.push_back({{}, {}, quant::MakeSelectiveNode(mask)});
    ++report.masked_layers;
  }
  return report;
}

StatusOr<SparsityReport> SparsifyAsRecorded(ir::Model& model, const quant::Record& record) {
  SparsityReport report;
  for (const quant::PruneRecord& prune : record.prune_records) {
    if (prune.selective_prune.has_value()) ++report.masked_layers;
    if (prune.producers.empty()) continue;
    ++report.groups;
    for (const quant::PruneNode& producer : prune.producers) {
      const auto slot = quant::ReadPruneSlot(producer);
      // What cannot be read is the pass's to refuse.
      if (!slot.ok()) continue;
      report.channels += slot->end - slot->begin;
      report.pruned += static_cast<int64_t>(slot->prune_index.size());
    }
  }
  quant::Record shared = record;
  LATHE_RETURN_IF_ERROR(RunOnRecord(model, kCut, shared));
  return report;
}

StatusOr<std::vector<SparseLayer>> FindRecordedMasks(const ir::Model& model,
                                                     const quant::PruneSettings& settings,
                                                     const quant::Record& record) {
  LATHE_ASSIGN_OR_RETURN(std::vector<SparseLayer> layers, passes::FindSparseLayers(model, record));
  auto wanted = SelectiveLayers(settings);
  for (const SparseLayer& sparse : layers) {
    if (wanted.erase(sparse.layer.name) == 1) continue;
    return InvalidInput(
        "the record has a mask of layer {}, which the configuration does not ask for, or a second "
        "one",
        Quoted(sparse.layer.name));
  }
  if (wanted.empty()) return layers;
  return InvalidInput("the record has no mask of layer {}, which the configuration asks for",
                      Quoted(wanted.begin()->first));
}

StatusOr<std::vector<std::string>> AdoptTrainedMasks(const passes::MasksByLayer& trained,
                                                     const quant::PruneSettings& settings,
                                                     std::vector<SparseLayer>& layers,
                                                     quant::Record& record) {
  std::vector<std::string> notes;
  const auto wanted = SelectiveLayers(settings);
  std::map<std::string, quant::PruneNode, std::less<>> changed;
  for (SparseLayer& sparse : layers) {
    sparse.weight = sparse.layer.weight->value();
    const auto found = trained.find(sparse.layer.name);
    const std::vector<uint8_t>* mask = found == trained.end() ? &sparse.elements : &found->second;
    if (mask->size() != sparse.elements.size()) {
      return InvalidInput("the mask of layer {} has {} elements, its weight {}",
                          Quoted(sparse.layer.name), mask->size(), sparse.elements.size());
    }
    if (*mask != sparse.elements) {
      const SelectivePruneConfig& config = wanted.find(sparse.layer.name)->second;
      LATHE_ASSIGN_OR_RETURN(const quant::SelectiveMask fresh,
                             passes::MakeSelectiveMask(sparse.layer, config));
      if (config.update_freq > 0 && fresh == sparse.mask) continue;
      if (config.update_freq == 0) {
        notes.push_back(
            fmt::format("layer {}: training used another mask than the record's, "
                        "though update_freq is 0; the trained one is used",
                        Quoted(sparse.layer.name)));
      }
      sparse.elements = *mask;
      sparse.mask = passes::MaskInTorch(sparse.layer, *mask);
    }
    changed.emplace(sparse.layer.name, quant::MakeSelectiveNode(sparse.mask));
  }
  for (quant::PruneRecord& prune : record.prune_records) {
    if (!prune.selective_prune.has_value()) continue;
    const auto found = changed.find(prune.selective_prune->name);
    if (found != changed.end()) prune.selective_prune = found->second;
  }
  return notes;
}

Status CheckPatterns(ir::Model& model, const quant::PruneSettings& settings) {
  std::map<std::pair<int64_t, int64_t>, std::vector<std::string>> by_pattern;
  for (const auto& [name, selective] : SelectiveLayers(settings)) {
    by_pattern[{selective.group, selective.pruned}].push_back(name);
  }
  for (const auto& [pattern, names] : by_pattern) {
    LATHE_RETURN_IF_ERROR(
        RunPasses(model, passes::CheckNmPipeline(names, pattern.first, pattern.second)).status());
  }
  return OkStatus();
}

Status ApplyMasks(ir::Model& model, const quant::PruneSettings& settings, quant::Record& record) {
  LATHE_RETURN_IF_ERROR(RunOnRecord(model, "mask-weights", record));
  return CheckPatterns(model, settings);
}

}  // namespace lathe::flows
