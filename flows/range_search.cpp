#include "lathe/flows/range_search.h"

#include <algorithm>
#include <optional>

#include "lathe/flows/activation_layout.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/arq.h"
#include "lathe/quant/balance.h"
#include "lathe/quant/config/layer_rules.h"

namespace lathe::flows {
namespace {

using quant::HeldOutSearch;

struct Searched {
  passes::QuantLayer layer;
  const quant::LayerSettings* settings;
  HeldOutSearch search;
  // Samples seen in this pass.
  size_t samples = 0;
  bool usable = true;
};

std::vector<Searched> LayersToSearch(const ir::Model& fused, const quant::QuantSettings& settings) {
  std::vector<Searched> layers;
  for (passes::QuantLayer& layer : passes::ScanLayers(fused).layers) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    if (chosen == settings.layers.end() || chosen->activation_bits > 8) continue;
    if (layer.weight == nullptr || layer.is_recurrent()) continue;
    if (layer.node->graph()->owner() != nullptr) continue;
    const HeldOutSearch::Options options = {
        .num_bits = chosen->activation_bits,
        .asymmetric = chosen->with_offset,
        .balance = layer.cin > 1 && !quant::WhyNotBalancing(layer.type),
    };
    HeldOutSearch search(static_cast<size_t>(layer.cin), options);
    layers.push_back({std::move(layer), &*chosen, std::move(search)});
  }
  return layers;
}

// Gives the samples of a batch to `take`, each with its fold.
template <typename Take>
Status ForEachSample(Searched& searched, const eval::TensorView& view, const Take& take) {
  std::vector<float> storage;
  const auto values = TapValues(view, storage);
  if (!values) {
    searched.usable = false;
    return OkStatus();
  }
  if (values->empty()) return OkStatus();
  std::vector<int64_t> dims(view.dims.begin(), view.dims.end());
  // A lone row of Linear is one sample.
  const size_t samples = dims.size() > 1 ? static_cast<size_t>(dims[0]) : 1;
  if (dims.size() > 1) dims[0] = 1;
  LATHE_ASSIGN_OR_RETURN(const quant::WeightLayout layout, ActivationLayout(searched.layer, dims));
  const size_t size = values->size() / samples;
  for (size_t i = 0; i < samples; ++i) {
    take(searched.samples++ % HeldOutSearch::kFolds, values->subspan(i * size, size), layout);
  }
  return OkStatus();
}

// Runs all batches; `observe` gets each layer and its input.
template <typename Observe>
Status RunPass(const ir::Model& fused, std::vector<Searched>& layers, std::string_view stage,
               size_t batch_num, eval::Engine& engine, const frontends::BatchSource& data,
               const RunControl& control, const Observe& observe) {
  std::vector<eval::Tap> taps;
  for (Searched& layer : layers) {
    layer.samples = 0;
    if (!layer.usable) continue;
    taps.push_back({layer.layer.activation->value()->Resolve(),
                    [&layer, &observe](const eval::TensorView& view) {
                      Status status = observe(layer, view);
                      if (status.ok()) return status;
                      return WithContext(std::move(status), ErrorContext::kNode, layer.layer.name);
                    }});
  }
  if (taps.empty()) return OkStatus();
  return RunBatches(fused, std::move(taps), engine, data, batch_num, stage, control);
}

// What the search needs to know of a weight.
struct WeightFacts {
  // For each input channel the sum of the squares.
  std::vector<double> power;
  // For each strength what rounding the balanced weight to nearest adds to the error.
  std::vector<double> errors;
};

StatusOr<WeightFacts> DescribeWeight(const Searched& searched) {
  const passes::QuantLayer& layer = searched.layer;
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> weight,
                         layer.weight->value()->ConstantTensor().ValuesAsFloat());
  const quant::WeightLayout inputs = layer.InputLayout();
  const quant::WeightLayout scales_layout = layer.Layout(
      *layer.weight, searched.settings->channel_wise ? static_cast<size_t>(layer.channels) : 1);
  const auto square_sums = [&](std::span<const float> values) {
    std::vector<double> sums(static_cast<size_t>(inputs.channels()));
    quant::ForEachRun(inputs, [&](size_t channel, size_t begin, size_t length) {
      for (const float value : values.subspan(begin, length)) {
        sums[channel] += double{value} * double{value};
      }
    });
    return sums;
  };
  WeightFacts facts{square_sums(weight), {}};
  const std::vector<double> squares = searched.search.MeanSquares();
  for (size_t s = 0; s < HeldOutSearch::kStrengths.size(); ++s) {
    const std::vector<float> factors = searched.search.Factors(s);
    std::vector<float> balanced = weight;
    LATHE_RETURN_IF_ERROR(quant::MultiplyChannels(balanced, inputs, factors));
    const int bits = searched.settings->weight_bits;
    LATHE_ASSIGN_OR_RETURN(const std::vector<float> scales,
                           quant::ArqScales(balanced, scales_layout, bits));
    std::vector<float> rounded(balanced.size());
    LATHE_RETURN_IF_ERROR(
        quant::FakeQuantizeWeights(balanced, scales_layout, scales, bits, rounded));
    for (size_t i = 0; i < rounded.size(); ++i) rounded[i] -= balanced[i];
    const std::vector<double> lost = square_sums(rounded);
    double error = 0;
    for (size_t c = 0; c < lost.size(); ++c) {
      error += lost[c] * squares[c] / (double{factors[c]} * double{factors[c]});
    }
    facts.errors.push_back(error);
  }
  return facts;
}

}  // namespace

StatusOr<std::vector<LayerRange>> SearchRanges(const ir::Model& fused,
                                               const quant::QuantSettings& settings,
                                               eval::Engine& engine,
                                               const frontends::BatchSource& data,
                                               const RunControl& control) {
  const auto batch_num = static_cast<size_t>(settings.batch_num);
  std::vector<Searched> layers = LayersToSearch(fused, settings);
  ThreadPool pool(control.threads);
  LATHE_RETURN_IF_ERROR(RunPass(
      fused, layers, "measuring ranges", batch_num, engine, data, control,
      [](Searched& layer, const eval::TensorView& view) {
        return ForEachSample(layer, view, [&](size_t fold, auto values, const auto& layout) {
          layer.search.Measure(fold, values, layout);
        });
      }));
  for (Searched& layer : layers) {
    layer.usable = layer.usable && layer.samples > 0 && layer.search.FinishMeasuring();
  }
  LATHE_RETURN_IF_ERROR(RunPass(
      fused, layers, "trying ranges", batch_num, engine, data, control,
      [&pool](Searched& layer, const eval::TensorView& view) {
        return ForEachSample(layer, view, [&](size_t fold, auto values, const auto& layout) {
          layer.search.Try(fold, values, layout, pool);
        });
      }));
  std::vector<LayerRange> ranges;
  for (const Searched& layer : layers) {
    if (!layer.usable) continue;
    const auto facts = DescribeWeight(layer);
    // Calibration will say what is wrong with such a weight.
    if (!facts.ok()) continue;
    LATHE_ASSIGN_OR_RETURN(HeldOutSearch::Choice choice,
                           layer.search.Choose(facts->power, facts->errors));
    ranges.push_back({layer.layer.name, std::move(choice)});
  }
  return ranges;
}

}  // namespace lathe::flows
