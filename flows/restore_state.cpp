#include "lathe/flows/restore_state.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/flows/torch_parameters.h"
#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/insert_retrain.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

using frontends::StateDict;
using frontends::StateMatch;
using frontends::StateSlot;
using quant::RetrainState;

constexpr std::string_view kDataParallel = "module.";

// The keys of a checkpoint, with and without the prefix of data-parallel training.
class Keys {
 public:
  explicit Keys(const StateDict& dict) {
    for (const frontends::NamedTensor& tensor : dict.tensors) keys_.insert(tensor.name);
  }
  bool Has(const std::string& key) const {
    return keys_.contains(key) || keys_.contains(std::string(kDataParallel) + key);
  }

 private:
  absl::flat_hash_set<std::string> keys_;
};

// What is wanted of the checkpoint: slots, and what they were asked for by.
class Wishes {
 public:
  explicit Wishes(const Keys& keys) : keys_(keys) {}

  // The number of the slot.
  size_t Need(const std::string& key, std::vector<int64_t> dims) {
    const auto [known, is_new] = numbers_.emplace(key, slots_.size());
    if (is_new) slots_.push_back({key, ir::ElementType::kFloat32, std::move(dims)});
    return known->second;
  }
  std::optional<size_t> NeedIfThere(const std::string& key, std::vector<int64_t> dims) {
    if (!keys_.Has(key)) return std::nullopt;
    return Need(key, std::move(dims));
  }

  const std::vector<StateSlot>& slots() const { return slots_; }
  bool Wants(std::string_view key) const {
    if (numbers_.contains(std::string(key))) return true;
    return key.starts_with(kDataParallel) &&
           numbers_.contains(std::string(key.substr(kDataParallel.size())));
  }

 private:
  const Keys& keys_;
  std::vector<StateSlot> slots_;
  absl::flat_hash_map<std::string, size_t> numbers_;
};

// State of the training itself and results of the last evaluation, which are computed anew.
bool IsBookkeeping(std::string_view key, const absl::flat_hash_set<std::string>& layers,
                   const absl::flat_hash_set<std::string>& sparse) {
  if (key.starts_with(kDataParallel)) key.remove_prefix(kDataParallel.size());
  const auto has = [&](std::string_view part) { return key.find(part) != std::string_view::npos; };
  if (has(".record_module.") || key.ends_with(".num_batches_tracked")) return true;
  // Constants of quantisers, in a checkpoint that is a retrain model.
  if (has(std::string(passes::kActivationQuantizer) + ".")) return true;
  if (has(std::string(passes::kWeightQuantizer) + ".")) return true;
  if (has(".quant_module.")) return !has(".quant_module.replaced_module.");
  const auto belongs_to = [&](const absl::flat_hash_set<std::string>& names, const auto& parts) {
    return std::ranges::any_of(parts, [&](std::string_view part) {
      return key.ends_with(part) &&
             names.contains(std::string(key.substr(0, key.size() - part.size())));
    });
  };
  constexpr std::string_view kResults[] = {".scale_w", ".offset_w"};
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

// The slots of one layer's quantisers.
struct StateSlots {
  size_t clip_max = 0;
  std::optional<size_t> clip_min;
  std::optional<size_t> previous_max;
  std::optional<size_t> previous_min;
  std::optional<size_t> scales;
  std::optional<size_t> reciprocal;
};

StateSlots AskForState(const passes::RetrainLayer& layer, const std::string& owner,
                       const Keys& keys, Wishes& wishes) {
  const std::string prefix = layer.layer.name + ".quant_module.";
  // PyTorch repeats the clips of the layer that they belong to; a retrain graph has them once.
  const std::string repeated = prefix + "acts_comp_reuse.";
  const bool own = owner == layer.layer.name || !keys.Has(repeated + "acts_clip_max");
  const std::string clips = own ? owner + ".quant_module." : repeated;
  StateSlots slots;
  slots.clip_max = wishes.Need(clips + "acts_clip_max", {});
  // A fixed one is not always kept.
  slots.clip_min = layer.fixed_min ? wishes.NeedIfThere(clips + "acts_clip_min", {})
                                   : wishes.Need(clips + "acts_clip_min", {});
  slots.previous_max = wishes.NeedIfThere(clips + "acts_clip_max_pre", {});
  slots.previous_min = wishes.NeedIfThere(clips + "acts_clip_min_pre", {});
  if (layer.settings.ulq) {
    const int64_t count = layer.settings.channel_wise ? layer.layer.channels : 1;
    slots.scales = wishes.Need(prefix + "wts_scales", {count});
    slots.reciprocal = wishes.NeedIfThere(prefix + "s_rec_flag", {});
  }
  return slots;
}

StatusOr<float> Scalar(const ir::Tensor& tensor) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  return values[0];
}

StatusOr<RetrainState> ReadState(const StateSlots& slots, const StateMatch& match) {
  RetrainState state;
  LATHE_ASSIGN_OR_RETURN(state.clips.max, Scalar(match.tensors[slots.clip_max]));
  state.clips.min = 0;
  if (slots.clip_min.has_value()) {
    LATHE_ASSIGN_OR_RETURN(state.clips.min, Scalar(match.tensors[*slots.clip_min]));
  }
  if (slots.previous_max.has_value() && slots.previous_min.has_value()) {
    quant::Clips& previous = state.previous.emplace();
    LATHE_ASSIGN_OR_RETURN(previous.max, Scalar(match.tensors[*slots.previous_max]));
    LATHE_ASSIGN_OR_RETURN(previous.min, Scalar(match.tensors[*slots.previous_min]));
  }
  if (slots.scales.has_value()) {
    LATHE_ASSIGN_OR_RETURN(const std::vector<float> stored,
                           match.tensors[*slots.scales].ValuesAsFloat());
    float reciprocal = 0;
    if (slots.reciprocal.has_value()) {
      LATHE_ASSIGN_OR_RETURN(reciprocal, Scalar(match.tensors[*slots.reciprocal]));
    }
    state.weight_scales = quant::LearnedWeightScales(stored, reciprocal != 0);
  }
  return state;
}

// Where a parameter's tensors are among the slots.
struct ParameterSlots {
  const TorchParameter* parameter = nullptr;
  const ParameterKey* key = nullptr;
  size_t value = 0;
  std::optional<size_t> mask;
};

std::optional<ParameterSlots> AskForParameter(const TorchParameter& parameter,
                                              const absl::flat_hash_set<std::string>& sparse,
                                              const Keys& keys, Wishes& wishes) {
  const auto there = std::ranges::find_if(
      parameter.keys, [&](const ParameterKey& key) { return keys.Has(key.name); });
  if (there == parameter.keys.end() && parameter.optional) return std::nullopt;
  const ParameterKey& key = there == parameter.keys.end() ? parameter.keys.front() : *there;
  ParameterSlots slots{&parameter, &key, wishes.Need(key.name, key.dims), std::nullopt};
  constexpr std::string_view kWeight = "replaced_module.weight";
  if (key.name.ends_with(kWeight)) {
    const std::string mask = key.name.substr(0, key.name.size() - kWeight.size()) + "wts_mask";
    slots.mask = wishes.NeedIfThere(mask, key.dims);
  } else if (parameter.input == 1 && sparse.contains(parameter.node->display_name())) {
    // A model that is trained itself holds it by the name of its own constant.
    const std::string mask = parameter.node->display_name() + std::string(passes::kMask);
    slots.mask = wishes.NeedIfThere(mask, key.dims);
  }
  return slots;
}

std::vector<float> Transposed(const std::vector<float>& values, std::span<const int64_t> dims) {
  const auto rows = static_cast<size_t>(dims[0]);
  const auto columns = static_cast<size_t>(dims[1]);
  std::vector<float> result(values.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) result[c * rows + r] = values[r * columns + c];
  }
  return result;
}

// The mask of a weight that is not sparse holds NaN.
StatusOr<std::optional<std::vector<float>>> ReadMask(const ParameterSlots& slots,
                                                     const StateMatch& match) {
  if (!slots.mask.has_value()) return std::optional<std::vector<float>>();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> mask, match.tensors[*slots.mask].ValuesAsFloat());
  if (std::ranges::any_of(mask, [](float value) { return std::isnan(value); })) {
    return std::optional<std::vector<float>>();
  }
  return std::optional(std::move(mask));
}

// Constants that need not be parameters may be what they like: masks hold infinities.
Status CheckFinite(const ParameterSlots& slots, const ir::Tensor& value) {
  if (slots.parameter->optional || !ir::IsFloatingPoint(value.element_type())) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, value.ValuesAsFloat());
  const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return OkStatus();
  return InvalidInput("element {} of {} is {}: the training has diverged", bad - values.begin(),
                      Quoted(slots.key->name), *bad);
}

// Hands the mask out instead of applying it, where its layer is one of `sparse`.
Status TakeMask(const ParameterSlots& slots, std::optional<std::vector<float>>& mask,
                SparseState* sparse) {
  if (sparse == nullptr || !mask.has_value()) return OkStatus();
  const std::string layer = slots.parameter->node->display_name();
  if (std::ranges::find(sparse->layers, layer) == sparse->layers.end()) return OkStatus();
  if (slots.key->layout == ParameterLayout::kTransposed) {
    mask = Transposed(*mask, slots.key->dims);
  }
  LATHE_ASSIGN_OR_RETURN(sparse->masks[layer], passes::MaskElements(*mask));
  mask.reset();
  return OkStatus();
}

Status SetParameter(ir::Rewriter& rewriter, const ParameterSlots& slots, const StateMatch& match,
                    SparseState* sparse) {
  const TorchParameter& parameter = *slots.parameter;
  const ir::Tensor& value = match.tensors[slots.value];
  LATHE_RETURN_IF_ERROR(CheckFinite(slots, value));
  const ir::Tensor old = parameter.node->input(parameter.input)->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(auto mask, ReadMask(slots, match));
  LATHE_RETURN_IF_ERROR(TakeMask(slots, mask, sparse));
  const std::vector<int64_t> dims(old.dims().begin(), old.dims().end());
  if (!mask.has_value() && slots.key->layout != ParameterLayout::kTransposed &&
      value.element_type() == old.element_type()) {
    passes::SetConstantInput(rewriter, *parameter.node, parameter.input, value.WithDims(dims));
    return OkStatus();
  }
  if (old.element_type() != ir::ElementType::kFloat32 &&
      old.element_type() != ir::ElementType::kFloat16) {
    return Unsupported("{} of {} cannot be restored from {}", slots.key->name,
                       ir::ElementTypeName(old.element_type()),
                       ir::ElementTypeName(value.element_type()));
  }
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, value.ValuesAsFloat());
  for (size_t i = 0; mask.has_value() && i < values.size(); ++i) values[i] *= (*mask)[i];
  if (slots.key->layout == ParameterLayout::kTransposed) {
    values = Transposed(values, slots.key->dims);
  }
  passes::SetConstantInput(rewriter, *parameter.node, parameter.input,
                           passes::FloatTensor(old.element_type(), dims, values));
  return OkStatus();
}

}  // namespace

StatusOr<std::vector<quant::RetrainState>> RestoreState(
    ir::Model& model, const std::vector<passes::RetrainLayer>& layers, const StateDict& dict,
    SparseState* sparse) {
  const std::vector<std::string> sparse_list =
      sparse == nullptr ? std::vector<std::string>() : sparse->layers;
  const absl::flat_hash_set<std::string> sparse_names(sparse_list.begin(), sparse_list.end());
  LATHE_ASSIGN_OR_RETURN(const std::vector<TorchParameter> parameters,
                         FindTorchParameters(model, layers, sparse_list));
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
