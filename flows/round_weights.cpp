#include "lathe/flows/round_weights.h"

#include <algorithm>
#include <optional>

#include "lathe/flows/ada_problem.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/quant/patch_moments.h"
#include "lathe/quant/second_order_rounding.h"

namespace lathe::flows {
namespace {

constexpr size_t kMomentBytes = size_t{256} << 20;
constexpr int64_t kLargestPatch = 4608;

struct Rounded {
  // Of the float network.
  passes::QuantLayer layer;
  const quant::LayerSettings* settings = nullptr;
  int64_t patch = 0;
  quant::PatchMoments moments{0, 0};
  // The input of this batch until the output tells the layer's geometry, and the other way round.
  std::vector<float> input;
  std::vector<int64_t> input_dims;
  std::vector<int64_t> output_dims;
  // Why the moments are not to be used.
  Status status;

  Status TakeInput(const eval::TensorView& view, ThreadPool& pool) {
    std::vector<float> storage;
    const auto values = TapValues(view, storage);
    if (!values) return OkStatus();
    input.assign(values->begin(), values->end());
    input_dims.assign(view.dims.begin(), view.dims.end());
    return Meet(pool);
  }
  Status TakeOutput(const eval::TensorView& view, ThreadPool& pool) {
    output_dims.assign(view.dims.begin(), view.dims.end());
    return Meet(pool);
  }

 private:
  Status Meet(ThreadPool& pool) {
    if (input_dims.empty() || output_dims.empty()) return OkStatus();
    const auto shape = LayerShapeOf(layer, input_dims, output_dims);
    if (shape.ok()) {
      moments.Add(*shape, input, pool);
    } else {
      status = shape.status();
    }
    input = {};
    input_dims.clear();
    output_dims.clear();
    return OkStatus();
  }
};

bool HasTwoAxes(const passes::QuantLayer& layer) {
  const size_t rank = layer.weight->value()->ConstantTensor().rank();
  return layer.type == quant::LayerType::kLinear ? rank == 2 : rank == 4;
}

std::vector<Rounded> LayersToRound(const CalibratedModel& calibrated, const ir::Model& fused,
                                   const quant::QuantSettings& settings) {
  std::vector<Rounded> layers;
  for (passes::QuantLayer& layer : passes::ScanLayers(fused).layers) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    if (chosen == settings.layers.end() || chosen->ada) continue;
    if (calibrated.record.Find(layer.name) == nullptr) continue;
    if (layer.weight == nullptr || layer.is_recurrent() || !HasTwoAxes(layer)) continue;
    if (layer.node->graph()->owner() != nullptr) continue;
    const WeightOrder order = OrderOf(layer);
    if (order.b * order.d > kLargestPatch) continue;
    Rounded& rounded = layers.emplace_back();
    rounded.patch = order.b * order.d;
    rounded.layer = std::move(layer);
    rounded.settings = &*chosen;
  }
  return layers;
}

Status Observe(std::span<Rounded> layers, const ir::Model& fused, size_t batch_num,
               eval::Engine& engine, const frontends::BatchSource& data, const RunControl& control,
               ThreadPool& pool) {
  std::vector<eval::Tap> taps;
  for (Rounded& layer : layers) {
    layer.moments = quant::PatchMoments(layer.layer.group, layer.patch);
    taps.push_back({layer.layer.activation->value()->Resolve(),
                    [&](const eval::TensorView& v) { return layer.TakeInput(v, pool); }});
    taps.push_back({layer.layer.node->output(),
                    [&](const eval::TensorView& v) { return layer.TakeOutput(v, pool); }});
  }
  return RunBatches(fused, std::move(taps), engine, data, batch_num, "looking at weights", control);
}

// The moments of what the balanced weights of a group meet; around the mean where a bias makes up
// for it.
std::vector<double> GroupMoments(const Rounded& layer, int64_t group, std::span<const double> means,
                                 std::span<const float> factors, bool centred) {
  std::vector<double> products = layer.moments.Products(group);
  const auto patch = static_cast<size_t>(layer.patch);
  const int64_t cin = layer.layer.cin / layer.layer.group;
  const auto taps = patch / static_cast<size_t>(cin);
  const auto factor = [&](size_t i) {
    return factors.empty() ? 1.0 : double{factors[static_cast<size_t>(group * cin) + i / taps]};
  };
  for (size_t i = 0; i < patch; ++i) {
    for (size_t j = 0; j < patch; ++j) {
      double& product = products[i * patch + j];
      if (centred) product -= means[i] * means[j];
      product /= factor(i) * factor(j);
    }
  }
  return products;
}

// A bias of one value a channel, which can make up for a change of the mean.
std::optional<std::vector<float>> BiasOf(const passes::QuantLayer& layer) {
  if (layer.bias == nullptr) return std::nullopt;
  const ir::Tensor tensor = layer.bias->value()->ConstantTensor();
  const WeightOrder order = OrderOf(layer);
  if (!tensor || tensor.num_elements() != order.a * order.c) return std::nullopt;
  auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return std::nullopt;
  return *std::move(values);
}

Status RoundLayer(const Rounded& layer, const passes::QuantLayer& target,
                  const quant::LayerRecord& record, ir::Rewriter& rewriter, ThreadPool& pool) {
  const ir::Tensor old = target.weight->value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> stored, old.ValuesAsFloat());
  const WeightOrder order = OrderOf(target);
  const std::vector<float> wanted = order.ToRows(stored);
  std::vector<float> rows = wanted;
  std::optional<std::vector<float>> bias = BiasOf(target);
  const auto groups = static_cast<size_t>(layer.layer.group);
  const auto patch = static_cast<size_t>(layer.patch);
  const size_t cout = rows.size() / patch / groups;
  const auto& factors = record.tensor_balance_factor;
  const size_t taps = patch * groups / static_cast<size_t>(layer.layer.cin);
  for (size_t g = 0; g < groups; ++g) {
    const std::vector<double> means = layer.moments.Means(static_cast<int64_t>(g));
    const std::vector<double> moments =
        GroupMoments(layer, static_cast<int64_t>(g), means, factors, bias.has_value());
    const auto group_rows = std::span(rows).subspan(g * cout * patch, cout * patch);
    const std::span<const float> scales = record.scale_w;
    LATHE_RETURN_IF_ERROR(quant::RoundBySecondMoments(
        group_rows, scales.size() == 1 ? scales : scales.subspan(g * cout, cout), moments,
        layer.settings->weight_bits, pool));
    if (!bias) continue;
    for (size_t row = g * cout; row < (g + 1) * cout; ++row) {
      double lost = 0;
      for (size_t i = 0; i < patch; ++i) {
        const double error = double{wanted[row * patch + i]} - double{rows[row * patch + i]};
        const size_t channel = g * (patch / taps) + i / taps;
        lost += error * means[i] / (factors.empty() ? 1.0 : double{factors[channel]});
      }
      (*bias)[row] += static_cast<float>(lost);
    }
  }
  passes::SetConstantInput(
      rewriter, *target.weight->user(), target.weight->index(),
      passes::FloatTensor(old.element_type(), old.dims(), order.FromRows(rows)));
  if (!bias) return OkStatus();
  const ir::Tensor old_bias = target.bias->value()->ConstantTensor();
  passes::SetConstantInput(rewriter, *target.bias->user(), target.bias->index(),
                           passes::FloatTensor(old_bias.element_type(), old_bias.dims(), *bias));
  return OkStatus();
}

}  // namespace

StatusOr<std::vector<std::string>> RoundWeights(CalibratedModel& calibrated, const ir::Model& fused,
                                                const quant::QuantSettings& settings,
                                                eval::Engine& engine,
                                                const frontends::BatchSource& data,
                                                const RunControl& control) {
  std::vector<Rounded> layers = LayersToRound(calibrated, fused, settings);
  std::vector<std::string> names;
  ThreadPool pool(control.threads);
  ir::Rewriter rewriter(*calibrated.fused);
  for (size_t begin = 0; begin < layers.size();) {
    size_t end = begin;
    size_t bytes = 0;
    while (end < layers.size()) {
      bytes += quant::PatchMoments::Bytes(layers[end].layer.group, layers[end].patch);
      if (end > begin && bytes > kMomentBytes) break;
      ++end;
    }
    const auto some = std::span(layers).subspan(begin, end - begin);
    LATHE_RETURN_IF_ERROR(
        Observe(some, fused, static_cast<size_t>(settings.batch_num), engine, data, control, pool));
    const std::vector<passes::QuantLayer> targets = passes::ScanLayers(*calibrated.fused).layers;
    for (Rounded& layer : some) {
      if (!layer.status.ok()) continue;
      const auto target = std::ranges::find(targets, layer.layer.name, &passes::QuantLayer::name);
      if (target == targets.end()) continue;
      const Status status =
          RoundLayer(layer, *target, *calibrated.record.Find(layer.layer.name), rewriter, pool);
      if (!status.ok()) return WithContext(status, ErrorContext::kNode, layer.layer.name);
      layer.moments = quant::PatchMoments(0, 0);
      names.push_back(layer.layer.name);
    }
    begin = end;
  }
  return names;
}

}  // namespace lathe::flows
