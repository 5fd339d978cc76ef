#include "lathe/flows/balance_model.h"

#include <algorithm>

#include "lathe/flows/activation_layout.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/save_model.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/balance.h"
#include "lathe/quant/config/record_check.h"

namespace lathe::flows {
namespace {

struct Measured {
  passes::QuantLayer layer;
  double strength = 0.5;
  std::vector<float> weight;
  // Empty until the layer's input was seen.
  std::vector<float> activation;
};

Status Observe(Measured& measured, const eval::TensorView& view) {
  std::vector<float> storage;
  const auto values = TapValues(view, storage);
  if (!values) {
    return InvalidInput("its input is {}, only floats can be balanced",
                        ir::ElementTypeName(view.element_type));
  }
  LATHE_ASSIGN_OR_RETURN(const quant::WeightLayout layout,
                         ActivationLayout(measured.layer, view.dims));
  if (values->empty()) return InvalidInput("its input has no elements");
  auto magnitudes = quant::ChannelMagnitudes(*values, layout);
  if (!magnitudes.ok()) return AtPlace(magnitudes.status(), "its input");
  measured.activation = *std::move(magnitudes);
  return OkStatus();
}

StatusOr<std::vector<float>> WeightMagnitudes(const passes::QuantLayer& layer) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         layer.weight->value()->ConstantTensor().ValuesAsFloat());
  auto magnitudes = quant::ChannelMagnitudes(values, layer.InputLayout());
  if (!magnitudes.ok()) return AtPlace(magnitudes.status(), "its weight");
  return magnitudes;
}

Status InLayer(Status status, const std::string& layer) {
  if (!status.ok() && !GetContext(status, ErrorContext::kHint)) {
    status = WithContext(std::move(status), ErrorContext::kHint,
                         "remove the layer's dmq_balancer_param, or leave the layer float");
  }
  return WithContext(std::move(status), ErrorContext::kNode, layer);
}

// In graph order.
StatusOr<std::vector<Measured>> LayersToMeasure(const ir::Model& fused,
                                                const quant::QuantSettings& settings) {
  std::vector<Measured> layers;
  for (passes::QuantLayer& layer : passes::ScanLayers(fused).layers) {
    const auto chosen = std::ranges::find(settings.layers, layer.name, &quant::LayerSettings::name);
    if (chosen == settings.layers.end() || !chosen->dmq_balancer_param) continue;
    if (layer.node->graph()->owner() != nullptr) {
      return InLayer(Unsupported("only layers outside of If, Loop and Scan can be balanced"),
                     layer.name);
    }
    auto weight = WeightMagnitudes(layer);
    if (!weight.ok()) return InLayer(weight.status(), layer.name);
    layers.push_back({std::move(layer), *chosen->dmq_balancer_param, *std::move(weight), {}});
  }
  return layers;
}

StatusOr<quant::Record> Select(const quant::Record& record, const quant::QuantSettings& settings,
                               const ir::Model& fused) {
  const std::string_view hint = "'lathe balance' writes it";
  if (record.entries.empty()) {
    return WithContext(InvalidInput("the balance record is empty"), ErrorContext::kHint, hint);
  }
  LATHE_RETURN_IF_ERROR(quant::CheckRecord(record, DescribeRecordNetwork(fused), {}));
  quant::Record selected;
  for (const quant::LayerSettings& layer : settings.layers) {
    if (!layer.dmq_balancer_param) continue;
    const quant::LayerRecord* entry = record.Find(layer.name);
    if (entry == nullptr || entry->tensor_balance_factor.empty()) {
      return WithContext(
          WithContext(InvalidInput("the balance record has no tensor_balance_factor for the layer"),
                      ErrorContext::kHint, hint),
          ErrorContext::kNode, layer.name);
    }
    quant::RecordEntry& kept = selected.entries.emplace_back();
    kept.key = layer.name;
    kept.value.emplace().tensor_balance_factor = entry->tensor_balance_factor;
  }
  return selected;
}

}  // namespace

const quant::LayerSettings* FindBalancedLayer(const quant::QuantSettings& settings) {
  for (const quant::LayerSettings& layer : settings.layers) {
    if (layer.dmq_balancer_param) return &layer;
  }
  return nullptr;
}

StatusOr<quant::Record> BalanceModel(std::unique_ptr<ir::Model> model,
                                     const quant::QuantSettings& settings, eval::Engine& engine,
                                     const frontends::BatchSource& data,
                                     const RunControl& control) {
  if (FindBalancedLayer(settings) == nullptr) {
    return WithContext(InvalidInput("no enabled layer of the configuration has dmq_balancer_param"),
                       ErrorContext::kHint,
                       "ask for balancing with dmq_balancer in the simplified configuration");
  }
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  return MeasureBalance(*model, settings, engine, data, control);
}

StatusOr<quant::Record> MeasureBalance(const ir::Model& fused, const quant::QuantSettings& settings,
                                       eval::Engine& engine, const frontends::BatchSource& data,
                                       const RunControl& control) {
  LATHE_ASSIGN_OR_RETURN(std::vector<Measured> layers, LayersToMeasure(fused, settings));
  std::vector<eval::Tap> taps;
  for (Measured& layer : layers) {
    taps.push_back(
        {layer.layer.activation->value()->Resolve(), [&layer](const eval::TensorView& view) {
           return InLayer(Observe(layer, view), layer.layer.name);
         }});
  }
  // The reference's: only the first batch's factors reach the record.
  LATHE_RETURN_IF_ERROR(RunBatches(fused, std::move(taps), engine, data, 1, "balancing", control));

  quant::Record record;
  for (const Measured& layer : layers) {
    auto factors = quant::BalanceFactors(layer.activation, layer.weight, layer.strength);
    if (!factors.ok()) return InLayer(factors.status(), layer.layer.name);
    quant::RecordEntry& entry = record.entries.emplace_back();
    entry.key = layer.layer.name;
    entry.value.emplace().tensor_balance_factor = *std::move(factors);
  }
  return record;
}

StatusOr<quant::Record> SelectBalance(const BalanceRecord& balance,
                                      const quant::QuantSettings& settings,
                                      const ir::Model& fused) {
  auto selected = Select(balance.record, settings, fused);
  if (!selected.ok()) return WithContext(selected.status(), ErrorContext::kFile, balance.path);
  return selected;
}

}  // namespace lathe::flows
