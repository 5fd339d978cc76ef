#include "lathe/flows/model_evaluator.h"

#include <algorithm>

#include "lathe/flows/content_hash.h"
#include "lathe/flows/import_model.h"

namespace lathe::flows {
namespace {

// How many samples of the first are in the second. Error: all of one batch.
StatusOr<size_t> CountCommon(const SampleHashes& measured, const SampleHashes& calibrated) {
  std::vector<uint64_t> known;
  for (const std::vector<uint64_t>& batch : calibrated) {
    known.insert(known.end(), batch.begin(), batch.end());
  }
  std::ranges::sort(known);
  size_t common = 0;
  for (size_t i = 0; i < measured.size(); ++i) {
    const auto here = static_cast<size_t>(std::ranges::count_if(
        measured[i], [&](uint64_t sample) { return std::ranges::binary_search(known, sample); }));
    if (here == measured[i].size()) {
      return WithContext(
          InvalidInput("batch {} of the evaluation data is calibration data too", i + 1),
          ErrorContext::kHint, "measure on data that does not calibrate");
    }
    common += here;
  }
  return common;
}

}  // namespace

StatusOr<ModelEvaluator> MakeLabelEvaluator(const ir::Model& model, const Labels& labels,
                                            const frontends::BatchSource& evaluation,
                                            const frontends::BatchSource& calibration,
                                            eval::Engine& engine, const RunControl& control) {
  LATHE_RETURN_IF_ERROR(CheckLabels(labels, model, evaluation));
  LATHE_ASSIGN_OR_RETURN(const SampleHashes measured, HashSamples(evaluation));
  LATHE_ASSIGN_OR_RETURN(const SampleHashes calibrated, HashSamples(calibration));
  ContentHash hash;
  LATHE_RETURN_IF_ERROR(hash.Add(labels.classes));
  hash.Add(measured);
  LATHE_ASSIGN_OR_RETURN(const size_t common, CountCommon(measured, calibrated));
  ModelEvaluator evaluator;
  if (common > 0) {
    evaluator.notes.push_back(
        fmt::format("{} samples of the evaluation data are calibration data too", common));
  }
  evaluator.identity = fmt::format("labels {:016x}", hash.value());
  evaluator.measure = [&labels, &evaluation, &engine, control](
                          const std::string& deploy,
                          const std::string& /*fake_quant*/) -> StatusOr<double> {
    LATHE_ASSIGN_OR_RETURN(const auto candidate, ImportModel(deploy));
    return MeasureAccuracy(*candidate, labels, evaluation, engine, control);
  };
  return evaluator;
}

}  // namespace lathe::flows
