#include "lathe/flows/fidelity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace lathe::flows {
namespace {

StatusOr<double> WorstSqnr(std::span<const ir::Tensor> want, std::span<const ir::Tensor> got) {
  double worst = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < want.size(); ++i) {
    LATHE_ASSIGN_OR_RETURN(const std::optional<double> ratio, Sqnr(want[i], got[i]));
    if (ratio) worst = std::min(worst, *ratio);
  }
  return worst;
}

// Position of the largest value of each sample: the first output, cut along axis 0.
StatusOr<std::vector<int64_t>> TopClasses(const ir::Tensor& output) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, output.ValuesAsFloat());
  const int64_t samples = output.rank() == 0 ? 1 : output.dims()[0];
  std::vector<int64_t> classes;
  const auto width = samples == 0 ? 0 : static_cast<std::ptrdiff_t>(values.size()) / samples;
  for (int64_t i = 0; i < samples && width > 0; ++i) {
    const auto begin = values.begin() + i * width;
    classes.push_back(std::max_element(begin, begin + width) - begin);
  }
  return classes;
}

// The classes of all samples of the evaluation data.
StatusOr<std::vector<int64_t>> Classify(eval::CompiledGraph& compiled,
                                        const frontends::BatchSource& evaluation,
                                        const RunControl& control, std::string_view stage) {
  std::vector<int64_t> all;
  for (size_t batch = 0; batch < evaluation.num_batches(); ++batch) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control, stage, batch, evaluation.num_batches()));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, evaluation.Load(batch));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> outputs, compiled.Run(inputs));
    if (outputs.empty()) return InvalidInput("the model has no output to take a class from");
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> classes, TopClasses(outputs[0]));
    all.insert(all.end(), classes.begin(), classes.end());
    if (control.progress) control.progress(stage, batch + 1, evaluation.num_batches());
  }
  return all;
}

Status WrongCount(const Labels& labels, int64_t samples) {
  return WithContext(
      InvalidInput("there are {} labels for {} samples", labels.classes.num_elements(), samples),
      ErrorContext::kFile, labels.path);
}

// Samples of the first output over all batches, where its type says; nothing otherwise.
std::optional<int64_t> CountSamples(const ir::Model& model,
                                    const frontends::BatchSource& evaluation) {
  if (model.graph().outputs().empty()) return std::nullopt;
  const std::optional<ir::Shape>& shape = model.graph().outputs()[0].value()->type().shape;
  if (!shape || shape->empty()) return std::nullopt;
  const ir::Dim& dim = shape->front();
  int64_t samples = 0;
  for (size_t batch = 0; batch < evaluation.num_batches(); ++batch) {
    samples += dim.is_known() ? dim.extent() : evaluation.samples(batch);
  }
  if (dim.is_known()) return samples;
  // The first input without a default is the one that `evaluation` counts.
  for (const ir::Value* input : model.graph().inputs()) {
    if (input->tensor()) continue;
    const std::optional<ir::Shape>& fed = input->type().shape;
    const bool same = dim.is_symbol() && fed && !fed->empty() && fed->front().is_symbol() &&
                      fed->front().symbol() == dim.symbol();
    return same ? std::optional(samples) : std::nullopt;
  }
  return std::nullopt;
}

double ShareRight(std::span<const int64_t> classes, std::span<const int64_t> expected) {
  if (expected.empty()) return 0;
  int64_t right = 0;
  for (size_t i = 0; i < expected.size(); ++i) right += classes[i] == expected[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(expected.size());
}

StatusOr<Answers> Answer(const ir::Model& model, std::string_view name, const FidelityData& data,
                         eval::Engine& engine, const RunControl& control) {
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  LATHE_ASSIGN_OR_RETURN(const auto compiled, engine.Compile(model, options));
  Answers answers;
  {
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs,
                           data.calibration.Load(data.last_batch));
    LATHE_ASSIGN_OR_RETURN(answers.outputs, compiled->Run(inputs));
  }
  if (!data.labels) return answers;
  LATHE_ASSIGN_OR_RETURN(answers.classes, Classify(*compiled, data.evaluation, control,
                                                   fmt::format("measuring accuracy of {}", name)));
  const auto samples = static_cast<int64_t>(answers.classes.size());
  if (samples != data.labels->classes.num_elements()) return WrongCount(*data.labels, samples);
  return answers;
}

}  // namespace

StatusOr<std::optional<double>> Sqnr(const ir::Tensor& want, const ir::Tensor& got) {
  if (!std::ranges::equal(want.dims(), got.dims())) {
    return InvalidInput("shapes [{}] and [{}] differ", fmt::join(want.dims(), ","),
                        fmt::join(got.dims(), ","));
  }
  if (!ir::IsFloatingPoint(want.element_type())) return std::optional<double>();
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> a, want.ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> b, got.ValuesAsFloat());
  double signal = 0;
  double noise = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
      return std::optional(-std::numeric_limits<double>::infinity());
    }
    const double difference = double{a[i]} - double{b[i]};
    signal += double{a[i]} * double{a[i]};
    noise += difference * difference;
  }
  if (noise == 0) return std::optional(std::numeric_limits<double>::infinity());
  return std::optional(10 * std::log10(signal / noise));
}

Status CheckLabels(const Labels& labels, const ir::Model& model,
                   const frontends::BatchSource& evaluation) {
  const ir::ElementType type = labels.classes.element_type();
  if (!ir::IsInteger(type)) {
    return WithContext(InvalidInput("labels are integers, these are {}", ir::ElementTypeName(type)),
                       ErrorContext::kFile, labels.path);
  }
  const std::optional<int64_t> samples = CountSamples(model, evaluation);
  if (!samples || *samples == labels.classes.num_elements()) return OkStatus();
  return WrongCount(labels, *samples);
}

StatusOr<double> MeasureAccuracy(const ir::Model& model, const Labels& labels,
                                 const frontends::BatchSource& evaluation, eval::Engine& engine,
                                 const RunControl& control) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> expected, labels.classes.ValuesAsInt64());
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  LATHE_ASSIGN_OR_RETURN(const auto compiled, engine.Compile(model, options));
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> classes,
                         Classify(*compiled, evaluation, control, "measuring accuracy"));
  if (classes.size() != expected.size()) {
    return WrongCount(labels, static_cast<int64_t>(classes.size()));
  }
  return ShareRight(classes, expected);
}

StatusOr<Answers> AnswersOf(const ir::Model& model, std::string_view name, const FidelityData& data,
                            eval::Engine& engine, const RunControl& control) {
  StatusOr<Answers> answers = Answer(model, name, data, engine, control);
  if (!answers.ok()) {
    return WhereItStopped(answers.status(), fmt::format("measuring {}", name), 0, 1);
  }
  return answers;
}

StatusOr<Fidelity> CompareAnswers(const Answers& original, const Answers& quantized,
                                  const std::optional<Labels>& labels) {
  Fidelity fidelity;
  LATHE_ASSIGN_OR_RETURN(fidelity.sqnr_db, WorstSqnr(original.outputs, quantized.outputs));
  if (labels) {
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> expected, labels->classes.ValuesAsInt64());
    fidelity.accuracy = {.float_model = ShareRight(original.classes, expected),
                         .fake_quant = ShareRight(quantized.classes, expected),
                         .samples = static_cast<int64_t>(expected.size())};
  }
  return fidelity;
}

}  // namespace lathe::flows
