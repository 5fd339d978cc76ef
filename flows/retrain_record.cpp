#include "lathe/flows/retrain_record.h"

#include <optional>
#include <utility>

#include "lathe/ir/float_values.h"
#include "lathe/quant/arq.h"

namespace lathe::flows {
namespace {

StatusOr<std::vector<float>> WeightScales(const passes::RetrainLayer& trained,
                                          const quant::RetrainState& state) {
  std::vector<float> own = state.weight_scales;
  if (!trained.settings.ulq) {
    LATHE_ASSIGN_OR_RETURN(own, ArqScalesOf(trained, *trained.layer.weight));
  }
  if (trained.batch_norm == nullptr) return quant::RecordedWeightScales(own, nullptr);
  const ir::Node& node = *trained.batch_norm;
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> gamma,
                         node.input(1)->ConstantTensor().ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> variance,
                         node.input(4)->ConstantTensor().ValuesAsFloat());
  const quant::BatchNorm norm{gamma, variance, node.FloatAttribute("epsilon", 1e-5f)};
  return quant::RecordedWeightScales(own, &norm);
}

// The factors of the hidden state and the recurrence weight.
Status AddHidden(const passes::RetrainLayer& trained, const quant::RetrainState& state,
                 quant::LayerRecord& entry) {
  const quant::Clips clips =
      quant::UsableClips(state.hidden_clips, state.hidden_previous, trained.hidden_fixed_min);
  LATHE_ASSIGN_OR_RETURN(const quant::AffineParams params,
                         quant::UlqParams(clips, trained.settings.activation_bits));
  entry.scale_h = params.scale;
  entry.offset_h = params.offset;
  std::vector<float> scales = state.recurrence_scales;
  if (!trained.settings.ulq) {
    LATHE_ASSIGN_OR_RETURN(scales, ArqScalesOf(trained, *trained.layer.recurrence));
  }
  LATHE_ASSIGN_OR_RETURN(entry.scale_r, quant::RecordedWeightScales(scales, nullptr));
  entry.offset_r.assign(entry.scale_r.size(), 0);
  return OkStatus();
}

StatusOr<quant::LayerRecord> MakeEntry(const passes::RetrainLayer& trained,
                                       const quant::RetrainState& state) {
  quant::LayerRecord entry;
  LATHE_ASSIGN_OR_RETURN(
      const quant::AffineParams params,
      quant::UlqParams(quant::UsableClips(state.clips, state.previous, trained.fixed_min),
                       trained.settings.activation_bits));
  entry.scale_d = params.scale;
  entry.offset_d = params.offset;
  LATHE_ASSIGN_OR_RETURN(entry.scale_w, WeightScales(trained, state));
  entry.offset_w.assign(entry.scale_w.size(), 0);
  if (trained.layer.is_recurrent()) LATHE_RETURN_IF_ERROR(AddHidden(trained, state, entry));
  entry.act_type = fmt::format("INT{}", trained.settings.activation_bits);
  entry.wts_type = fmt::format("INT{}", trained.settings.weight_bits);
  return entry;
}

}  // namespace

StatusOr<std::vector<float>> ArqScalesOf(const passes::RetrainLayer& trained,
                                         const ir::Use& operand) {
  const passes::QuantLayer& layer = trained.layer;
  LATHE_ASSIGN_OR_RETURN(const ir::FloatValues weight,
                         ir::FloatValues::Of(operand.value()->ConstantTensor()));
  const size_t scales =
      trained.settings.channel_wise ? static_cast<size_t>(layer.channels) : size_t{1};
  return quant::ArqScales(weight.span(), layer.Layout(operand, scales),
                          trained.settings.weight_bits);
}

StatusOr<quant::Record> MakeRetrainRecord(const std::vector<passes::RetrainLayer>& layers,
                                          const std::vector<quant::RetrainState>& states) {
  quant::Record record;
  for (size_t i = 0; i < layers.size(); ++i) {
    auto entry = MakeEntry(layers[i], states[i]);
    if (!entry.ok()) {
      return WithContext(entry.status(), ErrorContext::kNode, layers[i].layer.name);
    }
    record.entries.push_back({layers[i].layer.name, *std::move(entry), std::nullopt});
  }
  return record;
}

}  // namespace lathe::flows
