#include "lathe/flows/auto_calibrate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/flows/batch_count.h"
#include "lathe/flows/content_hash.h"
#include "lathe/flows/rollback_search.h"
#include "lathe/flows/stage_result.h"
#include "lathe/passes/core/plugin_build.h"

namespace lathe::flows {
namespace {

// A folder that goes when this does.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

 private:
  std::string path_;
};

// PREFIX_NAME, or NAME in the folder that the prefix is.
std::string Beside(const std::string& prefix, std::string_view name) {
  const bool folder = prefix.empty() || prefix.ends_with('/');
  return fmt::format("{}{}{}", prefix, folder ? "" : "_", name);
}

struct Written {
  size_t rolled_back = 0;
  std::vector<std::string> quantized;
  std::vector<passes::LeftFloat> left_float;
  std::vector<std::string> notes;
};

class Job {
 public:
  Job(std::unique_ptr<ir::Model> model, ChosenConfig chosen, const AutoRequest& request,
      eval::Engine& engine, OutputPaths paths)
      : model_(std::move(model)),
        chosen_(std::move(chosen)),
        request_(request),
        engine_(engine),
        paths_(std::move(paths)),
        state_path_(Beside(request.output_prefix, "auto_state.json")),
        trial_path_(Beside(request.output_prefix, "auto_trial")) {}

  Status LoadState();
  Status Run();
  // Adds what is known to a cancelled status.
  Status Explain(Status status) const;
  AutoSummary TakeSummary();

 private:
  Status Save() const { return WriteAutoState(state_, state_path_); }
  Status MeasureFloat();
  Status RankIfNeeded();
  StatusOr<bool> Try(size_t rolled_back);
  Status Calibrate(size_t rolled_back);
  StatusOr<double> Measure();
  Status Emit(const OutputPaths& paths) const;
  Status WriteResult();
  quant::PtqConfig ConfigOf(size_t rolled_back) const;
  bool IsRolledBack(std::string_view layer, size_t rolled_back) const;

  const std::unique_ptr<ir::Model> model_;
  const ChosenConfig chosen_;
  const AutoRequest& request_;
  eval::Engine& engine_;
  const OutputPaths paths_;
  const std::string state_path_;
  const std::string trial_path_;
  AutoState state_;
  size_t resumed_ = 0;
  // The candidate that was calibrated last.
  std::optional<CalibratedModel> calibrated_;
  size_t calibrated_for_ = 0;
  // The candidate whose files this run left at `paths_`.
  std::optional<Written> written_;
  std::vector<std::string> notes_;
};

Status Job::LoadState() {
  ContentHash hash;
  LATHE_RETURN_IF_ERROR(HashModel(request_.model_path, *model_, hash));
  LATHE_ASSIGN_OR_RETURN(const std::string config, backends::WritePtqJson(chosen_.config));
  hash.Add(config);
  LATHE_ASSIGN_OR_RETURN(const SampleHashes samples, HashSamples(*request_.data));
  hash.Add(samples);
  for (const auto& [name, dims] : request_.control.input_shapes) {
    hash.Add(name);
    for (const int64_t dim : dims) hash.Add(static_cast<uint64_t>(dim));
  }
  hash.Add(request_.evaluator.identity);
  // Another Lathe may come to other results.
  hash.Add(passes::kPluginBuild);
  const std::string job = fmt::format("{:016x}", hash.value());
  LATHE_ASSIGN_OR_RETURN(std::optional<AutoState> found, ReadAutoState(state_path_));
  if (found && found->job == job) {
    state_ = *std::move(found);
    resumed_ = state_.candidates.size();
    return OkStatus();
  }
  if (found) {
    notes_.push_back(
        fmt::format("{} was of another model, configuration, data, evaluator or Lathe: begun anew",
                    state_path_));
  }
  state_.job = job;
  return OkStatus();
}

bool Job::IsRolledBack(std::string_view layer, size_t rolled_back) const {
  for (size_t i = 0; i < rolled_back; ++i) {
    if ((*state_.ranking)[i].layer == layer) return true;
  }
  return false;
}

quant::PtqConfig Job::ConfigOf(size_t rolled_back) const {
  quant::PtqConfig config = chosen_.config;
  for (quant::PtqLayerConfig& layer : config.layers) {
    if (IsRolledBack(layer.name, rolled_back)) layer.quant_enable = false;
  }
  return config;
}

Status Job::Calibrate(size_t rolled_back) {
  if (calibrated_ && calibrated_for_ == rolled_back) return OkStatus();
  calibrated_.reset();
  quant::QuantSettings settings = chosen_.settings;
  std::erase_if(settings.layers, [&](const quant::LayerSettings& layer) {
    return IsRolledBack(layer.name, rolled_back);
  });
  LATHE_ASSIGN_OR_RETURN(calibrated_, CalibrateModel(model_->Clone(), settings, engine_,
                                                     *request_.data, request_.control));
  calibrated_for_ = rolled_back;
  return OkStatus();
}

Status Job::Emit(const OutputPaths& paths) const {
  LATHE_ASSIGN_OR_RETURN(SavedModels saved,
                         LowerModel(calibrated_->fused->Clone(), calibrated_->record));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(
      StageResult(saved, calibrated_->record, ConfigOf(calibrated_for_), paths, files));
  return files.Commit();
}

Status Job::WriteResult() {
  LATHE_RETURN_IF_ERROR(Emit(paths_));
  written_ = Written{calibrated_for_, {}, calibrated_->report.left_float, calibrated_->notes};
  for (const quant::RecordEntry& entry : calibrated_->record.entries) {
    written_->quantized.push_back(*entry.key);
  }
  return OkStatus();
}

StatusOr<double> Job::Measure() {
  const ScratchFolder scratch(trial_path_);
  LATHE_ASSIGN_OR_RETURN(const OutputPaths trial, MakeOutputPaths(trial_path_ + "/"));
  LATHE_RETURN_IF_ERROR(Emit(trial));
  return request_.evaluator.measure(trial.deploy, trial.fake_quant);
}

Status Job::MeasureFloat() {
  if (state_.float_value) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(state_.float_value,
                         request_.evaluator.measure(request_.model_path, request_.model_path));
  return Save();
}

Status Job::RankIfNeeded() {
  if (state_.ranking) return OkStatus();
  LATHE_RETURN_IF_ERROR(Calibrate(0));
  LATHE_ASSIGN_OR_RETURN(state_.ranking, RankLayers(*model_, chosen_.settings, *calibrated_,
                                                    engine_, *request_.data, request_.control));
  return Save();
}

StatusOr<bool> Job::Try(size_t rolled_back) {
  auto found = std::ranges::find(state_.candidates, rolled_back, &MeasuredCandidate::rolled_back);
  if (found == state_.candidates.end()) {
    LATHE_RETURN_IF_ERROR(Calibrate(rolled_back));
    LATHE_ASSIGN_OR_RETURN(const double value, Measure());
    state_.candidates.push_back({rolled_back, value});
    found = std::prev(state_.candidates.end());
    const size_t best = ChooseCandidate(state_.candidates, *state_.float_value, request_.budget);
    // Before it counts as measured: a run that ends between the two does it again.
    if (best + 1 == state_.candidates.size()) LATHE_RETURN_IF_ERROR(WriteResult());
    LATHE_RETURN_IF_ERROR(Save());
  }
  return request_.budget.Meets(*state_.float_value, found->value);
}

Status Job::Run() {
  LATHE_RETURN_IF_ERROR(MeasureFloat());
  LATHE_ASSIGN_OR_RETURN(const bool all_quantized, Try(0));
  if (!all_quantized) {
    LATHE_RETURN_IF_ERROR(RankIfNeeded());
    LATHE_RETURN_IF_ERROR(
        SearchRollback(state_.ranking->size(), [&](size_t count) { return Try(count); }).status());
  }
  const size_t best = ChooseCandidate(state_.candidates, *state_.float_value, request_.budget);
  const size_t rolled_back = state_.candidates[best].rolled_back;
  if (!written_ || written_->rolled_back != rolled_back) {
    // Measured by an earlier run, whose files may have been changed since.
    LATHE_RETURN_IF_ERROR(Calibrate(rolled_back));
    LATHE_RETURN_IF_ERROR(WriteResult());
  }
  std::error_code error;
  std::filesystem::remove(state_path_, error);
  if (error) {
    return WithContext(IoError("cannot remove: {}", error.message()), ErrorContext::kFile,
                       state_path_);
  }
  return OkStatus();
}

Status Job::Explain(Status status) const {
  if (!absl::IsCancelled(status)) return status;
  const std::string known = fmt::format(
      "interrupted; candidates measured so far: {}; {}", state_.candidates.size(),
      written_ ? fmt::format("the best of them is {}", paths_.deploy) : "this run wrote nothing");
  return WithContext(absl::CancelledError(known), ErrorContext::kHint,
                     "the same command goes on from there");
}

AutoSummary Job::TakeSummary() {
  AutoSummary summary;
  summary.paths = paths_;
  summary.float_value = *state_.float_value;
  summary.chosen = ChooseCandidate(state_.candidates, summary.float_value, request_.budget);
  const MeasuredCandidate& chosen = state_.candidates[summary.chosen];
  summary.meets_budget = request_.budget.Meets(summary.float_value, chosen.value);
  summary.quantized = std::move(written_->quantized);
  summary.left_float = chosen_.report.left_float;
  summary.left_float.insert(summary.left_float.end(), written_->left_float.begin(),
                            written_->left_float.end());
  summary.notes = chosen_.notes;
  summary.notes.insert(summary.notes.end(), notes_.begin(), notes_.end());
  summary.notes.insert(summary.notes.end(), written_->notes.begin(), written_->notes.end());
  if (state_.ranking) {
    summary.ranking = *std::move(state_.ranking);
    for (size_t i = 0; i < chosen.rolled_back; ++i) {
      summary.left_float.push_back(
          {summary.ranking[i].layer, fmt::format("given back for accuracy (similarity {:.6f})",
                                                 summary.ranking[i].similarity)});
    }
  }
  summary.candidates = std::move(state_.candidates);
  summary.resumed = resumed_;
  return summary;
}

}  // namespace

bool AccuracyBudget::Meets(double float_value, double value) const {
  constexpr double kLastBits = 1e-12;
  const double size = std::max(std::abs(float_value), std::abs(value));
  return Loss(float_value, value) <= allowed + kLastBits * size;
}

size_t ChooseCandidate(const std::vector<MeasuredCandidate>& candidates, double float_value,
                       const AccuracyBudget& budget) {
  const auto better = [&](const MeasuredCandidate& a, const MeasuredCandidate& b) {
    const bool a_meets = budget.Meets(float_value, a.value);
    const bool b_meets = budget.Meets(float_value, b.value);
    if (a_meets != b_meets) return a_meets;
    const double a_loss = budget.Loss(float_value, a.value);
    const double b_loss = budget.Loss(float_value, b.value);
    if (!a_meets && a_loss != b_loss) return a_loss < b_loss;
    return a.rolled_back < b.rolled_back;
  };
  return static_cast<size_t>(std::ranges::min_element(candidates, better) - candidates.begin());
}

StatusOr<AutoSummary> AutoCalibrate(LoadedModel loaded, const AutoRequest& request,
                                    eval::Engine& engine) {
  ConfigRequest wishes = request.config;
  wishes.options.batch_num = static_cast<int64_t>(request.data->num_batches());
  LATHE_ASSIGN_OR_RETURN(ChosenConfig chosen, ChooseConfig(*loaded.model, wishes));
  chosen.notes.insert(chosen.notes.begin(), loaded.notes.begin(), loaded.notes.end());
  NoteUnusedBatches(chosen.settings.batch_num, *request.data, chosen.notes);
  chosen.notes.insert(chosen.notes.end(), request.evaluator.notes.begin(),
                      request.evaluator.notes.end());
  LATHE_ASSIGN_OR_RETURN(OutputPaths paths, MakeOutputPaths(request.output_prefix));
  Job job(std::move(loaded.model), std::move(chosen), request, engine, std::move(paths));
  LATHE_RETURN_IF_ERROR(job.LoadState());
  LATHE_RETURN_IF_ERROR(job.Explain(job.Run()));
  return job.TakeSummary();
}

}  // namespace lathe::flows
