#include "lathe/flows/restore_state.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "lathe/flows/checkpoint_wishes.h"
#include "lathe/flows/restore_parameter.h"
#include "lathe/flows/torch_parameters.h"
#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/passes/quant/insert_retrain.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

using frontends::StateDict;
using frontends::StateMatch;
using frontends::StateSlot;
using quant::RetrainState;

// State of the training itself and results of the last evaluation, which are computed anew.
bool IsBookkeeping(std::string_view key, const absl::flat_hash_set<std::string>& layers,
                   const absl::flat_hash_set<std::string>& sparse) {
  if (key.starts_with(kDataParallel)) key.remove_prefix(kDataParallel.size());
  const auto has = [&](std::string_view part) { return key.find(part) != std::string_view::npos; };
  if (has(".record_module.") || key.ends_with(".num_batches_tracked")) return true;
  // Constants of quantisers, in a checkpoint that is a retrain model.
  for (const std::string_view quantizer :
       {passes::kActivationQuantizer, passes::kWeightQuantizer, passes::kHiddenQuantizer,
        passes::kRecurrenceQuantizer}) {
    if (has(std::string(quantizer) + ".")) return true;
  }
  if (has(".quant_module.")) return !has(".quant_module.replaced_module.");
  const auto belongs_to = [&](const absl::flat_hash_set<std::string>& names, const auto& parts) {
    return std::ranges::any_of(parts, [&](std::string_view part) {
      return key.ends_with(part) &&
             names.contains(std::string(key.substr(0, key.size() - part.size())));
    });
  };
  constexpr std::string_view kResults[] = {".scale_w", ".offset_w", ".scale_r", ".offset_r"};
  constexpr std::string_view kSparse[] = {".wts_scales", ".wts_offsets",     ".cur_batch",
                                          ".s_rec_flag", ".prune_cur_batch", ".wts_mask"};
  return belongs_to(layers, kResults) || belongs_to(sparse, kSparse);
}

// Nor are the network's own constants extra that are no parameters: shapes, axes.
StateDict WithoutBookkeeping(const StateDict& dict, const Wishes& wishes, const ir::Model& model,
                             const std::vector<passes::RetrainLayer>& layers,
                             const absl::flat_hash_set<std::string>& sparse) {
  absl::flat_hash_set<std::string> names;
  for (const passes::RetrainLayer& layer : layers) names.insert(layer.layer.name);
  absl::flat_hash_set<std::string> constants;
  for (const ir::Value* value : model.graph().initializers()) {
    constants.emplace(value->name_text());
  }
  StateDict kept = dict;
  const auto goes = [&](const auto& entry) {
    return !wishes.Wants(entry.name) &&
           (constants.contains(entry.name) || IsBookkeeping(entry.name, names, sparse));
  };
  std::erase_if(kept.tensors, goes);
  std::erase_if(kept.others, goes);
  return kept;
}

// The slots of one activation's clips.
struct ClipSlots {
  size_t max = 0;
  std::optional<size_t> min;
  std::optional<size_t> previous_max;
  std::optional<size_t> previous_min;
};

// `prefix` ends in "acts_" or "acts_h_".
ClipSlots AskForClips(const std::string& prefix, bool fixed_min, Wishes& wishes) {
  ClipSlots slots;
  slots.max = wishes.Need(prefix + "clip_max", {});
  // A fixed one is not always kept.
  slots.min = fixed_min ? wishes.NeedIfThere(prefix + "clip_min", {})
                        : wishes.Need(prefix + "clip_min", {});
  slots.previous_max = wishes.NeedIfThere(prefix + "clip_max_pre", {});
  slots.previous_min = wishes.NeedIfThere(prefix + "clip_min_pre", {});
  return slots;
}

// The slots of one layer's quantisers.
struct StateSlots {
  ClipSlots clips;
  std::optional<size_t> scales;
  std::optional<size_t> reciprocal;
  // LSTM and GRU.
  std::optional<ClipSlots> hidden;
  std::optional<size_t> recurrence_scales;
  // The blocks of gates that learned scales stand in; empty: as in the model.
  std::span<const size_t> gates;
};

StateSlots AskForState(const passes::RetrainLayer& layer, const std::string& owner,
                       const Keys& keys, Wishes& wishes) {
  const std::string prefix = layer.layer.name + ".quant_module.";
  // PyTorch repeats the clips of the layer that they belong to; a retrain graph has them once.
  const std::string repeated = prefix + "acts_comp_reuse.";
  const bool own = owner == layer.layer.name || !keys.Has(repeated + "acts_clip_max");
  const std::string clips = own ? owner + ".quant_module." : repeated;
  StateSlots slots;
  slots.clips = AskForClips(clips + "acts_", layer.fixed_min, wishes);
  if (layer.layer.is_recurrent()) {
    slots.hidden = AskForClips(prefix + "acts_h_", layer.hidden_fixed_min, wishes);
    // PyTorch's module beside them says whose order of gates they have.
    if (keys.Has(prefix + "replaced_module.weight_ih_l0")) {
      slots.gates =
          GateBlocks(layer.layer.type == quant::LayerType::kLstm ? ParameterLayout::kLstmGates
                                                                 : ParameterLayout::kGruGates);
    }
  }
  if (layer.settings.ulq) {
    const int64_t count = layer.settings.channel_wise ? layer.layer.channels : 1;
    slots.scales = wishes.Need(prefix + "wts_scales", {count});
    slots.reciprocal = wishes.NeedIfThere(prefix + "s_rec_flag", {});
    if (layer.layer.is_recurrent()) {
      slots.recurrence_scales = wishes.Need(prefix + "rec_wts_scales", {count});
    }
  }
  return slots;
}

StatusOr<float> Scalar(const ir::Tensor& tensor) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  return values[0];
}

Status ReadClips(const ClipSlots& slots, const StateMatch& match, quant::Clips& clips,
                 std::optional<quant::Clips>& previous) {
  LATHE_ASSIGN_OR_RETURN(clips.max, Scalar(match.tensors[slots.max]));
  clips.min = 0;
  if (slots.min.has_value()) {
    LATHE_ASSIGN_OR_RETURN(clips.min, Scalar(match.tensors[*slots.min]));
  }
  if (slots.previous_max.has_value() && slots.previous_min.has_value()) {
    previous.emplace();
    LATHE_ASSIGN_OR_RETURN(previous->max, Scalar(match.tensors[*slots.previous_max]));
    LATHE_ASSIGN_OR_RETURN(previous->min, Scalar(match.tensors[*slots.previous_min]));
  }
  return OkStatus();
}

// Learned scales of a weight, in the model's order; none without a slot.
StatusOr<std::vector<float>> ReadScales(const StateSlots& slots, std::optional<size_t> slot,
                                        const StateMatch& match) {
  if (!slot.has_value()) return std::vector<float>();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> stored, match.tensors[*slot].ValuesAsFloat());
  if (!slots.gates.empty()) stored = InGateOrder(stored, slots.gates);
  float reciprocal = 0;
  if (slots.reciprocal.has_value()) {
    LATHE_ASSIGN_OR_RETURN(reciprocal, Scalar(match.tensors[*slots.reciprocal]));
  }
  return quant::LearnedWeightScales(stored, reciprocal != 0);
}

StatusOr<RetrainState> ReadState(const StateSlots& slots, const StateMatch& match) {
  RetrainState state;
  LATHE_RETURN_IF_ERROR(ReadClips(slots.clips, match, state.clips, state.previous));
  LATHE_ASSIGN_OR_RETURN(state.weight_scales, ReadScales(slots, slots.scales, match));
  if (!slots.hidden.has_value()) return state;
  LATHE_RETURN_IF_ERROR(ReadClips(*slots.hidden, match, state.hidden_clips, state.hidden_previous));
  LATHE_ASSIGN_OR_RETURN(state.recurrence_scales,
                         ReadScales(slots, slots.recurrence_scales, match));
  return state;
}

}  // namespace

StatusOr<std::vector<quant::RetrainState>> RestoreState(
    ir::Model& model, const std::vector<passes::RetrainLayer>& layers, const StateDict& dict,
    SparseState* sparse) {
  const std::vector<std::string> sparse_list =
      sparse == nullptr ? std::vector<std::string>() : sparse->layers;
  const absl::flat_hash_set<std::string> sparse_names(sparse_list.begin(), sparse_list.end());
  const std::vector<TorchParameter> parameters = FindTorchParameters(model, layers, sparse_list);
  const Keys keys(dict);
  Wishes wishes(keys);
  std::vector<ParameterSlots> parameter_slots;
  for (const TorchParameter& parameter : parameters) {
    const auto slots = AskForParameter(parameter, sparse_names, keys, wishes);
    if (slots.has_value()) parameter_slots.push_back(*slots);
  }
  std::vector<StateSlots> state_slots;
  state_slots.reserve(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    state_slots.push_back(
        AskForState(layers[i], layers[layers[i].clips_of].layer.name, keys, wishes));
  }
  const StateMatch match =
      MatchState(wishes.slots(), WithoutBookkeeping(dict, wishes, model, layers, sparse_names));
  LATHE_RETURN_IF_ERROR(CheckMatch(match));

  std::vector<RetrainState> states;
  for (const StateSlots& slots : state_slots) {
    LATHE_ASSIGN_OR_RETURN(RetrainState state, ReadState(slots, match));
    states.push_back(std::move(state));
  }
  ir::Rewriter rewriter(model);
  for (const ParameterSlots& slots : parameter_slots) {
    LATHE_RETURN_IF_ERROR(SetParameter(rewriter, slots, match, sparse));
  }
  return states;
}

}  // namespace lathe::flows
