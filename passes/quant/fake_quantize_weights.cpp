#include "lathe/passes/quant/fake_quantize_weights.h"

#include <algorithm>
#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/quant_point.h"
#include "lathe/passes/quant/quant_report.h"
#include "lathe/quant/ada_scale.h"
#include "lathe/quant/arq.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Finds the scales of the weights of marked layers (ARQ: largest magnitude, per channel or per tensor as the
configuration says), writes them into the record, and replaces each weight by the value that its integer
stands for:

    w  ->  clamp(round(w / scale[c])) * scale[c]

so that activations are observed behind the weights they will meet (the reference's 4.1). Weights of
ConvTranspose stay as they are, as in the reference; their scales are recorded all the same. So do W and R of
LSTM and GRU while activations are observed; the option `recurrent` rounds them too, for the modified model.

Scales that the record already has are taken instead: those of a finished calibration, which joint
quantisation may have raised.

A layer with ada_quantize gets the scales that AdaRound starts from, and its weight is only clipped to their
range: what rounds it is learnt afterwards. One whose scales the record already has is left alone.

A layer whose weight is not finite loses its marks, stays float, and is reported.
)";

void Unmark(ir::Rewriter& rewriter, const QuantLayer& layer) {
  for (ir::Use* use :
       {layer.activation, layer.weight, layer.bias, layer.hidden, layer.recurrence}) {
    if (use != nullptr) rewriter.SetAnnotation(*use, {});
  }
  rewriter.RemoveAttribute(*layer.node, "op_data_type");
}

quant::LayerRecord& RecordOf(quant::Record& record, const std::string& layer) {
  for (quant::RecordEntry& entry : record.entries) {
    if (entry.key == layer) {
      if (!entry.value) entry.value.emplace();
      return *entry.value;
    }
  }
  quant::RecordEntry& entry = record.entries.emplace_back();
  entry.key = layer;
  return entry.value.emplace();
}

void SetTypes(const quant::LayerSettings& settings, quant::LayerRecord& entry) {
  entry.act_type = fmt::format("INT{}", settings.activation_bits);
  entry.wts_type = fmt::format("INT{}", settings.weight_bits);
}

// The scales that AdaRound starts from, and the weight cut to what they reach.
StatusOr<bool> PrepareAdaLayer(const PassContext& context, const QuantLayer& layer,
                               const quant::LayerSettings& settings, quant::Record& record) {
  if (const quant::LayerRecord* known = record.Find(layer.name); known && !known->scale_w.empty()) {
    return false;
  }
  const ir::Tensor tensor = layer.weight->value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, tensor.ValuesAsFloat());
  const quant::WeightLayout layout =
      layer.Layout(*layer.weight, settings.channel_wise ? static_cast<size_t>(layer.channels) : 1);
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> scales, quant::KlScales(values, layout));
  quant::LayerRecord& entry = RecordOf(record, layer.name);
  entry.scale_w = scales;
  entry.offset_w.assign(scales.size(), 0);
  SetTypes(settings, entry);
  quant::ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    const float scale = scales[channel];
    for (float& value : std::span(values).subspan(begin, length)) {
      value = std::clamp(value / scale, -128.0f, 127.0f) * scale;
    }
  });
  SetConstantInput(context.rewriter(), *layer.weight->user(), layer.weight->index(),
                   FloatTensor(tensor.element_type(), tensor.dims(), values));
  return true;
}

// Whether the weight is replaced by its rounded values: activations of a recurrent layer and of a
// ConvTranspose are observed behind the weights as they are.
bool Rounds(const PassContext& context, const QuantLayer& layer) {
  if (layer.is_recurrent()) return context.options().Get<bool>("recurrent");
  return !layer.node->Is("ConvTranspose");
}

struct RoundedWeight {
  std::vector<float> scales;
  ir::Tensor values;
};

// `known` holds the scales, or is empty: they are found.
StatusOr<RoundedWeight> Round(const QuantLayer& layer, const ir::Use& weight,
                              const quant::LayerSettings& settings, std::vector<float> known) {
  const ir::Tensor tensor = weight.value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, tensor.ValuesAsFloat());
  const size_t wanted = settings.channel_wise ? static_cast<size_t>(layer.channels) : 1;
  const quant::WeightLayout layout = layer.Layout(weight, known.empty() ? wanted : known.size());
  RoundedWeight rounded;
  rounded.scales = std::move(known);
  if (rounded.scales.empty()) {
    LATHE_ASSIGN_OR_RETURN(rounded.scales, quant::ArqScales(values, layout, settings.weight_bits));
  }
  LATHE_RETURN_IF_ERROR(
      quant::FakeQuantizeWeights(values, layout, rounded.scales, settings.weight_bits, values));
  rounded.values = FloatTensor(tensor.element_type(), tensor.dims(), values);
  return rounded;
}

// Scales into the record and, unless the reference leaves the weight alone, rounded values into the
// graph. Both tell whether the weight changed.
StatusOr<bool> QuantizeLayer(const PassContext& context, const QuantLayer& layer,
                             const quant::LayerSettings& settings, quant::Record& record) {
  const quant::LayerRecord* const found = record.Find(layer.name);
  const quant::LayerRecord known = found == nullptr ? quant::LayerRecord() : *found;
  LATHE_ASSIGN_OR_RETURN(RoundedWeight weight,
                         Round(layer, *layer.weight, settings, known.scale_w));
  RoundedWeight recurrence;
  if (layer.is_recurrent()) {
    LATHE_ASSIGN_OR_RETURN(recurrence, Round(layer, *layer.recurrence, settings, known.scale_r));
  }
  quant::LayerRecord& entry = RecordOf(record, layer.name);
  entry.offset_w.assign(weight.scales.size(), 0);
  entry.scale_w = std::move(weight.scales);
  entry.offset_r.assign(recurrence.scales.size(), 0);
  entry.scale_r = std::move(recurrence.scales);
  SetTypes(settings, entry);
  if (!Rounds(context, layer)) return false;
  SetConstantInput(context.rewriter(), *layer.node, layer.weight->index(),
                   std::move(weight.values));
  if (layer.is_recurrent()) {
    SetConstantInput(context.rewriter(), *layer.node, layer.recurrence->index(),
                     std::move(recurrence.values));
  }
  return true;
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* settings,
                         context.Need<quant::QuantSettings>("a configuration"));
  LATHE_ASSIGN_OR_RETURN(auto* record, context.Need<quant::Record>("a record to fill"));
  LATHE_ASSIGN_OR_RETURN(auto* report, context.Need<QuantReport>("a report to fill"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    const quant::LayerSettings* chosen = nullptr;
    for (const quant::LayerSettings& each : settings->layers) {
      if (each.name == layer.name) chosen = &each;
    }
    if (chosen == nullptr) continue;
    if (layer.weight == nullptr) {
      quant::LayerRecord& entry = RecordOf(*record, layer.name);
      entry.scale_w = {1.0f};
      entry.offset_w = {0};
      entry.act_type = fmt::format("INT{}", chosen->activation_bits);
      continue;
    }
    const StatusOr<bool> rounded = chosen->ada ? PrepareAdaLayer(context, layer, *chosen, *record)
                                               : QuantizeLayer(context, layer, *chosen, *record);
    // The weight or the lost mark.
    changed |= !rounded.ok() || *rounded;
    if (rounded.ok()) {
      context.Count("layers");
      continue;
    }
    Unmark(context.rewriter(), layer);
    std::erase_if(record->entries, [&](const auto& entry) { return entry.key == layer.name; });
    const std::string reason(rounded.status().message());
    report->left_float.push_back({layer.name, reason});
    context.Missed(*layer.node, reason);
  }
  return changed;
}

}  // namespace

const PassDescriptor& FakeQuantizeWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "fake-quantize-weights",
      .summary =
          "Round the weights of marked layers to their quantised values and record their scales",
      .description = kDescription,
      .options = {{"recurrent", "round the weights of LSTM and GRU too", false}},
      .statistics = {{"layers", "layers whose weight was rounded"}},
      .requires_facts = {facts::kQuantPointsMarked},
      .establishes = {facts::kWeightsRounded},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
