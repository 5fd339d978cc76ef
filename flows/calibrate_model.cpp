#include "lathe/flows/calibrate_model.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

#include "lathe/flows/ada_round_model.h"
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

Status CheckEnoughBatches(const quant::QuantSettings& settings,
                          const frontends::BatchSource& data) {
  const auto wanted = static_cast<size_t>(settings.batch_num);
  if (data.num_batches() < wanted) {
    return WithContext(InvalidInput("the configuration asks for {} batches, the data has {}",
                                    wanted, data.num_batches()),
                       ErrorContext::kHint, "give more data or lower batch_num");
  }
  return OkStatus();
}

StatusOr<CalibratedModel> CalibrateModel(std::unique_ptr<ir::Model> model,
                                         const quant::QuantSettings& settings, eval::Engine& engine,
                                         const frontends::BatchSource& data,
                                         const RunControl& control, const BalanceRecord* balance) {
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(settings, data));
  CalibratedModel result;
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  if (FindBalancedLayer(settings) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(result.record,
                           balance != nullptr
                               ? SelectBalance(*balance, settings, *model)
                               : MeasureBalance(*model, settings, engine, data, control));
  }
  std::unique_ptr<ir::Model> observed = model->Clone();
  quant::QuantSettings shared = settings;
  passes::Resources resources;
  resources.Provide(&shared);
  resources.Provide(&result.record);
  resources.Provide(&result.report);
  // Marks come from the settings: the record is still being filled.
  passes::Resources marking;
  marking.Provide(&shared);
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kMarkingPipeline, marking).status());
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kBalancingPipeline, resources).status());
  const std::unique_ptr<ir::Model> balanced = observed->Clone();
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kCalibrationPipeline, resources).status());
  // The runtime makes copies of its own: rounded weights would be another one.
  LATHE_RETURN_IF_ERROR(SpillWeights(*observed));
  LATHE_ASSIGN_OR_RETURN(
      const std::vector<RoundedWeight> rounded,
      AdaRoundModel(*observed, *balanced, *model, settings, result.record, engine, data, control));
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kObservingPipeline, resources).status());
  LATHE_RETURN_IF_ERROR(
      Calibrate(*observed, shared, engine, data, control, result.record, result.report));
  if (settings.joint_quant) {
    LATHE_ASSIGN_OR_RETURN(result.notes, JoinLayers(*observed, settings.batch_num, engine, data,
                                                    control, result.record));
  }
  if (result.record.entries.empty()) {
    return WithContext(InvalidInput("no layer is left to quantise: {} ({})",
                                    result.report.left_float.front().layer,
                                    result.report.left_float.front().reason),
                       ErrorContext::kHint, "check the calibration data");
  }
  SortEntries(result.record, settings);
  // Layers that lost their entry stay as they were.
  LATHE_RETURN_IF_ERROR(RunPasses(*model, passes::kBalancingPipeline, resources).status());
  SetRoundedWeights(*model, rounded, result.record);
  result.fused = std::move(model);
  return result;
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
