#include "lathe/flows/ada_round_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lathe/flows/ada_problem.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/folded_activation.h"
#include "lathe/quant/ada_round.h"

namespace lathe::flows {
namespace {

// How many samples one iteration looks at.
constexpr size_t kSamples = 32;

struct Seen {
  std::vector<int64_t> dims;
  std::vector<float> values;
};

// What the value is on the first batch.
StatusOr<Seen> ValueOnFirstBatch(const ir::Model& model, const ir::Value* value,
                                 eval::Engine& engine, const frontends::BatchSource& data,
                                 const RunControl& control) {
  Seen seen;
  eval::CompileOptions options;
  options.threads = control.threads;
  options.input_shapes = control.input_shapes;
  options.outputs = false;
  options.taps.push_back({value->Resolve(), [&seen](const eval::TensorView& view) {
                            std::vector<float> storage;
                            const auto values = TapValues(view, storage);
                            if (!values) {
                              return InvalidInput("its values are {}, not floats",
                                                  ir::ElementTypeName(view.element_type));
                            }
                            seen.dims.assign(view.dims.begin(), view.dims.end());
                            seen.values.assign(values->begin(), values->end());
                            return OkStatus();
                          }});
  LATHE_ASSIGN_OR_RETURN(const auto compiled, engine.Compile(model, options));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(0));
  LATHE_RETURN_IF_ERROR(compiled->Run(inputs).status());
  return seen;
}

// Draws without replacement; the numbers are SplitMix64's, so they are the same everywhere.
class SampleDrawer {
 public:
  SampleDrawer(int64_t samples, uint64_t seed)
      : all_(static_cast<size_t>(samples)), state_(seed * 0x2545F4914F6CDD1Dull) {
    std::iota(all_.begin(), all_.end(), int64_t{0});
  }

  // In ascending order; all of them where there are no more than kSamples.
  std::span<const int64_t> Draw() {
    if (all_.size() <= kSamples) return all_;
    for (size_t i = 0; i < kSamples; ++i) {
      std::swap(all_[i], all_[i + static_cast<size_t>(Next() % (all_.size() - i))]);
    }
    drawn_.assign(all_.begin(), all_.begin() + kSamples);
    std::ranges::sort(drawn_);
    return drawn_;
  }

 private:
  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::vector<int64_t> all_;
  std::vector<int64_t> drawn_;
  uint64_t state_;
};

// All that one layer's optimisation looks at.
struct Problem {
  std::string name;
  quant::AdaRoundOptions options;
  quant::WeightLayout layout;
  std::vector<float> weights;
  std::vector<float> scales;
  passes::FoldedActivation folded;
  Seen input;
  Seen target;
  quant::LayerShape shape;
  uint64_t seed = 0;
};

StatusOr<std::vector<float>> Optimize(const Problem& problem, ThreadPool& pool,
                                      const RunControl& control) {
  // The reference averages over all axes but the second.
  const auto& dims = problem.target.dims;
  const double positions = dims.size() < 2 ? 1.0
                                           : static_cast<double>(problem.target.values.size()) /
                                                 static_cast<double>(dims[0] * dims[1]);
  LATHE_ASSIGN_OR_RETURN(
      quant::AdaLayer layer,
      quant::AdaLayer::Create(problem.shape, problem.input.values, problem.target.values,
                              problem.folded.bias, problem.folded.activation, problem.folded.slopes,
                              positions));
  LATHE_ASSIGN_OR_RETURN(
      quant::AdaRounding rounding,
      quant::AdaRounding::Create(problem.weights, problem.layout, problem.scales, problem.options));
  SampleDrawer drawer(problem.shape.samples, problem.seed + 1);
  std::vector<float> gradient(problem.weights.size());
  const auto iterations = static_cast<size_t>(problem.options.num_iteration);
  // Enough to see it move, few enough to cost nothing.
  const size_t told = std::max<size_t>(iterations / 100, 1);
  const std::string stage = fmt::format("rounding {}", problem.name);
  for (size_t i = 0; i < iterations; ++i) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control, stage, i, iterations));
    const double loss = layer.Loss(rounding.weights(), drawer.Draw(), gradient, pool);
    if (!std::isfinite(loss)) return InvalidInput("the loss of its rounding is {}", loss);
    rounding.Step(gradient, pool);
    if (control.progress && ((i + 1) % told == 0 || i + 1 == iterations)) {
      control.progress(stage, i + 1, iterations);
    }
  }
  return std::vector<float>(rounding.weights().begin(), rounding.weights().end());
}

// The layer of this name in another copy of the network.
StatusOr<passes::QuantLayer> FindLayer(const ir::Model& model, const std::string& name) {
  for (passes::QuantLayer& layer : passes::ScanLayers(model).layers) {
    if (layer.name == name) return std::move(layer);
  }
  return InternalError("the layer is not in the float network");
}

class Optimizer {
 public:
  Optimizer(ir::Model& observed, const ir::Model& balanced, const ir::Model& floats,
            eval::Engine& engine, const frontends::BatchSource& data, const RunControl& control)
      : observed_(observed),
        balanced_(balanced),
        floats_(floats),
        engine_(engine),
        data_(data),
        control_(control),
        pool_(control.threads) {}

  StatusOr<ir::Tensor> Run(const passes::QuantLayer& layer, const quant::LayerSettings& settings,
                           const quant::LayerRecord& entry, uint64_t seed) {
    LATHE_ASSIGN_OR_RETURN(const Problem problem, Describe(layer, settings, entry, seed));
    LATHE_ASSIGN_OR_RETURN(const std::vector<float> rows, Optimize(problem, pool_, control_));
    const ir::Tensor old = layer.weight->value()->ConstantTensor();
    ir::Tensor weight =
        passes::FloatTensor(old.element_type(), old.dims(), OrderOf(layer).FromRows(rows));
    ir::Rewriter rewriter(observed_);
    passes::SetConstantInput(rewriter, *layer.node, layer.weight->index(), weight);
    return weight;
  }

 private:
  StatusOr<Problem> Describe(const passes::QuantLayer& layer, const quant::LayerSettings& settings,
                             const quant::LayerRecord& entry, uint64_t seed) {
    Problem problem;
    problem.name = layer.name;
    problem.options = {.num_iteration = settings.ada->num_iteration,
                       .reg_param = settings.ada->reg_param,
                       .warm_start = settings.ada->warm_start,
                       .beta_start = settings.ada->beta_range[0],
                       .beta_end = settings.ada->beta_range[1]};
    problem.seed = seed;
    problem.scales = entry.scale_w;
    problem.layout = RowLayout(layer, problem.scales.size() > 1);
    LATHE_ASSIGN_OR_RETURN(const passes::QuantLayer balanced, FindLayer(balanced_, layer.name));
    LATHE_ASSIGN_OR_RETURN(const std::vector<float> stored,
                           balanced.weight->value()->ConstantTensor().ValuesAsFloat());
    problem.weights = OrderOf(layer).ToRows(stored);
    LATHE_ASSIGN_OR_RETURN(const passes::QuantLayer original, FindLayer(floats_, layer.name));
    LATHE_ASSIGN_OR_RETURN(problem.folded, passes::FoldActivation(original));
    LATHE_ASSIGN_OR_RETURN(problem.target, ValueOnFirstBatch(floats_, problem.folded.result,
                                                             engine_, data_, control_));
    LATHE_ASSIGN_OR_RETURN(problem.input, ValueOnFirstBatch(observed_, layer.activation->value(),
                                                            engine_, data_, control_));
    LATHE_ASSIGN_OR_RETURN(problem.shape,
                           LayerShapeOf(layer, problem.input.dims, problem.target.dims));
    return problem;
  }

  ir::Model& observed_;
  const ir::Model& balanced_;
  const ir::Model& floats_;
  eval::Engine& engine_;
  const frontends::BatchSource& data_;
  const RunControl& control_;
  ThreadPool pool_;
};

}  // namespace

StatusOr<std::vector<RoundedWeight>> AdaRoundModel(
    ir::Model& observed, const ir::Model& balanced, const ir::Model& floats,
    const quant::QuantSettings& settings, const quant::Record& record, eval::Engine& engine,
    const frontends::BatchSource& data, const RunControl& control) {
  std::vector<RoundedWeight> results;
  Optimizer optimizer(observed, balanced, floats, engine, data, control);
  for (const passes::QuantLayer& layer : passes::MarkedLayers(observed)) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    const quant::LayerRecord* entry = record.Find(layer.name);
    if (chosen == settings.layers.end() || !chosen->ada || entry == nullptr) continue;
    if (layer.node->graph()->owner() != nullptr) {
      return WithContext(
          WithContext(Unsupported("ada_quantize is for layers outside of If, Loop and Scan only"),
                      ErrorContext::kHint, "give the layer arq_quantize"),
          ErrorContext::kNode, layer.name);
    }
    auto weight = optimizer.Run(layer, *chosen, *entry, results.size());
    if (!weight.ok()) return WithContext(weight.status(), ErrorContext::kNode, layer.name);
    results.push_back({layer.name, *std::move(weight)});
  }
  return results;
}

}  // namespace lathe::flows
