#include "lathe/flows/activation_memory.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

namespace lathe::flows {
namespace {

// What an operator takes beside its inputs and outputs, and where its outputs stand.
constexpr std::array<std::string_view, 24> kInPlace = {"Abs",       "BatchNormalization",
                                                       "Clip",      "Dropout",
                                                       "Elu",       "Erf",
                                                       "Exp",       "Flatten",
                                                       "Gelu",      "HardSigmoid",
                                                       "HardSwish", "Identity",
                                                       "LeakyRelu", "Mish",
                                                       "Neg",       "PRelu",
                                                       "Relu",      "Reshape",
                                                       "Sigmoid",   "Sqrt",
                                                       "Squeeze",   "Tanh",
                                                       "Unsqueeze", "Softplus"};

// Kernels of these keep images in blocks of channels; what follows keeps the layout.
constexpr std::array<std::string_view, 6> kBlocked = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "MaxPool"};
constexpr int64_t kBlock = 16;

bool IsOneOf(const ir::Node& node, std::span<const std::string_view> operators) {
  return std::ranges::any_of(operators, [&](std::string_view op) { return node.Is(op); });
}

// The gates of all steps, which LSTM and GRU compute at once.
uint64_t RecurrentBytes(const ir::Node& node) {
  if (!node.Is("LSTM") && !node.Is("GRU") && !node.Is("RNN")) return 0;
  const ir::Value* weight = node.input(1);
  const ir::Value* steps = node.input(0);
  if (weight == nullptr || steps == nullptr) return 0;
  const auto gates = weight->type().StaticShape();
  const auto input = steps->type().StaticShape();
  if (!gates || gates->size() != 3 || !input || input->size() != 3) return 0;
  return sizeof(float) *
         static_cast<uint64_t>((*gates)[0] * (*gates)[1] * (*input)[0] * (*input)[1]);
}

class Walk {
 public:
  explicit Walk(std::span<const passes::QuantLayer> layers) {
    for (const passes::QuantLayer& layer : layers) {
      observed_.insert(layer.activation->value()->Resolve());
      if (layer.is_recurrent()) recurrent_.insert(layer.node);
    }
  }

  // The most that the graph's nodes need at once, beside what is alive around it.
  StatusOr<uint64_t> Peak(const ir::Graph& graph, std::string* at) {
    // Buffers by the value that stands in them now.
    absl::flat_hash_map<const ir::Value*, uint64_t> alive;
    absl::flat_hash_map<const ir::Value*, const ir::Node*> last_use;
    for (const ir::Node& node : graph.nodes()) {
      for (const ir::Use& use : node.operands()) {
        if (use.value() != nullptr) last_use[use.value()] = &node;
      }
    }
    for (const ir::Use& use : graph.outputs()) last_use.erase(use.value());
    absl::flat_hash_set<const ir::Value*> outputs;
    for (const ir::Use& use : graph.outputs()) outputs.insert(use.value());

    uint64_t sum = 0;
    uint64_t peak = 0;
    for (const ir::Node& node : graph.nodes()) {
      LATHE_ASSIGN_OR_RETURN(uint64_t extra, Extra(node));
      const ir::Value* first = node.input(0);
      const bool takes_over = IsOneOf(node, kInPlace) && first != nullptr &&
                              alive.contains(first) && last_use.contains(first) &&
                              last_use.at(first) == &node;
      for (const ir::Value* output : node.outputs()) {
        if (output == nullptr || output->name().empty()) continue;
        LATHE_ASSIGN_OR_RETURN(uint64_t bytes, BufferBytes(node, *output, alive));
        if (takes_over && output == node.output(0)) {
          bytes = std::max(bytes, alive.at(first));
          sum -= alive.at(first);
          alive.erase(first);
        }
        alive[output] = bytes;
        sum += bytes;
      }
      if (sum + extra > peak) {
        peak = sum + extra;
        if (at != nullptr) *at = node.display_name();
      }
      for (const ir::Use& use : node.operands()) Free(use.value(), node, last_use, alive, sum);
      for (const ir::Value* output : node.outputs()) {
        if (output == nullptr || last_use.contains(output) || outputs.contains(output)) continue;
        Free(output, node, last_use, alive, sum);
      }
    }
    return peak;
  }

 private:
  using Alive = absl::flat_hash_map<const ir::Value*, uint64_t>;

  static void Free(const ir::Value* value, const ir::Node& node,
                   const absl::flat_hash_map<const ir::Value*, const ir::Node*>& last_use,
                   Alive& alive, uint64_t& sum) {
    const auto found = alive.find(value);
    if (value == nullptr || found == alive.end()) return;
    const auto last = last_use.find(value);
    const bool unused = !value->has_uses();
    if (!unused && (last == last_use.end() || last->second != &node)) return;
    sum -= found->second;
    alive.erase(found);
  }

  static StatusOr<uint64_t> BufferBytes(const ir::Node& node, const ir::Value& output,
                                        const Alive& alive) {
    const auto bytes = ValueBytes(output);
    if (!bytes) {
      return WithContext(
          WithContext(
              InvalidInput("the memory limit cannot be promised: the shape of '{}' is not known "
                           "before the run",
                           output.name_text()),
              ErrorContext::kHint, "fix the inputs' shapes with --shape, or give no limit"),
          ErrorContext::kNode, node.display_name());
    }
    uint64_t size = *bytes;
    const auto dims = output.type().StaticShape();
    if (!dims || dims->size() < 3) return size;
    if (IsOneOf(node, kBlocked)) {
      const int64_t channels = (*dims)[1];
      if (channels > 0) {
        const auto blocks = static_cast<uint64_t>((channels + kBlock - 1) / kBlock);
        size = size / static_cast<uint64_t>(channels) * blocks * kBlock;
      }
      return size;
    }
    // The layout of the operands stays.
    for (const ir::Use& use : node.inputs()) {
      const auto found = alive.find(use.value());
      if (found == alive.end() || use.value()->type().StaticShape() != dims) continue;
      size = std::max(size, found->second);
    }
    return size;
  }

  // Working memory, copies for observers, and what bodies need.
  StatusOr<uint64_t> Extra(const ir::Node& node) {
    uint64_t extra = RecurrentBytes(node);
    if (recurrent_.contains(&node)) {
      // The hidden state is cut, joined and observed.
      extra += 3 * ValueBytes(*node.output(0)).value_or(0);
    }
    for (const ir::Use& use : node.operands()) {
      if (use.value() == nullptr || !observed_.contains(use.value()->Resolve())) continue;
      extra += ValueBytes(*use.value()).value_or(0);
    }
    for (const ir::Graph* body : node.bodies()) {
      LATHE_ASSIGN_OR_RETURN(const uint64_t inside, Peak(*body, nullptr));
      extra += inside;
    }
    return extra;
  }

  absl::flat_hash_set<const ir::Value*> observed_;
  absl::flat_hash_set<const ir::Node*> recurrent_;
};

}  // namespace

std::optional<uint64_t> ValueBytes(const ir::Value& value) {
  const ir::Type& type = value.type();
  if (!type.is_tensor()) return std::nullopt;
  const auto dims = type.StaticShape();
  if (!dims) return std::nullopt;
  const StatusOr<int64_t> count = ir::CheckedElementCount(*dims);
  if (!count.ok()) return std::nullopt;
  const auto width = static_cast<uint64_t>(std::max(ir::ElementBits(type.element), 32)) / 8;
  return static_cast<uint64_t>(*count) * width;
}

StatusOr<ActivationMemory> EstimateActivations(const ir::Model& model,
                                               std::span<const passes::QuantLayer> layers) {
  ActivationMemory memory;
  Walk walk(layers);
  LATHE_ASSIGN_OR_RETURN(memory.peak, walk.Peak(model.graph(), &memory.node));
  for (const ir::Value* input : model.graph().inputs()) {
    if (!input->tensor()) memory.inputs += ValueBytes(*input).value_or(0);
  }
  for (const ir::Use& use : model.graph().outputs()) {
    memory.outputs += ValueBytes(*use.value()).value_or(0);
  }
  return memory;
}

}  // namespace lathe::flows
