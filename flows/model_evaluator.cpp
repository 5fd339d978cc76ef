#include "lathe/flows/model_evaluator.h"

#include <algorithm>

#include "lathe/flows/content_hash.h"
#include "lathe/frontends/onnx/import.h"

namespace lathe::flows {

StatusOr<ModelEvaluator> MakeLabelEvaluator(const ir::Model& model, const Labels& labels,
                                            const frontends::BatchSource& evaluation,
                                            const frontends::BatchSource& calibration,
                                            eval::Engine& engine, const RunControl& control) {
  LATHE_RETURN_IF_ERROR(CheckLabels(labels, model, evaluation));
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint64_t> measured, HashBatches(evaluation));
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint64_t> calibrated, HashBatches(calibration));
  ContentHash hash;
  LATHE_RETURN_IF_ERROR(hash.Add(labels.classes));
  for (size_t i = 0; i < measured.size(); ++i) {
    const auto same = std::ranges::find(calibrated, measured[i]);
    if (same != calibrated.end()) {
      return WithContext(InvalidInput("batch {} of the evaluation data is batch {} of the "
                                      "calibration data",
                                      i + 1, same - calibrated.begin() + 1),
                         ErrorContext::kHint, "measure on data that does not calibrate");
    }
    hash.Add(measured[i]);
  }
  ModelEvaluator evaluator;
  evaluator.identity = fmt::format("labels {:016x}", hash.value());
  evaluator.measure = [&labels, &evaluation, &engine, control](
                          const std::string& deploy,
                          const std::string& /*fake_quant*/) -> StatusOr<double> {
    LATHE_ASSIGN_OR_RETURN(const auto candidate, frontends::ImportOnnx(deploy));
    return MeasureAccuracy(*candidate, labels, evaluation, engine, control);
  };
  return evaluator;
}

}  // namespace lathe::flows
