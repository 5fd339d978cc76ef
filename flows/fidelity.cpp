#include "lathe/flows/fidelity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace lathe::flows {
namespace {

// A compiled model that is only compiled when it is needed.
StatusOr<std::unique_ptr<eval::CompiledGraph>> Compile(const ir::Model& model, eval::Engine& engine,
                                                       const RunControl& control) {
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  return engine.Compile(model, options);
}

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

StatusOr<Accuracy> MeasureAccuracy(eval::CompiledGraph& original, eval::CompiledGraph& quantized,
                                   const frontends::BatchSource& data, const ir::Tensor& labels,
                                   const RunControl& control) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> expected, labels.ValuesAsInt64());
  Accuracy accuracy;
  int64_t float_right = 0;
  int64_t quantized_right = 0;
  for (size_t batch = 0; batch < data.num_batches(); ++batch) {
    if (control.interrupted && control.interrupted()) {
      return absl::CancelledError("interrupted; nothing was written");
    }
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> want, original.Run(inputs));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> got, quantized.Run(inputs));
    if (want.empty()) return InvalidInput("the model has no output to take a class from");
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> float_classes, TopClasses(want[0]));
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> quantized_classes, TopClasses(got[0]));
    for (size_t i = 0; i < float_classes.size(); ++i, ++accuracy.samples) {
      const auto sample = static_cast<size_t>(accuracy.samples);
      if (sample >= expected.size()) continue;
      float_right += float_classes[i] == expected[sample] ? 1 : 0;
      quantized_right += quantized_classes[i] == expected[sample] ? 1 : 0;
    }
    if (control.progress) control.progress("measuring accuracy", batch + 1, data.num_batches());
  }
  if (accuracy.samples != static_cast<int64_t>(expected.size())) {
    return InvalidInput("there are {} labels for {} samples", expected.size(), accuracy.samples);
  }
  const auto samples = static_cast<double>(std::max<int64_t>(accuracy.samples, 1));
  accuracy.float_model = static_cast<double>(float_right) / samples;
  accuracy.fake_quant = static_cast<double>(quantized_right) / samples;
  return accuracy;
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
    const double difference = double{a[i]} - double{b[i]};
    signal += double{a[i]} * double{a[i]};
    noise += difference * difference;
  }
  if (noise == 0) return std::optional(std::numeric_limits<double>::infinity());
  return std::optional(10 * std::log10(signal / noise));
}

StatusOr<Fidelity> MeasureFidelity(const ir::Model& original, const ir::Model& quantized,
                                   const FidelityData& data, eval::Engine& engine,
                                   const RunControl& control) {
  LATHE_ASSIGN_OR_RETURN(const auto float_graph, Compile(original, engine, control));
  LATHE_ASSIGN_OR_RETURN(const auto quantized_graph, Compile(quantized, engine, control));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs,
                         data.calibration.Load(data.last_batch));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> want, float_graph->Run(inputs));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> got, quantized_graph->Run(inputs));
  Fidelity fidelity;
  LATHE_ASSIGN_OR_RETURN(fidelity.sqnr_db, WorstSqnr(want, got));
  if (data.labels) {
    LATHE_ASSIGN_OR_RETURN(
        fidelity.accuracy,
        MeasureAccuracy(*float_graph, *quantized_graph, data.evaluation, *data.labels, control));
  }
  return fidelity;
}

}  // namespace lathe::flows
