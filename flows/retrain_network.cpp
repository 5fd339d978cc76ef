#include "lathe/flows/retrain_network.h"

#include <string_view>
#include <utility>

#include "lathe/flows/batch_count.h"
#include "lathe/flows/retrain_record.h"
#include "lathe/flows/retrain_shifts.h"
#include "lathe/flows/retrain_states.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/start_clips.h"
#include "lathe/flows/torch_parameters.h"
#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/insert_retrain.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

using passes::RetrainLayer;
using quant::RetrainState;

StatusOr<std::unique_ptr<frontends::BatchSource>> OpenData(const RetrainData& data,
                                                           RetrainNetwork& network) {
  LATHE_ASSIGN_OR_RETURN(auto source, data.open(*network.model));
  const auto wanted = static_cast<size_t>(network.batch_num);
  const size_t given = source->num_batches();
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(network.batch_num, *source));
  if (given > wanted) {
    network.notes.push_back(fmt::format("batch_num is {}: {} of {} batches were not used", wanted,
                                        given - wanted, given));
  }
  return source;
}

// Of each layer where its clips start on data; nothing without data.
StatusOr<StartClips> ClipsOnData(const RetrainData* data, RetrainNetwork& network) {
  const std::vector<std::optional<quant::Clips>> none(network.layers.size());
  if (data == nullptr) return StartClips{none, none, {}};
  LATHE_ASSIGN_OR_RETURN(const auto source, OpenData(*data, network));
  LATHE_ASSIGN_OR_RETURN(StartClips start,
                         FindStartClips(*network.model, network.layers, network.batch_num,
                                        *data->engine, *source, data->control));
  network.notes.insert(network.notes.end(), start.notes.begin(), start.notes.end());
  return start;
}

StatusOr<RetrainState> InitialState(const RetrainLayer& layer,
                                    const std::optional<quant::Clips>& found,
                                    const std::optional<quant::Clips>& found_hidden) {
  RetrainState state;
  if (layer.settings.clips.has_value()) {
    state.clips = {static_cast<float>(layer.settings.clips->max),
                   static_cast<float>(layer.settings.clips->min)};
    state.hidden_clips = state.clips;
  } else {
    state.clips = found.value_or(quant::Clips());
    state.hidden_clips = found_hidden.value_or(quant::Clips());
  }
  if (!layer.settings.ulq) return state;
  LATHE_ASSIGN_OR_RETURN(state.weight_scales, ArqScalesOf(layer, *layer.layer.weight));
  if (layer.layer.is_recurrent()) {
    LATHE_ASSIGN_OR_RETURN(state.recurrence_scales, ArqScalesOf(layer, *layer.layer.recurrence));
  }
  return state;
}

// Gives each operand that is trained an initializer of its own: exporters store equal values once
// (and read them through Identity), and after training they are equal no more.
void PartParameters(RetrainNetwork& network) {
  const std::vector<TorchParameter> parameters =
      FindTorchParameters(*network.model, network.layers);
  ir::Rewriter rewriter(*network.model);
  // From the back: the first operand keeps the name.
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    ir::Value* value = parameter->node->input(parameter->input);
    const ir::Tensor tensor = value->ConstantTensor();
    const ir::Node* producer = value->producer();
    const bool is_copy = producer != nullptr && producer->Is("Identity");
    if ((value->has_one_use() && !is_copy) || tensor.rank() == 0) continue;
    const ParameterKey& key = parameter->keys.front();
    if (key.layout != ParameterLayout::kSame) {
      passes::SetConstantInput(rewriter, *parameter->node, parameter->input, tensor);
      continue;
    }
    // By its key a checkpoint of either file is understood.
    const bool takes_name = is_copy && value->has_one_use() && value->name_text() == key.name;
    ir::Value& own = passes::MakeConstant(rewriter, *parameter->node, key.name, tensor);
    rewriter.ReplaceUse(parameter->node->inputs()[parameter->input], &own);
    passes::EraseIfUnused(rewriter, *value);
    if (takes_name) rewriter.Rename(own, network.model->Intern(key.name));
  }
}

}  // namespace

StatusOr<RetrainNetwork> ConfigureRetrain(LoadedModel loaded, const RetrainConfigRequest& wishes,
                                          std::optional<quant::SearchNVersion> search_n,
                                          const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(ChosenRetrainConfig chosen, ChooseRetrainConfig(*loaded.model, wishes));
  RetrainNetwork network;
  auto layers = passes::FindRetrainLayers(*loaded.model, chosen.settings);
  if (!layers.ok()) return WithContext(layers.status(), ErrorContext::kFile, path);
  network.layers = *std::move(layers);
  network.model = std::move(loaded.model);
  network.batch_num = chosen.settings.batch_num;
  network.search_n = search_n;
  network.notes = std::move(loaded.notes);
  network.notes.insert(network.notes.end(), chosen.notes.begin(), chosen.notes.end());
  if (chosen.settings.force_fp16_quant) {
    network.notes.push_back(
        "fakequant_precision_mode has no effect on trained scales, as in the reference");
  }
  return network;
}

Status StartStates(RetrainNetwork& network, const RetrainData* data, const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const auto found, ClipsOnData(data, network));
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const RetrainLayer& layer = network.layers[i];
    auto state = InitialState(layer, found.clips[i], found.hidden_clips[i]);
    if (!state.ok()) {
      Status status = WithContext(state.status(), ErrorContext::kNode, layer.layer.name);
      return WithContext(std::move(status), ErrorContext::kFile, path);
    }
    network.states.push_back(*std::move(state));
  }
  return OkStatus();
}

Status TakeStates(RetrainNetwork& network, const passes::QuantizerConstants& constants) {
  LATHE_ASSIGN_OR_RETURN(network.states, StatesOfConstants(network.layers, constants));
  return OkStatus();
}

Status ReadStates(RetrainNetwork& network, const CheckpointRequest& request, SparseState* sparse) {
  LATHE_ASSIGN_OR_RETURN(const frontends::Checkpoint checkpoint,
                         frontends::ReadCheckpoint(request.path));
  std::optional<std::string_view> name;
  if (request.state_dict_name.has_value()) name = *request.state_dict_name;
  const auto dict = frontends::SelectStateDict(checkpoint, name);
  if (!dict.ok()) return WithContext(dict.status(), ErrorContext::kFile, request.path);
  auto states = RestoreState(*network.model, network.layers, **dict, sparse);
  if (!states.ok()) return WithContext(states.status(), ErrorContext::kFile, request.path);
  network.states = *std::move(states);
  return OkStatus();
}

StatusOr<RetrainModel> InsertQuantizers(RetrainNetwork network, const std::string& path) {
  PartParameters(network);
  // The graph knows no clips of a pass before.
  for (size_t i = 0; i < network.layers.size(); ++i) {
    RetrainState& state = network.states[i];
    const RetrainLayer& layer = network.layers[i];
    state.clips = UsableClips(state.clips, state.previous, layer.fixed_min);
    state.hidden_clips =
        UsableClips(state.hidden_clips, state.hidden_previous, layer.hidden_fixed_min);
  }
  SearchNPlan plan;
  if (network.search_n.has_value()) {
    LATHE_ASSIGN_OR_RETURN(plan, PlanSearchN(*network.model, network.layers));
    network.notes.insert(network.notes.end(), plan.notes.begin(), plan.notes.end());
  }
  if (Status status = passes::InsertRetrain(*network.model, network.layers, network.states);
      !status.ok()) {
    return WithContext(std::move(status), ErrorContext::kFile, path);
  }
  if (network.search_n.has_value()) {
    passes::InsertSearchN(*network.model, network.layers, plan.groups, *network.search_n);
  }
  RetrainModel result;
  for (const RetrainLayer& layer : network.layers) result.layers.push_back(layer.layer.name);
  result.model = std::move(network.model);
  result.notes = std::move(network.notes);
  return result;
}

Status CheckSearchData(const RetrainNetwork& network, const RetrainData* data) {
  if (network.search_n.has_value() != (data != nullptr)) {
    return data == nullptr
               ? WithContext(InvalidInput("shifts are to be searched, and there is no data"),
                             ErrorContext::kHint, "give -d")
               : WithContext(InvalidInput("data is for searching shifts, which nobody asked for"),
                             ErrorContext::kHint, "give --searchn-version, or no data");
  }
  return OkStatus();
}

StatusOr<SavedRetrainModel> LowerRetrained(RetrainNetwork network, const RetrainData* data,
                                           const std::string& path) {
  SavedRetrainModel saved;
  auto record = MakeRetrainRecord(network.layers, network.states);
  if (!record.ok()) return WithContext(record.status(), ErrorContext::kFile, path);
  saved.record = *std::move(record);
  SearchNPlan plan;
  if (data != nullptr) {
    LATHE_ASSIGN_OR_RETURN(plan, PlanSearchN(*network.model, network.layers));
  }
  LATHE_RETURN_IF_ERROR(
      RunPasses(*network.model, passes::FusionPipeline(/*do_fusion=*/true, {})).status());
  if (data != nullptr) {
    LATHE_ASSIGN_OR_RETURN(const auto source, OpenData(*data, network));
    LATHE_ASSIGN_OR_RETURN(
        const auto notes,
        SearchRetrainShifts(*network.model, plan, *network.search_n, network.batch_num,
                            *data->engine, *source, data->control, saved.record));
    network.notes.insert(network.notes.end(), notes.begin(), notes.end());
  }
  saved.notes = std::move(network.notes);
  auto models = LowerModel(std::move(network.model), saved.record);
  if (!models.ok()) return WithContext(models.status(), ErrorContext::kFile, path);
  saved.models = *std::move(models);
  return saved;
}

}  // namespace lathe::flows
