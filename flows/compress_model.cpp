#include "lathe/flows/compress_model.h"

#include <utility>

#include "lathe/flows/load_model.h"
#include "lathe/flows/retrain_network.h"
#include "lathe/flows/run_passes.h"
#include "lathe/frontends/config/compress_cfg.h"
#include "lathe/frontends/config/record.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/support/text_file.h"

namespace lathe::flows {
namespace {

Status InFile(const Status& status, const std::string& path) {
  return status.ok() ? status : WithContext(status, ErrorContext::kFile, path);
}

// What the configuration asks of the network.
struct Wishes {
  // No layers: nothing is pruned.
  quant::PruneSettings prune;
  std::optional<quant::AmctRetrainConfig> quant;
};

// Single weights of a stack of matrices have no mask in the reference's files.
void LeaveStacks(const passes::LayerScan& scan, quant::PruneSettings& settings) {
  for (const passes::QuantLayer& layer : scan.layers) {
    if (layer.type != quant::LayerType::kLinear ||
        layer.weight->value()->ConstantTensor().rank() == 2) {
      continue;
    }
    const size_t erased = std::erase_if(settings.layers, [&](const auto& wanted) {
      return wanted.name == layer.name &&
             std::holds_alternative<quant::SelectivePruneConfig>(wanted.method);
    });
    if (erased == 0) continue;
    settings.notes.push_back(
        fmt::format("{} keeps its weights: they are a stack of matrices", layer.name));
  }
}

StatusOr<Wishes> ReadWishes(const CompressRequest& request, const ir::Model& model) {
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(request.cfg_path));
  quant::AmctCompressConfig config;
  if (request.only_prunes) {
    auto prune = frontends::ParsePruneCfg(text);
    if (!prune.ok()) return InFile(prune.status(), request.cfg_path);
    config.prune = *std::move(prune);
  } else {
    auto both = frontends::ParseCompressCfg(text);
    if (!both.ok()) return InFile(both.status(), request.cfg_path);
    config = *std::move(both);
  }
  Wishes wishes;
  wishes.quant = std::move(config.quant);
  if (!config.prune.has_value()) return wishes;
  const passes::LayerScan scan = passes::ScanLayers(model);
  auto settings = quant::ResolvePruneSettings(*config.prune, passes::DescribeNetwork(scan));
  if (!settings.ok()) return InFile(settings.status(), request.cfg_path);
  wishes.prune = *std::move(settings);
  LeaveStacks(scan, wishes.prune);
  return wishes;
}

StatusOr<quant::Record> ReadPruneRecord(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  auto record = frontends::ParseRecord(text);
  if (!record.ok()) return InFile(record.status(), path);
  return record;
}

// A sparse network, with layers to be quantised if it has any.
struct Network {
  RetrainNetwork retrain;
  bool quantised = false;
  Wishes wishes;
  quant::Record record;
  SparsityReport sparsity;
  std::vector<passes::SparseLayer> masks;
};

Status Configure(Network& network, LoadedModel loaded, const CompressRequest& request) {
  network.quantised = network.wishes.quant.has_value();
  if (!network.quantised) {
    network.retrain.model = std::move(loaded.model);
    network.retrain.notes = std::move(loaded.notes);
    if (request.search_n.has_value()) {
      return InvalidInput(
          "searchN layers stand behind layers that are quantised, and the "
          "configuration quantises none");
    }
  } else {
    RetrainConfigRequest options;
    options.options = *network.wishes.quant;
    auto configured =
        ConfigureRetrain(std::move(loaded), options, request.search_n, request.model_path);
    if (!configured.ok()) return InFile(configured.status(), request.cfg_path);
    network.retrain = *std::move(configured);
  }
  std::vector<std::string>& notes = network.retrain.notes;
  const std::vector<std::string>& more = network.wishes.prune.notes;
  notes.insert(notes.end(), more.begin(), more.end());
  notes.insert(notes.end(), network.sparsity.left.begin(), network.sparsity.left.end());
  return OkStatus();
}

StatusOr<CompressedModel> Finish(Network network, const std::string& path) {
  CompressedModel result;
  if (network.quantised) {
    LATHE_ASSIGN_OR_RETURN(RetrainModel made, InsertQuantizers(std::move(network.retrain), path));
    result.model = std::move(made.model);
    result.layers = std::move(made.layers);
    result.notes = std::move(made.notes);
  } else {
    result.model = std::move(network.retrain.model);
    result.notes = std::move(network.retrain.notes);
  }
  ir::Rewriter rewriter(*result.model);
  for (const passes::SparseLayer& sparse : network.masks) {
    LATHE_RETURN_IF_ERROR(InFile(passes::InsertMask(rewriter, sparse), path));
  }
  result.record = std::move(network.record);
  result.record.entries.clear();
  result.sparsity = std::move(network.sparsity);
  return result;
}

// The network as training left it, sparse as the record says.
StatusOr<Network> OpenTrained(const CompressRequest& request) {
  LATHE_ASSIGN_OR_RETURN(quant::Record record, ReadPruneRecord(request.record_path));
  passes::MasksByLayer trained;
  LATHE_ASSIGN_OR_RETURN(LoadedRetrainModel opened, LoadRetrainModel(request.model_path, &trained));
  Network network;
  LATHE_ASSIGN_OR_RETURN(network.wishes, ReadWishes(request, *opened.loaded.model));
  network.record = std::move(record);
  auto sparsity = SparsifyAsRecorded(*opened.loaded.model, network.record);
  if (!sparsity.ok()) return InFile(sparsity.status(), request.record_path);
  network.sparsity = *std::move(sparsity);
  LATHE_RETURN_IF_ERROR(Configure(network, std::move(opened.loaded), request));
  if (!network.retrain.search_n.has_value()) network.retrain.search_n = opened.search_n;
  auto masks = FindRecordedMasks(*network.retrain.model, network.wishes.prune, network.record);
  if (!masks.ok()) return InFile(masks.status(), request.record_path);
  network.masks = *std::move(masks);
  if (!request.checkpoint_path.empty()) {
    SparseState sparse;
    for (const passes::SparseLayer& layer : network.masks) {
      sparse.layers.push_back(layer.layer.name);
    }
    LATHE_RETURN_IF_ERROR(
        ReadStates(network.retrain, {request.checkpoint_path, request.state_dict_name}, &sparse));
    trained = std::move(sparse.masks);
  } else if (network.quantised) {
    if (!opened.constants.has_value()) {
      return WithContext(InFile(InvalidInput("the model is no retrain model: nothing was trained"),
                                request.model_path),
                         ErrorContext::kHint, "give --checkpoint");
    }
    LATHE_RETURN_IF_ERROR(
        InFile(TakeStates(network.retrain, *opened.constants), request.model_path));
  }
  auto notes = AdoptTrainedMasks(trained, network.wishes.prune, network.masks, network.record);
  if (!notes.ok()) return InFile(notes.status(), request.record_path);
  network.retrain.notes.insert(network.retrain.notes.end(), notes->begin(), notes->end());
  return network;
}

}  // namespace

StatusOr<CompressedModel> CreateCompressedModel(const CompressRequest& request,
                                                const RetrainData* data) {
  LATHE_ASSIGN_OR_RETURN(LoadedModel loaded, LoadFloatModel(request.model_path));
  Network network;
  LATHE_ASSIGN_OR_RETURN(network.wishes, ReadWishes(request, *loaded.model));
  auto sparsity =
      SparsifyAsConfigured(*loaded.model, network.wishes.prune, request.reach, network.record);
  if (!sparsity.ok()) return InFile(sparsity.status(), request.model_path);
  network.sparsity = *std::move(sparsity);
  LATHE_RETURN_IF_ERROR(Configure(network, std::move(loaded), request));
  LATHE_ASSIGN_OR_RETURN(network.masks,
                         passes::FindSparseLayers(*network.retrain.model, network.record));
  if (network.quantised) {
    LATHE_RETURN_IF_ERROR(StartStates(network.retrain, data, request.model_path));
  } else if (data != nullptr) {
    return InvalidInput("data is for ranges of activations, and the configuration quantises none");
  }
  return Finish(std::move(network), request.model_path);
}

StatusOr<CompressedModel> RestoreCompressedModel(const CompressRequest& request) {
  LATHE_ASSIGN_OR_RETURN(Network network, OpenTrained(request));
  return Finish(std::move(network), request.model_path);
}

StatusOr<SavedCompressedModel> SaveCompressedModel(const CompressRequest& request,
                                                   const RetrainData* data) {
  LATHE_ASSIGN_OR_RETURN(Network network, OpenTrained(request));
  LATHE_RETURN_IF_ERROR(CheckSearchData(network.retrain, data));
  const std::string& path =
      request.checkpoint_path.empty() ? request.model_path : request.checkpoint_path;
  ir::Model& model = *network.retrain.model;
  LATHE_RETURN_IF_ERROR(InFile(ApplyMasks(model, network.wishes.prune, network.record), path));
  SavedCompressedModel result;
  result.sparsity = std::move(network.sparsity);
  result.record.prune_records = std::move(network.record.prune_records);
  if (network.quantised) {
    LATHE_ASSIGN_OR_RETURN(SavedRetrainModel saved,
                           LowerRetrained(std::move(network.retrain), data, path));
    result.models = std::move(saved.models);
    result.record.entries = std::move(saved.record.entries);
    result.notes = std::move(saved.notes);
  } else {
    LATHE_RETURN_IF_ERROR(
        RunPasses(model, passes::FusionPipeline(/*do_fusion=*/true, {})).status());
    LATHE_RETURN_IF_ERROR(InFile(CheckPatterns(model, network.wishes.prune), path));
    result.models.fake_quant = model.Clone();
    result.models.deploy = std::move(network.retrain.model);
    result.notes = std::move(network.retrain.notes);
  }
  LATHE_ASSIGN_OR_RETURN(const quant::Record before, ReadPruneRecord(request.record_path));
  result.record_changed = before != result.record;
  return result;
}

}  // namespace lathe::flows
