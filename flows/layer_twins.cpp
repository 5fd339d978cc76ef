#include "lathe/flows/layer_twins.h"

#include <absl/container/flat_hash_map.h>

#include "lathe/flows/save_model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/passes/core/plain_attributes.h"
#include "lathe/passes/quant/lift_value.h"
#include "lathe/passes/quant/quant_layer.h"

namespace lathe::flows {
namespace {

// A node with the same results beside `from`. Constants become its own, since a layer does not
// share its weight; they are those of `constants`, the same node as calibration left it.
ir::Node& CopyNode(ir::Rewriter& rewriter, ir::Node& from, const ir::Node& constants,
                   std::string name) {
  ir::Graph& graph = *from.graph();
  ir::NodeSpec spec;
  spec.op = from.op_text();
  spec.domain = from.domain_text();
  spec.name = std::move(name);
  for (size_t i = 0; i < from.num_inputs(); ++i) {
    const ir::Value* calibrated = constants.input(i);
    ir::Value* value = from.input(i);
    if (const ir::Tensor tensor =
            calibrated == nullptr ? ir::Tensor() : calibrated->ConstantTensor()) {
      value = &rewriter.CreateInitializer(graph, fmt::format("{}.input{}", spec.name, i), tensor);
    }
    spec.inputs.push_back(value);
  }
  spec.outputs.assign(from.num_outputs(), "");
  ir::Node& copy = rewriter.CreateNode(graph, from.next(), std::move(spec));
  passes::CopyPlainAttributes(rewriter, from, copy);
  for (size_t i = 0; i < from.num_outputs(); ++i) {
    if (from.output(i) != nullptr) rewriter.SetType(*copy.output(i), from.output(i)->type_ref());
  }
  return copy;
}

// Which output of the layer's node is compared: LSTM and GRU need not have the first.
size_t ComparedOutput(const passes::QuantLayer& layer) {
  for (size_t i = 0; i < layer.node->num_outputs(); ++i) {
    const ir::Value* output = layer.node->output(i);
    if (output != nullptr && !output->name().empty()) return i;
  }
  return 0;
}

// The value in the main graph, under a name that no lowering touches.
std::string Watch(ir::Rewriter& rewriter, ir::Value& value, ir::ElementType element) {
  const std::string name = fmt::format("{}.watch", value.producer()->name_text());
  ir::NodeSpec spec;
  spec.op = "Identity";
  spec.name = name;
  spec.inputs = {&passes::LiftToMainGraph(rewriter, value, element, name + ".lifted")};
  ir::Node& node = rewriter.CreateNode(rewriter.model().graph(), nullptr, std::move(spec));
  rewriter.SetType(*node.output(), node.input(0)->type_ref());
  return std::string(node.name_text());
}

struct Names {
  std::string layer;
  std::string original;
  std::string quantized;
};

// Adds the layer's twin and its factors to `factors`.
Names AddTwin(ir::Rewriter& rewriter, const passes::QuantLayer& layer,
              const passes::QuantLayer& calibrated, const quant::LayerRecord& record,
              quant::Record& factors) {
  ir::Node& twin =
      CopyNode(rewriter, *layer.node, *calibrated.node, fmt::format("{}.twin", layer.name));
  if (ir::Node* pad = layer.activation->user(); pad != layer.node) {
    // The pad of an AveragePool belongs to its layer by its name.
    ir::Node& copy = CopyNode(rewriter, *pad, *calibrated.activation->user(),
                              fmt::format("{}_pad", twin.name_text()));
    rewriter.SetInput(twin, 0, copy.output());
  }
  ir::Value* original = layer.node->output(ComparedOutput(layer));
  ir::Value* result = twin.output(ComparedOutput(layer));
  if (layer.bias_add != nullptr) {
    ir::Node& add = CopyNode(rewriter, *layer.bias_add, *calibrated.bias_add,
                             fmt::format("{}.add", twin.name_text()));
    rewriter.SetInput(add, 0, result);
    original = layer.bias_add->output();
    result = add.output();
  }
  quant::RecordEntry entry;
  entry.key = std::string(twin.name_text());
  entry.value = record;
  factors.entries.push_back(std::move(entry));
  const ir::ElementType element = layer.weight != nullptr
                                      ? layer.weight->value()->ConstantTensor().element_type()
                                      : original->type().element;
  return {layer.name, Watch(rewriter, *original, element), Watch(rewriter, *result, element)};
}

}  // namespace

StatusOr<TwinnedModel> MakeTwins(std::unique_ptr<ir::Model> fused,
                                 const CalibratedModel& calibrated) {
  const passes::LayerScan scan = passes::ScanLayers(*calibrated.fused);
  absl::flat_hash_map<std::string, const passes::QuantLayer*> calibrated_layers;
  for (const passes::QuantLayer& layer : scan.layers) calibrated_layers[layer.name] = &layer;
  ir::Rewriter rewriter(*fused);
  quant::Record factors;
  std::vector<Names> names;
  for (const passes::QuantLayer& layer : passes::ScanLayers(*fused).layers) {
    const quant::LayerRecord* record = calibrated.record.Find(layer.name);
    const auto found = calibrated_layers.find(layer.name);
    if (record == nullptr || found == calibrated_layers.end()) continue;
    names.push_back(AddTwin(rewriter, layer, *found->second, *record, factors));
  }
  TwinnedModel twinned;
  if (names.empty()) {
    twinned.model = std::move(fused);
    return twinned;
  }
  LATHE_ASSIGN_OR_RETURN(SavedModels saved, LowerModel(std::move(fused), factors));
  twinned.model = std::move(saved.fake_quant);
  absl::flat_hash_map<std::string_view, const ir::Value*> values;
  for (const ir::Node& node : twinned.model->graph().nodes()) {
    if (node.Is("Identity")) values[node.name_text()] = node.output();
  }
  for (Names& each : names) {
    twinned.layers.push_back({each.layer, values.at(each.original), values.at(each.quantized)});
  }
  return twinned;
}

}  // namespace lathe::flows
