#include "lathe/passes/quant/insert_retrain.h"

#include <string>
#include <utility>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/quant/affine.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// Builds one quantiser in front of a layer.
class Builder {
 public:
  Builder(ir::Rewriter& rewriter, const QuantLayer& layer, std::string_view part, int bits)
      : rewriter_(rewriter),
        layer_(layer),
        prefix_(layer.name + std::string(part)),
        type_(layer.weight->value()->ConstantTensor().element_type()),
        bits_(bits) {}

  ir::Value* Op(std::string_view op, std::string_view part, std::vector<ir::Value*> inputs,
                std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    ir::NodeSpec spec;
    spec.op = op;
    spec.name = part.empty() ? prefix_ : fmt::format("{}.{}", prefix_, part);
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    return rewriter_.CreateNode(*layer_.node->graph(), layer_.node, std::move(spec)).output();
  }

  ir::Value* Number(std::string_view part, float value) {
    return Constant(fmt::format("{}.{}", prefix_, part), {}, std::span(&value, 1));
  }

  ir::Value* Constant(std::string_view name, std::span<const int64_t> dims,
                      std::span<const float> values) {
    return &MakeConstant(rewriter_, *layer_.node, name, FloatTensor(type_, dims, values));
  }

  ir::Value* Reshape(std::string_view part, ir::Value* value, std::span<const int64_t> dims) {
    ir::Value& shape = MakeConstant(
        rewriter_, *layer_.node,
        fmt::format("{}.{}shape", prefix_, part.empty() ? "" : std::string(part) + "_"), dims);
    return Op("Reshape", part, {value, &shape});
  }

  // The largest or smallest value over the axes 1 and 3 of a weight as [groups, outer, local,
  // inner].
  ir::Value* Reduce(std::string_view op, std::string_view part, ir::Value* value) {
    const std::vector<int64_t> axes = {1, 3};
    constexpr int64_t kAxesAreAnInput = 18;
    if (OpsetOf(*layer_.node) < kAxesAreAnInput) {
      return Op(op, part, {value}, {{"axes", axes}, {"keepdims", int64_t{1}}});
    }
    ir::Value& input =
        MakeConstant(rewriter_, *layer_.node, fmt::format("{}.{}_axes", prefix_, part), axes);
    return Op(op, part, {value, &input}, {{"keepdims", int64_t{1}}});
  }

  // 1 in place of a scale that is too small (the reference's 7.1).
  ir::Value* Guarded(ir::Value* scale) {
    ir::Value* tiny = Op("Less", "is_tiny", {scale, Number("smallest", quant::kMinScale)});
    return Op("Where", "scale", {tiny, Number("one", 1.0f), scale});
  }

  ir::Value* RoundedAndClipped(ir::Value* value) {
    ir::Value* rounded = Op("Round", "rounded", {value});
    return Op("Clip", "clipped",
              {rounded, Number("low", static_cast<float>(quant::MinQuantized(bits_))),
               Number("high", static_cast<float>(quant::MaxQuantized(bits_)))});
  }

  int bits() const { return bits_; }

 private:
  ir::Rewriter& rewriter_;
  const QuantLayer& layer_;
  std::string prefix_;
  ir::ElementType type_;
  int bits_;
};

// What an activation's quantiser is made of.
struct ActivationParts {
  ir::Value* source = nullptr;
  std::string_view max_name;
  std::string_view min_name;
  quant::Clips clips;
  bool fixed_min = false;
};

// The reference's 7.7.
ir::Value* QuantizeActivation(Builder& build, const std::string& layer,
                              const ActivationParts& parts) {
  ir::Value* zero = build.Number("zero", 0.0f);
  ir::Value* clip_max =
      build.Constant(layer + std::string(parts.max_name), {}, std::span(&parts.clips.max, 1));
  ir::Value* top = build.Op("Max", "top", {clip_max, zero});
  ir::Value* bottom = zero;
  if (!parts.fixed_min) {
    ir::Value* clip_min =
        build.Constant(layer + std::string(parts.min_name), {}, std::span(&parts.clips.min, 1));
    bottom = build.Op("Min", "bottom", {clip_min, zero});
  }
  ir::Value* range = build.Op("Sub", "range", {top, bottom});
  const auto steps = static_cast<float>((int64_t{1} << build.bits()) - 1);
  ir::Value* scale = build.Guarded(build.Op("Div", "step", {range, build.Number("steps", steps)}));
  ir::Value* lowest = build.Number("lowest", static_cast<float>(quant::MinQuantized(build.bits())));
  ir::Value* shift = build.Op("Div", "shift", {bottom, scale});
  ir::Value* offset =
      build.Op("Round", "offset", {build.Op("Sub", "exact_offset", {lowest, shift})});
  ir::Value* scaled = build.Op("Div", "scaled", {parts.source, scale});
  ir::Value* integer = build.RoundedAndClipped(build.Op("Add", "shifted", {scaled, offset}));
  ir::Value* centred = build.Op("Sub", "centred", {integer, offset});
  return build.Op("Mul", "", {centred, scale});
}

// The reference's 7.2, for each channel.
ir::Value* ArqScale(Builder& build, ir::Value* weight) {
  ir::Value* high = build.Op("Abs", "high_size", {build.Reduce("ReduceMax", "largest", weight)});
  ir::Value* low =
      build.Op("Abs", "low_size", {build.Reduce("ReduceMin", "smallest_value", weight)});
  ir::Value* size = build.Op("Max", "size", {high, low});
  ir::Value* negative = build.Op("Less", "is_negative", {high, low});
  const auto highest = static_cast<float>(quant::MaxQuantized(build.bits()));
  ir::Value* steps = build.Op("Where", "steps",
                              {negative, build.Number("steps_below", highest + 1.0f),
                               build.Number("steps_above", highest)});
  return build.Guarded(build.Op("Div", "step", {size, steps}));
}

// The reference's 7.8, of the weight or of the recurrence weight; `learned` are the scales of ULQ.
ir::Value* QuantizeWeight(Builder& build, const RetrainLayer& trained, const ir::Use& operand,
                          std::string_view scales_name, const std::vector<float>& learned) {
  const QuantLayer& layer = trained.layer;
  const ir::Tensor tensor = operand.value()->ConstantTensor();
  const quant::WeightLayout layout = layer.Layout(
      operand, trained.settings.channel_wise ? static_cast<size_t>(layer.channels) : 1);
  const std::vector<int64_t> split = {layout.groups, layout.outer, layout.local, layout.inner};
  ir::Value* weight = build.Reshape("split", operand.value(), split);
  ir::Value* scale = nullptr;
  if (trained.settings.ulq) {
    const int64_t count[] = {layout.channels()};
    ir::Value* scales = build.Constant(layer.name + std::string(scales_name), count, learned);
    const std::vector<int64_t> channels = {layout.groups, 1, layout.local, 1};
    scale = build.Reshape("scale", scales, channels);
  } else {
    scale = ArqScale(build, weight);
  }
  ir::Value* integer = build.RoundedAndClipped(build.Op("Div", "scaled", {weight, scale}));
  ir::Value* rounded = build.Op("Mul", "rescaled", {integer, scale});
  return build.Reshape("", rounded, tensor.dims());
}

// In front of initial_h and R.
void InsertHidden(ir::Rewriter& rewriter, const RetrainLayer& trained,
                  const quant::RetrainState& state) {
  const QuantLayer& layer = trained.layer;
  Builder build_hidden(rewriter, layer, kHiddenQuantizer, trained.settings.activation_bits);
  ir::Value* hidden = QuantizeActivation(build_hidden, layer.name,
                                         {layer.hidden->value(), kHiddenClipMax, kHiddenClipMin,
                                          state.hidden_clips, trained.hidden_fixed_min});
  Builder build(rewriter, layer, kRecurrenceQuantizer, trained.settings.weight_bits);
  ir::Value* recurrence =
      QuantizeWeight(build, trained, *layer.recurrence, kRecurrenceScales, state.recurrence_scales);
  rewriter.ReplaceUse(*layer.hidden, hidden);
  rewriter.ReplaceUse(*layer.recurrence, recurrence);
}

}  // namespace

Status InsertRetrain(ir::Model& model, const std::vector<RetrainLayer>& layers,
                     const std::vector<quant::RetrainState>& states) {
  for (const RetrainLayer& trained : layers) {
    if (InFunction(*trained.layer.node->graph())) {
      return Unsupported("layer {} stands in a local function, which has no initializers to train",
                         Quoted(trained.layer.name));
    }
  }
  ir::Rewriter rewriter(model);
  std::vector<ir::Value*> activations;
  for (size_t i = 0; i < layers.size(); ++i) {
    const RetrainLayer& trained = layers[i];
    const ir::Rewriter::OriginScope origin(rewriter, *trained.layer.node);
    if (trained.clips_of == i) {
      Builder build(rewriter, trained.layer, kActivationQuantizer,
                    trained.settings.activation_bits);
      activations.push_back(QuantizeActivation(build, trained.layer.name,
                                               {trained.layer.activation->value(), kClipMax,
                                                kClipMin, states[i].clips, trained.fixed_min}));
    } else {
      activations.push_back(activations[trained.clips_of]);
    }
    Builder build(rewriter, trained.layer, kWeightQuantizer, trained.settings.weight_bits);
    ir::Value* weight = QuantizeWeight(build, trained, *trained.layer.weight, kWeightScales,
                                       states[i].weight_scales);
    if (trained.layer.is_recurrent()) InsertHidden(rewriter, trained, states[i]);
    // Last: builders look at the weight.
    rewriter.ReplaceUse(*trained.layer.activation, activations.back());
    rewriter.ReplaceUse(*trained.layer.weight, weight);
  }
  return OkStatus();
}

}  // namespace lathe::passes
