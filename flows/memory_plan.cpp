#include "lathe/flows/memory_plan.h"

#include <algorithm>
#include <thread>

#include <absl/container/flat_hash_set.h>

#include "lathe/flows/activation_memory.h"
#include "lathe/flows/layer_observer.h"
#include "lathe/ir/rewriter.h"
#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/passes/quant/quant_layer.h"

namespace lathe::flows {
namespace {

// Measured on x86-64 with OpenVINO 2026.4: the libraries' pages and what they allocate for a net of
// one small layer; what compiling and holding a node takes; stacks and buffers of a thread.
constexpr uint64_t kProgram = 100'000'000;
constexpr uint64_t kNode = 120'000;
constexpr uint64_t kThread = 2'000'000;

// What no estimate knows: padding, fragments between blocks.
constexpr uint64_t kSlackPercent = 5;

// Bytes of constants: all, those of the layers to quantise, and the largest one.
struct WeightBytes {
  uint64_t all = 0;
  uint64_t quantized = 0;
  uint64_t largest = 0;
  std::string largest_name;
};

void Count(WeightBytes& weights, const ir::Tensor& tensor, std::string_view name) {
  const uint64_t bytes = tensor.byte_size();
  weights.all += bytes;
  if (bytes <= weights.largest) return;
  weights.largest = bytes;
  weights.largest_name = name;
}

uint64_t ConstantBytes(const ir::Use* use) {
  if (use == nullptr || use->value() == nullptr) return 0;
  const ir::Tensor tensor = use->value()->ConstantTensor();
  return tensor ? tensor.byte_size() : 0;
}

WeightBytes CountWeights(const ir::Model& model, std::span<const passes::QuantLayer> layers) {
  WeightBytes weights;
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->tensor()) Count(weights, value->tensor(), value->name_text());
    }
    for (const ir::Node& node : graph->nodes()) {
      const ir::Tensor* tensor = node.Is("Constant") ? node.TensorAttribute("value") : nullptr;
      if (tensor != nullptr) Count(weights, *tensor, node.display_name());
    }
  }
  for (const passes::QuantLayer& layer : layers) {
    weights.quantized += ConstantBytes(layer.weight) + ConstantBytes(layer.recurrence);
  }
  return weights;
}

// The extents of the largest of the first `count` batches.
std::vector<std::vector<int64_t>> LargestBatch(const frontends::BatchSource& data, size_t count) {
  std::vector<std::vector<int64_t>> largest;
  double most = -1;
  for (size_t i = 0; i < count; ++i) {
    std::vector<std::vector<int64_t>> shapes = data.shapes(i);
    double elements = 0;
    for (const std::vector<int64_t>& dims : shapes) {
      double product = 1;
      for (const int64_t dim : dims) product *= static_cast<double>(dim);
      elements += product;
    }
    if (elements <= most) continue;
    most = elements;
    largest = std::move(shapes);
  }
  return largest;
}

// A copy with the inputs' shapes fixed and all others inferred.
StatusOr<std::unique_ptr<ir::Model>> WithShapes(const ir::Model& model,
                                                std::vector<std::vector<int64_t>> shapes) {
  std::unique_ptr<ir::Model> copy = model.Clone();
  ir::Rewriter rewriter(*copy);
  size_t fed = 0;
  for (ir::Value* input : copy->graph().inputs()) {
    if (input->tensor() || fed == shapes.size()) continue;
    rewriter.SetType(
        *input, copy->Intern(ir::Type::Tensor(input->type().element, std::move(shapes[fed++]))));
  }
  LATHE_RETURN_IF_ERROR(ir::InferShapes(rewriter, {.list_types = true}).status());
  return copy;
}

std::vector<passes::QuantLayer> ChosenLayers(const ir::Model& model,
                                             const quant::QuantSettings& settings) {
  absl::flat_hash_set<std::string_view> names;
  for (const quant::LayerSettings& layer : settings.layers) names.insert(layer.name);
  std::vector<passes::QuantLayer> layers;
  for (passes::QuantLayer& layer : passes::ScanLayers(model).layers) {
    if (names.contains(layer.name)) layers.push_back(std::move(layer));
  }
  return layers;
}

// What the dearest observer of the job takes, and all of a thread's.
struct Observers {
  size_t count = 0;
  uint64_t each = 0;
  uint64_t thread = 0;
};

Observers CountObservers(std::span<const passes::QuantLayer> layers,
                         const quant::QuantSettings& settings) {
  Observers observers;
  for (const passes::QuantLayer& layer : layers) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    uint64_t values = ValueBytes(*layer.activation->value()).value_or(0) / sizeof(float);
    if (layer.is_recurrent()) {
      values = std::max(values, 2 * ValueBytes(*layer.node->output(0)).value_or(0) / sizeof(float));
    }
    const LayerObserver::Memory memory =
        LayerObserver::MemoryFor(*chosen, values * static_cast<uint64_t>(settings.batch_num));
    observers.count += layer.is_recurrent() ? 2 : 1;
    observers.each = std::max(observers.each, memory.observer);
    observers.thread = std::max(observers.thread, memory.thread);
  }
  return observers;
}

// AdaRound holds one layer's input, output and gradients of them, and eight floats a weight.
uint64_t RoundingBytes(std::span<const passes::QuantLayer> layers,
                       const quant::QuantSettings& settings) {
  uint64_t most = 0;
  for (const passes::QuantLayer& layer : layers) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    if (!chosen->ada) continue;
    most = std::max(most, 2 * ValueBytes(*layer.activation->value()).value_or(0) +
                              3 * ValueBytes(*layer.result()).value_or(0) +
                              10 * ConstantBytes(layer.weight));
  }
  return most;
}

std::string Megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

Status DoesNotFit(const MemoryStage& stage, uint64_t limit) {
  std::vector<const MemoryPart*> parts;
  for (const MemoryPart& part : stage.parts) {
    if (part.bytes > 0) parts.push_back(&part);
  }
  std::ranges::stable_sort(parts, std::greater<>(), &MemoryPart::bytes);
  std::string text;
  for (const MemoryPart* part : parts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", part->what, Megabytes(part->bytes));
  }
  return WithContext(
      InvalidInput("the memory limit of {} cannot be kept: {} takes at least {} ({})",
                   Megabytes(limit), stage.name, Megabytes(stage.Total()), text),
      ErrorContext::kHint, "give a higher limit or smaller batches");
}

MemoryPart ActivationPart(const ActivationMemory& activations) {
  return {fmt::format("values alive at node '{}'", activations.node), activations.peak};
}

}  // namespace

uint64_t MemoryStage::Total() const {
  uint64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.bytes;
  return sum + sum / 100 * kSlackPercent;
}

StatusOr<MemoryPlan> PlanMemory(const ir::Model& model, const quant::QuantSettings& settings,
                                const frontends::BatchSource& data, const RunControl& control,
                                const frontends::BatchSource* measured) {
  if (control.max_memory == 0) return MemoryPlan{.observers_per_pass = SIZE_MAX};
  const size_t batches = std::min(static_cast<size_t>(settings.batch_num), data.num_batches());
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> fed,
                         WithShapes(model, LargestBatch(data, batches)));
  const std::vector<passes::QuantLayer> layers = ChosenLayers(*fed, settings);
  LATHE_ASSIGN_OR_RETURN(const ActivationMemory seen, EstimateActivations(*fed, layers));
  const WeightBytes weights = CountWeights(*fed, layers);
  const Observers observers = CountObservers(layers, settings);
  size_t nodes = 0;
  for (const ir::Graph* graph : model.AllGraphs()) nodes += graph->num_nodes();
  const auto threads = static_cast<uint64_t>(
      control.threads > 0 ? control.threads
                          : static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));

  const MemoryPart program = {"program and libraries",
                              kProgram + kNode * nodes + kThread * threads};
  const std::string of_weights = fmt::format("weights, '{}' the largest,", weights.largest_name);
  const bool folds =
      settings.do_fusion && std::ranges::any_of(fed->AllGraphs(), [](const ir::Graph* graph) {
        return std::ranges::any_of(
            graph->nodes(), [](const ir::Node& node) { return node.Is("BatchNormalization"); });
      });
  MemoryPlan plan;
  // As fused, as rounded, and as the kernels want them; what the others share with the file is
  // copied while it is compiled.
  const MemoryPart held = {of_weights,
                           (folds ? weights.all : 0) + weights.quantized + weights.all +
                               (weights.all - std::min(weights.all, weights.quantized))};
  plan.stages.push_back({"calibration",
                         {program,
                          held,
                          ActivationPart(seen),
                          {"batch", 2 * seen.inputs},
                          {"statistics", observers.each + observers.thread * threads}}});
  if (const uint64_t rounding = RoundingBytes(layers, settings); rounding > 0) {
    plan.stages.push_back({"learning to round",
                           {program,
                            held,
                            {"the layer that is learnt", rounding},
                            ActivationPart(seen),
                            {"batch", 2 * seen.inputs}}});
  }
  if (measured != nullptr) {
    // Of the whole nets: the rounded one waits while the float one, read from its file, is copied,
    // folded and laid out for the kernels.
    ActivationMemory most = seen;
    for (const auto& [source, count] :
         {std::pair{&data, batches}, std::pair{measured, measured->num_batches()}}) {
      LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> run,
                             WithShapes(model, LargestBatch(*source, count)));
      LATHE_ASSIGN_OR_RETURN(const ActivationMemory all, EstimateActivations(*run, {}));
      if (all.peak + 2 * all.inputs > most.peak + 2 * most.inputs || source == &data) most = all;
    }
    plan.stages.push_back({"measuring the result",
                           {program,
                            {of_weights, weights.quantized + (folds ? 3 : 2) * weights.all},
                            ActivationPart(most),
                            {"batch", 2 * most.inputs},
                            {"outputs", 3 * most.outputs}}});
  }

  const auto dearest = std::ranges::max_element(plan.stages, {}, &MemoryStage::Total);
  const uint64_t limit = control.max_memory;
  if (limit != 0 && dearest->Total() > limit) return DoesNotFit(*dearest, limit);
  plan.observers_per_pass = std::max<size_t>(observers.count, 1);
  MemoryStage& calibration = plan.stages.front();
  if (limit != 0 && observers.each > 0) {
    const uint64_t left = (limit - calibration.Total()) * 100 / (100 + kSlackPercent);
    plan.observers_per_pass =
        std::min(plan.observers_per_pass, 1 + static_cast<size_t>(left / observers.each));
  }
  calibration.parts.back().bytes += (plan.observers_per_pass - 1) * observers.each;
  for (const MemoryStage& stage : plan.stages) plan.peak = std::max(plan.peak, stage.Total());
  return plan;
}

}  // namespace lathe::flows
