#include "lathe/flows/calibrate_model.h"

#include <algorithm>

#include "lathe/flows/run_passes.h"
#include "lathe/passes/pipelines/quantization.h"

namespace lathe::flows {
namespace {

// Layers that this version cannot calibrate are refused before any work.
Status CheckSupported(const quant::QuantSettings& settings) {
  for (const quant::LayerSettings& layer : settings.layers) {
    std::string_view what;
    if (layer.ada) {
      what = "ada_quantize";
    } else if (layer.dmq_balancer_param) {
      what = "dmq_balancer";
    }
    if (what.empty()) continue;
    Status status = WithContext(Unsupported("{} cannot be calibrated by this version", what),
                                ErrorContext::kNode, layer.name);
    return WithContext(std::move(status), ErrorContext::kHint,
                       "leave the layer out with --skip-layer");
  }
  return OkStatus();
}

}  // namespace

StatusOr<CalibratedModel> CalibrateModel(std::unique_ptr<ir::Model> model,
                                         const quant::QuantSettings& settings, eval::Engine& engine,
                                         const frontends::BatchSource& data,
                                         const RunControl& control) {
  LATHE_RETURN_IF_ERROR(CheckSupported(settings));
  const auto wanted = static_cast<size_t>(settings.batch_num);
  if (data.num_batches() < wanted) {
    return WithContext(InvalidInput("the configuration asks for {} batches, the data has {}",
                                    wanted, data.num_batches()),
                       ErrorContext::kHint, "give more data or lower batch_num");
  }
  CalibratedModel result;
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  const std::unique_ptr<ir::Model> observed = model->Clone();
  quant::QuantSettings shared = settings;
  passes::Resources resources;
  resources.Provide(&shared);
  resources.Provide(&result.record);
  resources.Provide(&result.report);
  // Marks come from the settings: the record is still being filled.
  passes::Resources marking;
  marking.Provide(&shared);
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kMarkingPipeline, marking).status());
  LATHE_RETURN_IF_ERROR(RunPasses(*observed, passes::kCalibrationPipeline, resources).status());
  LATHE_RETURN_IF_ERROR(
      Calibrate(*observed, shared, engine, data, control, result.record, result.report));
  if (result.record.entries.empty()) {
    return WithContext(InvalidInput("no layer is left to quantise: {} ({})",
                                    result.report.left_float.front().layer,
                                    result.report.left_float.front().reason),
                       ErrorContext::kHint, "check the calibration data");
  }
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
  quant::Record scratch;
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
