#include "lathe/flows/calibrate_kv_cache.h"

#include <algorithm>
#include <memory>

#include "lathe/flows/batch_count.h"
#include "lathe/flows/kv_observer.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/layer_index.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

constexpr std::string_view kLayers = "quant_layers";

struct Observed {
  const quant::KvLayerConfig* layer;
  const ir::Value* value;
  std::unique_ptr<KvObserver> observer;
};

// What the Linear module of the reference returns: behind the bias, which exporters add from either
// side, while quantisation of the layer takes only one of them as its bias.
const ir::Value* Output(const passes::QuantLayer& layer) {
  const ir::Value* result = layer.result();
  if (!layer.node->Is("MatMul") || layer.bias_add != nullptr || !result->has_one_use() ||
      result->is_graph_output()) {
    return result;
  }
  const ir::Node* add = result->uses().begin()->user();
  if (add == nullptr || !add->Is("Add")) return result;
  const ir::Tensor bias = add->input(0)->ConstantTensor();
  const auto weight = layer.weight->value()->ConstantTensor();
  const bool fits = bias && bias.dims().size() == 1 && bias.dims().front() == weight.dims().back();
  return fits ? add->output() : result;
}

StatusOr<std::vector<Observed>> FindLayers(const ir::Model& model, const quant::KvConfig& config) {
  const passes::LayerScan scan = passes::ScanLayers(model);
  const quant::NetworkDescription network = passes::DescribeNetwork(scan);
  LATHE_ASSIGN_OR_RETURN(const quant::LayerIndex index, quant::LayerIndex::Create(network));
  std::vector<Observed> layers;
  for (const quant::KvLayerConfig& layer : config.layers) {
    LATHE_ASSIGN_OR_RETURN(const size_t position, index.Find(kLayers, layer.name));
    const passes::QuantLayer& found = scan.layers[position];
    if (found.type != quant::LayerType::kLinear) {
      return InvalidInput("{}: {} is of type {}; only outputs of Linear (Gemm, MatMul) are cached",
                          kLayers, Quoted(layer.name), ToString(found.type));
    }
    if (found.node->graph()->owner() != nullptr) {
      return Unsupported(
          "{}: {} is inside of If, Loop or Scan; only layers outside can be observed", kLayers,
          Quoted(layer.name));
    }
    layers.push_back({&layer, Output(found), nullptr});
  }
  return layers;
}

// Feeds all batches to the observers that are not decided yet.
Status RunPass(const ir::Model& model, std::span<const Observed> layers, eval::Engine& engine,
               const frontends::BatchSource& data, size_t num_batches, const RunControl& control) {
  std::vector<eval::Tap> taps;
  for (const Observed& layer : layers) {
    if (layer.observer->decided()) continue;
    taps.push_back({layer.value, [&layer](const eval::TensorView& view) {
                      return WithContext(layer.observer->Observe(view), ErrorContext::kNode,
                                         layer.layer->name);
                    }});
  }
  return RunBatches(model, std::move(taps), engine, data, num_batches, "calibrating", control);
}

}  // namespace

StatusOr<quant::Record> CalibrateKvCache(const ir::Model& model, const quant::KvConfig& config,
                                         eval::Engine& engine, const frontends::BatchSource& data,
                                         const RunControl& control) {
  LATHE_RETURN_IF_ERROR(quant::CheckKvConfig(config));
  LATHE_ASSIGN_OR_RETURN(std::vector<Observed> layers, FindLayers(model, config));
  LATHE_RETURN_IF_ERROR(CheckEnoughBatches(config.batch_num, data));
  const auto num_batches = static_cast<size_t>(config.batch_num);
  ObserverContext context(control.threads);
  for (Observed& each : layers) {
    const bool asymmetric = each.layer->activation.asymmetric.value_or(config.activation_offset);
    each.observer =
        std::make_unique<KvObserver>(*each.layer, asymmetric, config.batch_num, context);
  }
  const auto decided = [](const Observed& each) { return each.observer->decided(); };
  // An observer asks for at most two passes more (see quant/ifmr.h).
  constexpr size_t kMaxPasses = 3;
  for (size_t pass = 0; !std::ranges::all_of(layers, decided); ++pass) {
    if (pass == kMaxPasses) return InternalError("the search for scales did not end");
    LATHE_RETURN_IF_ERROR(RunPass(model, layers, engine, data, num_batches, control));
    for (const Observed& each : layers) {
      if (decided(each)) continue;
      LATHE_RETURN_IF_ERROR(
          WithContext(each.observer->FinishPass(control), ErrorContext::kNode, each.layer->name));
    }
  }
  quant::Record record;
  for (const Observed& each : layers) {
    quant::RecordEntry& entry = record.entries.emplace_back();
    entry.key = each.layer->name;
    entry.kv_cache_value = each.observer->factors();
  }
  return record;
}

}  // namespace lathe::flows
