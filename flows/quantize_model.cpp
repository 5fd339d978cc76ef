#include "lathe/flows/quantize_model.h"

#include <filesystem>
#include <limits>
#include <system_error>

#include "lathe/flows/batch_count.h"
#include "lathe/flows/fidelity.h"
#include "lathe/flows/import_model.h"
#include "lathe/flows/memory_plan.h"
#include "lathe/flows/stage_result.h"
#include "lathe/support/mapped_pages.h"

namespace lathe::flows {
namespace {

uint64_t FileSize(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

// Payload of all constants and the file: what the float model takes on disk, external data
// included.
uint64_t ModelSize(const ir::Model& model, const std::string& path) {
  uint64_t size = 0;
  for (const std::string& each : FilesOf(path)) size += FileSize(each);
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->tensor() && value->tensor().notes().external) size += value->tensor().byte_size();
    }
  }
  return size;
}

}  // namespace

StatusOr<QuantizeSummary> QuantizeModel(LoadedModel loaded, const QuantizeRequest& request,
                                        eval::Engine& engine) {
  QuantizeSummary summary;
  ConfigRequest wishes = request.config;
  wishes.options.batch_num = static_cast<int64_t>(request.data->num_batches());
  LATHE_ASSIGN_OR_RETURN(ChosenConfig chosen, ChooseConfig(*loaded.model, wishes));
  const frontends::BatchSource& evaluation =
      request.evaluation != nullptr ? *request.evaluation : *request.data;
  if (request.labels) {
    LATHE_RETURN_IF_ERROR(CheckLabels(*request.labels, *loaded.model, evaluation));
  }
  LATHE_ASSIGN_OR_RETURN(summary.paths, MakeOutputPaths(request.output_prefix));
  summary.notes = std::move(loaded.notes);
  summary.notes.insert(summary.notes.end(), chosen.notes.begin(), chosen.notes.end());
  summary.bytes_before = ModelSize(*loaded.model, request.model_path);
  const int64_t used = chosen.settings.batch_num;
  NoteUnusedBatches(used, *request.data, summary.notes);
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(used, *request.data));
  if (request.effort == Effort::kHigh) {
    LATHE_RETURN_IF_ERROR(CheckHighEffort(chosen.settings, request.control));
  }
  RunControl control = request.control;
  LATHE_ASSIGN_OR_RETURN(
      control.observers_per_pass,
      PlanObserversPerPass(*loaded.model, chosen.settings, *request.data, control,
                           request.labels ? &evaluation : request.data));

  // The float model is run before there are rounded weights, which would wait beside its own.
  const FidelityData data{.calibration = *request.data,
                          .last_batch = static_cast<size_t>(used) - 1,
                          .evaluation = evaluation,
                          .labels = request.labels};
  LATHE_ASSIGN_OR_RETURN(const Answers wanted,
                         AnswersOf(*loaded.model, "the float model", data, engine, control));
  LATHE_ASSIGN_OR_RETURN(
      CalibratedModel calibrated,
      request.effort == Effort::kHigh
          ? CalibrateWithHighEffort(std::move(loaded.model), chosen.settings, engine, *request.data,
                                    control, summary.efforts)
          : CalibrateModel(std::move(loaded.model), chosen.settings, engine, *request.data,
                           control));
  summary.notes.insert(summary.notes.end(), calibrated.notes.begin(), calibrated.notes.end());
  LATHE_ASSIGN_OR_RETURN(SavedModels saved,
                         LowerModel(std::move(calibrated.fused), calibrated.record));
  // Lowering has read all weights of the float model.
  EvictMappedPages();

  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(StageResult(saved, calibrated.record, chosen.config, summary.paths, files));
  saved.fake_quant.reset();
  LATHE_ASSIGN_OR_RETURN(saved.fake_quant, ReadStaged(summary.paths.fake_quant, files));

  LATHE_ASSIGN_OR_RETURN(const Answers got, AnswersOf(*saved.fake_quant, "the fake-quant model",
                                                      data, engine, control));
  LATHE_ASSIGN_OR_RETURN(const Fidelity fidelity, CompareAnswers(wanted, got, request.labels));
  summary.sqnr_db = fidelity.sqnr_db;
  summary.accuracy = fidelity.accuracy;
  if (summary.sqnr_db == -std::numeric_limits<double>::infinity()) {
    summary.notes.push_back(
        "the outputs have no ratio: the float model's are 0, or only one model's are NaN or "
        "infinite");
  }

  LATHE_RETURN_IF_ERROR(StopIfAsked(request.control, "measuring", 1, 1));
  LATHE_RETURN_IF_ERROR(files.Commit());
  summary.bytes_deploy = FileSize(summary.paths.deploy);
  summary.bytes_fake_quant = FileSize(summary.paths.fake_quant);
  for (const quant::RecordEntry& entry : calibrated.record.entries) {
    summary.quantized.push_back(*entry.key);
  }
  summary.left_float = std::move(chosen.report.left_float);
  summary.left_float.insert(summary.left_float.end(), calibrated.report.left_float.begin(),
                            calibrated.report.left_float.end());
  return summary;
}

}  // namespace lathe::flows
