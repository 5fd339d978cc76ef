#include "lathe/flows/memory_plan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

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
uint64_t WithSlack(uint64_t bytes) { return bytes + bytes / 100 * kSlackPercent; }

// Something that takes memory.
struct Part {
  std::string what;
  uint64_t bytes = 0;
};

uint64_t WithSlack(std::span<const Part> parts) {
  uint64_t sum = 0;
  for (const Part& part : parts) sum += part.bytes;
  return WithSlack(sum);
}

uint64_t ConstantBytes(const ir::Value* value) {
  if (value == nullptr) return 0;
  const ir::Tensor tensor = value->ConstantTensor();
  return tensor ? tensor.byte_size() : 0;
}

struct Weights {
  uint64_t bytes = 0;
  // The name of the largest.
  std::string largest;
};

Weights CountWeights(const ir::Model& model) {
  Weights weights;
  uint64_t most = 0;
  const auto count = [&](const ir::Tensor& tensor, std::string_view name) {
    weights.bytes += tensor.byte_size();
    if (tensor.byte_size() <= most) return;
    most = tensor.byte_size();
    weights.largest = name;
  };
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->tensor()) count(value->tensor(), value->name_text());
    }
    for (const ir::Node& node : graph->nodes()) {
      const ir::Tensor* tensor = node.Is("Constant") ? node.TensorAttribute("value") : nullptr;
      if (tensor != nullptr) count(*tensor, node.display_name());
    }
  }
  return weights;
}

using Extents = std::vector<std::vector<int64_t>>;

double Elements(const Extents& inputs) {
  double sum = 0;
  for (const std::vector<int64_t>& dims : inputs) {
    double product = 1;
    for (const int64_t dim : dims) product *= static_cast<double>(dim);
    sum += product;
  }
  return sum;
}

// `largest`, or one of the first `count` batches that is larger.
Extents LargestBatch(const frontends::BatchSource& data, size_t count, Extents largest) {
  for (size_t i = 0; i < std::min(count, data.num_batches()); ++i) {
    Extents inputs = data.shapes(i);
    if (Elements(inputs) > Elements(largest)) largest = std::move(inputs);
  }
  return largest;
}

// A copy with the inputs' shapes fixed and all others inferred.
StatusOr<std::unique_ptr<ir::Model>> WithShapes(const ir::Model& model, const Extents& shapes) {
  std::unique_ptr<ir::Model> copy = model.Clone();
  ir::Rewriter rewriter(*copy);
  const auto set = [&](ir::Value& value, const ir::Type& type) {
    rewriter.SetType(value, copy->Intern(type));
  };
  size_t fed = 0;
  for (ir::Value* input : copy->graph().inputs()) {
    if (input->tensor() || fed == shapes.size()) continue;
    set(*input, ir::Type::Tensor(input->type().element, shapes[fed++]));
  }
  // A free dimension that the file declares would stay free.
  for (ir::Graph* graph : copy->AllGraphs()) {
    for (ir::Node& node : graph->nodes()) {
      for (ir::Value* output : node.outputs()) {
        if (output == nullptr || !output->type().is_tensor() || output->type().StaticShape()) {
          continue;
        }
        set(*output, ir::Type::Tensor(output->type().element));
      }
    }
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

// What the dearest observer of the job takes, and what it needs of each thread.
struct Observers {
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
    const LayerObserver::Memory memory = LayerObserver::MemoryFor(
        ObserverSettings::Of(*chosen), values * static_cast<uint64_t>(settings.batch_num));
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
    most = std::max(
        most, 2 * ValueBytes(*layer.activation->value()).value_or(0) +
                  3 * ValueBytes(*layer.result()).value_or(0) +
                  10 * ConstantBytes(layer.weight == nullptr ? nullptr : layer.weight->value()));
  }
  return most;
}

std::string Megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

Status DoesNotFit(std::vector<Part> parts, uint64_t limit, std::string_view hint) {
  std::erase_if(parts, [](const Part& part) { return part.bytes == 0; });
  std::ranges::stable_sort(parts, std::greater<>(), &Part::bytes);
  std::vector<std::string> texts;
  for (const Part& part : parts) {
    texts.push_back(fmt::format("{} {}", part.what, Megabytes(part.bytes)));
  }
  const uint64_t least = WithSlack(parts);
  return WithContext(
      InvalidInput("the memory limit of {} cannot be kept: the job takes at least {}, {} more ({})",
                   Megabytes(limit), Megabytes(least), Megabytes(least - limit),
                   fmt::join(texts, ", ")),
      ErrorContext::kHint, hint);
}

bool HasBatchNormalization(const ir::Model& model) {
  return std::ranges::any_of(model.AllGraphs(), [](const ir::Graph* graph) {
    return std::ranges::any_of(graph->nodes(),
                               [](const ir::Node& node) { return node.Is("BatchNormalization"); });
  });
}

}  // namespace

StatusOr<size_t> PlanObserversPerPass(const ir::Model& model, const quant::QuantSettings& settings,
                                      const frontends::BatchSource& data, const RunControl& control,
                                      const frontends::BatchSource* measured) {
  const uint64_t limit = control.max_memory;
  if (limit == 0) return SIZE_MAX;
  if (settings.joint_quant || !settings.tensors.empty()) {
    return WithContext(
        InvalidInput("the memory limit cannot be promised: what {} takes is not counted",
                     settings.joint_quant ? "joint_quant" : "tensor_quantize"),
        ErrorContext::kHint, "take it out of the configuration, or give no limit");
  }
  Extents batch = LargestBatch(data, static_cast<size_t>(settings.batch_num), {});
  if (measured != nullptr) batch = LargestBatch(*measured, SIZE_MAX, std::move(batch));
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> fed, WithShapes(model, batch));
  const std::vector<passes::QuantLayer> layers = ChosenLayers(*fed, settings);
  LATHE_ASSIGN_OR_RETURN(const ActivationMemory values, EstimateActivations(*fed, layers));
  const Weights weights = CountWeights(*fed);
  const Observers observers = CountObservers(layers, settings);
  size_t nodes = 0;
  for (const ir::Graph* graph : fed->AllGraphs()) nodes += graph->num_nodes();
  const auto threads = static_cast<uint64_t>(
      control.threads > 0 ? control.threads
                          : static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));

  // While networks are compiled: as read or folded, and as the kernels want them; one more with
  // BatchNormalization folded in. While they are lowered: as in the file, rounded, and as integers.
  const uint64_t copied =
      HasBatchNormalization(*fed) ? 3 * weights.bytes : 2 * weights.bytes + weights.bytes / 4;
  std::vector<Part> parts = {
      {"program and libraries", kProgram + kNode * nodes + kThread * threads},
      {fmt::format("weights, '{}' the largest,", weights.largest), copied},
      {fmt::format("values alive at node '{}'", values.node), values.peak},
      {"batch", 2 * values.inputs},
  };
  // One after the other; the float model's outputs wait until the end.
  const uint64_t outputs = measured != nullptr ? values.outputs : 0;
  const std::array<Part, 3> stages = {{
      {"statistics", observers.each + observers.thread * threads + outputs},
      {"learning to round", RoundingBytes(layers, settings) + outputs},
      {"outputs", 3 * outputs},
  }};
  parts.push_back(*std::ranges::max_element(stages, {}, &Part::bytes));
  if (WithSlack(parts) > limit) {
    const bool divisible = !batch.empty() && !batch[0].empty() && batch[0][0] > 1;
    return DoesNotFit(std::move(parts), limit,
                      divisible ? "give a higher limit or smaller batches" : "give a higher limit");
  }
  parts.back() = stages.front();
  const uint64_t left = limit - WithSlack(parts);
  return 1 + static_cast<size_t>(left / std::max<uint64_t>(WithSlack(observers.each), 1));
}

}  // namespace lathe::flows
