#include "lathe/flows/high_effort.h"

#include <algorithm>
#include <cmath>

#include "lathe/flows/range_search.h"
#include "lathe/flows/round_weights.h"
#include "lathe/flows/run_passes.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/quant/affine.h"

namespace lathe::flows {
namespace {

// Any number that the settings allow: the factors are given.
constexpr double kSomeStrength = 0.5;

// The settings and the factors that make CalibrateModel balance as the search chose.
BalanceRecord BalanceAsChosen(const std::vector<LayerRange>& ranges,
                              quant::QuantSettings& settings) {
  BalanceRecord balance;
  for (quant::LayerSettings& layer : settings.layers) layer.dmq_balancer_param.reset();
  for (const LayerRange& range : ranges) {
    if (range.choice.factors.empty()) continue;
    const auto layer = std::ranges::find(settings.layers, range.layer, &quant::LayerSettings::name);
    layer->dmq_balancer_param = kSomeStrength;
    quant::RecordEntry& entry = balance.record.entries.emplace_back();
    entry.key = range.layer;
    entry.value.emplace().tensor_balance_factor = range.choice.factors;
  }
  return balance;
}

Status SetRanges(const std::vector<LayerRange>& ranges, bool force_fp16_quant,
                 quant::Record& record) {
  for (const LayerRange& range : ranges) {
    const auto entry = std::ranges::find(record.entries, range.layer, &quant::RecordEntry::key);
    if (entry == record.entries.end()) continue;
    quant::AffineParams params = range.choice.params;
    if (force_fp16_quant) {
      LATHE_ASSIGN_OR_RETURN(params.scale, quant::RoundToFp16Precision(params.scale));
    }
    entry->value->scale_d = params.scale;
    entry->value->offset_d = params.offset;
  }
  return OkStatus();
}

}  // namespace

Status CheckHighEffort(const quant::QuantSettings& settings, const RunControl& control) {
  if (settings.joint_quant) {
    return InvalidInput("joint_quant is not done with high effort: leave out one of the two");
  }
  if (control.max_memory != 0) {
    return InvalidInput(
        "a memory limit cannot be promised with high effort: leave out one of the "
        "two");
  }
  return OkStatus();
}

StatusOr<CalibratedModel> CalibrateWithHighEffort(std::unique_ptr<ir::Model> model,
                                                  const quant::QuantSettings& settings,
                                                  eval::Engine& engine,
                                                  const frontends::BatchSource& data,
                                                  const RunControl& control,
                                                  std::vector<LayerEffort>& efforts) {
  const std::unique_ptr<ir::Model> fused = model->Clone();
  LATHE_RETURN_IF_ERROR(
      RunPasses(*fused, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  LATHE_ASSIGN_OR_RETURN(const std::vector<LayerRange> ranges,
                         SearchRanges(*fused, settings, engine, data, control));
  quant::QuantSettings chosen = settings;
  const BalanceRecord balance = BalanceAsChosen(ranges, chosen);
  LATHE_ASSIGN_OR_RETURN(CalibratedModel calibrated,
                         CalibrateModel(std::move(model), chosen, engine, data, control,
                                        balance.record.entries.empty() ? nullptr : &balance));
  LATHE_RETURN_IF_ERROR(SetRanges(ranges, settings.force_fp16_quant, calibrated.record));
  LATHE_ASSIGN_OR_RETURN(const std::vector<std::string> rounded,
                         RoundWeights(calibrated, *fused, chosen, engine, data, control));
  for (const quant::RecordEntry& entry : calibrated.record.entries) {
    LayerEffort& effort = efforts.emplace_back();
    effort.layer = *entry.key;
    const auto range = std::ranges::find(ranges, effort.layer, &LayerRange::layer);
    if (range != ranges.end()) {
      effort.searched = true;
      effort.strength = range->choice.strength;
      effort.widening = range->choice.widening;
      if (range->choice.error > 0) {
        effort.gain_db = 10 * std::log10(range->choice.plain_error / range->choice.error);
      }
    }
    effort.rounded = std::ranges::find(rounded, effort.layer) != rounded.end();
  }
  return calibrated;
}

}  // namespace lathe::flows
