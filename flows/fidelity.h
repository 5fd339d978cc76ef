// How well a quantised model does what the float model did.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"
#include "lathe/frontends/data/batches.h"

namespace lathe::flows {

struct Accuracy {
  double float_model = 0;
  double fake_quant = 0;
  int64_t samples = 0;
};

struct Fidelity {
  // 10 log10(sum of squares / sum of squared differences) of the worst output on one batch, in dB.
  // Infinite when all outputs are equal.
  double sqnr_db = 0;
  std::optional<Accuracy> accuracy;
};

// One class number a sample of the evaluation data, in order.
struct Labels {
  ir::Tensor classes;
  // Where they were read, for messages.
  std::string path;
};

struct FidelityData {
  const frontends::BatchSource& calibration;
  size_t last_batch = 0;
  const frontends::BatchSource& evaluation;
  // Without them there is no accuracy.
  const std::optional<Labels>& labels;
};

// What can be said without running anything: labels must be integers and, where the model's first
// output has as many samples as its first input or a fixed number, one a sample. Errors carry the
// labels' file. O(batches).
Status CheckLabels(const Labels& labels, const ir::Model& model,
                   const frontends::BatchSource& evaluation);

// What one model makes of the data.
struct Answers {
  // The outputs for the last batch.
  std::vector<ir::Tensor> outputs;
  // The class of each sample of the evaluation data: where the largest value of the first output
  // stands, over all axes but the first. Empty without labels.
  std::vector<int64_t> classes;
};

// Runs the model, of which `name` tells the progress. The compiled model is gone when this returns:
// two at once would be the peak of a job. Errors: labels that are no integers, or not one a sample.
StatusOr<Answers> AnswersOf(const ir::Model& model, std::string_view name, const FidelityData& data,
                            eval::Engine& engine, const RunControl& control);

// The accuracy is the share of samples whose class is the label. Error: labels that are no
// integers.
StatusOr<Fidelity> CompareAnswers(const Answers& original, const Answers& quantized,
                                  const std::optional<Labels>& labels);

// The accuracy of one model, deploy models included. Errors as above.
StatusOr<double> MeasureAccuracy(const ir::Model& model, const Labels& labels,
                                 const frontends::BatchSource& evaluation, eval::Engine& engine,
                                 const RunControl& control);

// The ratio for one pair of float32 or float16 tensors; nothing for other types. NaN and infinity
// are left out where both have the same, and make it minus infinity elsewhere. Error: shapes
// differ.
StatusOr<std::optional<double>> Sqnr(const ir::Tensor& want, const ir::Tensor& got);

}  // namespace lathe::flows
