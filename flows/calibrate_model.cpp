#include "lathe/flows/calibrate_model.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

#include "lathe/flows/ada_round_model.h"
#include "lathe/flows/batch_count.h"
#include "lathe/flows/join_layers.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/spill_weights.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"

namespace lathe::flows {
namespace {

// In the order of the settings, which is that of the graph, inputs on their own last; balanced
// layers got theirs first.
void SortEntries(quant::Record& record, const quant::QuantSettings& settings) {
  absl::flat_hash_map<std::string_view, size_t> places;
  for (const quant::LayerSettings& layer : settings.layers) {
    places.emplace(layer.name, places.size());
  }
  for (const quant::TensorSettings& tensor : settings.tensors) {
    places.emplace(tensor.key, places.size());
  }
  std::ranges::sort(record.entries, {}, [&](const auto& entry) { return places.at(*entry.key); });
}

// Layers without an entry stay as they were.
void SetRoundedWeights(ir::Model& model, const std::vector<RoundedWeight>& weights,
                       const quant::Record& record) {
  ir::Rewriter rewriter(model);
  for (const passes::QuantLayer& layer : passes::ScanLayers(model).layers) {
    const auto found = std::ranges::find(weights, layer.name, &RoundedWeight::layer);
    if (found == weights.end() || record.Find(layer.name) == nullptr) continue;
    passes::SetConstantInput(rewriter, *layer.node, layer.weight->index(), found->weight);
  }
}

}  // namespace

StatusOr<CalibratedWeights> CalibrateWeights(
    std::unique_ptr<ir::Model> model, const quant::QuantSettings& settings, eval::Engine& engine,
    const frontends::BatchSource& data, const RunControl& control, const BalanceRecord* balance) {
  CalibratedWeights result;
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  if (FindBalancedLayer(settings) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(result.record,
                           balance != nullptr
                               ? SelectBalance(*balance, settings, *model)
                               : MeasureBalance(*model, settings, engine, data, control));
  }
  result.observed = model->Clone();
  result.settings = settings;
  passes::Resources resources;
  resources.Provide(&result.settings);
  resources.Provide(&result.record);
  resources.Provide(&result.report);
  // Marks come from the settings: the record is still being filled.
  passes::Resources marking;
  marking.Provide(&result.settings);
  ir::Model& observed = *result.observed;
  LATHE_RETURN_IF_ERROR(RunPasses(observed, passes::kMarkingPipeline, marking).status());
  LATHE_RETURN_IF_ERROR(RunPasses(observed, passes::kBalancingPipeline, resources).status());
  const std::unique_ptr<ir::Model> balanced = observed.Clone();
  LATHE_RETURN_IF_ERROR(RunPasses(observed, passes::kCalibrationPipeline, resources).status());
  // The runtime makes copies of its own: rounded weights would be another one.
  LATHE_RETURN_IF_ERROR(SpillWeights(observed));
  LATHE_ASSIGN_OR_RETURN(result.rounded, AdaRoundModel(observed, *balanced, *model, settings,
                                                       result.record, engine, data, control));
  result.fused = std::move(model);
  return result;
}

StatusOr<CalibratedModel> CalibrateActivations(CalibratedWeights weights, eval::Engine& engine,
                                               const frontends::BatchSource& data,
                                               const RunControl& control) {
  quant::QuantSettings& settings = weights.settings;
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(settings.batch_num, data));
  passes::Resources resources;
  resources.Provide(&settings);
  resources.Provide(&weights.record);
  resources.Provide(&weights.report);
  ir::Model& observed = *weights.observed;
  LATHE_RETURN_IF_ERROR(RunPasses(observed, passes::kObservingPipeline, resources).status());
  LATHE_RETURN_IF_ERROR(
      Calibrate(observed, settings, engine, data, control, weights.record, weights.report));
  std::vector<std::string> notes;
  if (settings.joint_quant) {
    LATHE_ASSIGN_OR_RETURN(
        notes, JoinLayers(observed, settings.batch_num, engine, data, control, weights.record));
  }
  if (weights.record.entries.empty()) {
    const passes::LeftFloat& first = weights.report.left_float.front();
    return WithContext(
        InvalidInput("no layer is left to quantise: {} ({})", first.layer, first.reason),
        ErrorContext::kHint, "check the calibration data");
  }
  SortEntries(weights.record, settings);
  weights.observed.reset();
  LATHE_ASSIGN_OR_RETURN(CalibratedModel result, ApplyWeights(weights));
  result.notes = std::move(notes);
  return result;
}

StatusOr<CalibratedModel> ApplyWeights(const CalibratedWeights& weights) {
  CalibratedModel result;
  result.fused = weights.fused->Clone();
  result.record = weights.record;
  result.report = weights.report;
  quant::QuantSettings settings = weights.settings;
  passes::Resources resources;
  resources.Provide(&settings);
  resources.Provide(&result.record);
  resources.Provide(&result.report);
  // Layers that lost their entry stay as they were.
  LATHE_RETURN_IF_ERROR(RunPasses(*result.fused, passes::kBalancingPipeline, resources).status());
  SetRoundedWeights(*result.fused, weights.rounded, result.record);
  return result;
}

StatusOr<CalibratedModel> CalibrateModel(std::unique_ptr<ir::Model> model,
                                         const quant::QuantSettings& settings, eval::Engine& engine,
                                         const frontends::BatchSource& data,
                                         const RunControl& control, const BalanceRecord* balance) {
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(settings.batch_num, data));
  LATHE_ASSIGN_OR_RETURN(
      CalibratedWeights weights,
      CalibrateWeights(std::move(model), settings, engine, data, control, balance));
  return CalibrateActivations(std::move(weights), engine, data, control);
}

StatusOr<std::unique_ptr<ir::Model>> MakeModifiedModel(const CalibratedModel& calibrated,
                                                       const quant::QuantSettings& settings) {
  std::unique_ptr<ir::Model> model = calibrated.fused->Clone();
  quant::QuantSettings kept = settings;
  std::erase_if(kept.layers, [&](const quant::LayerSettings& layer) {
    return calibrated.record.Find(layer.name) == nullptr;
  });
  kept.tensors.clear();
  // Known scales: the weights of ada layers are final.
  quant::Record scratch = calibrated.record;
  passes::QuantReport report;
  passes::Resources marking;
  marking.Provide(&kept);
  LATHE_RETURN_IF_ERROR(RunPasses(*model, passes::kMarkingPipeline, marking).status());
  passes::Resources resources;
  resources.Provide(&kept);
  resources.Provide(&scratch);
  resources.Provide(&report);
  LATHE_RETURN_IF_ERROR(RunPasses(*model, passes::kModifiedPipeline, resources).status());
  return model;
}

}  // namespace lathe::flows
