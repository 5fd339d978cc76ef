#include "lathe/passes/sparsity/sparse_weight.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/quant/config/prune_settings.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// PyTorch has the matrix the other way round.
bool IsTransposed(const QuantLayer& layer) {
  return layer.type == quant::LayerType::kLinear &&
         !(layer.node->Is("Gemm") && layer.node->IntAttribute("transB", 0) != 0);
}

std::vector<int64_t> GraphShape(const QuantLayer& layer) {
  const ir::Tensor weight = layer.weight->value()->ConstantTensor();
  return {weight.dims().begin(), weight.dims().end()};
}

std::vector<uint8_t> Transposed(const std::vector<uint8_t>& values, int64_t rows, int64_t columns) {
  std::vector<uint8_t> result(values.size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      result[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * columns + c)];
    }
  }
  return result;
}

}  // namespace

quant::AxisLayout InputAxis(const QuantLayer& layer) {
  const std::vector<int64_t> dims = GraphShape(layer);
  size_t axis = 1;
  if (layer.node->Is("ConvTranspose") || IsTransposed(layer)) axis = 0;
  quant::AxisLayout layout;
  for (size_t i = 0; i < axis; ++i) layout.outer *= dims[i];
  layout.length = dims[axis];
  for (size_t i = axis + 1; i < dims.size(); ++i) layout.inner *= dims[i];
  return layout;
}

std::vector<int64_t> TorchShape(const QuantLayer& layer) {
  std::vector<int64_t> shape = GraphShape(layer);
  if (IsTransposed(layer)) std::ranges::reverse(shape);
  return shape;
}

StatusOr<quant::SelectiveMask> MakeSelectiveMask(const QuantLayer& layer,
                                                 const quant::SelectivePruneConfig& config) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> weight,
                         layer.weight->value()->ConstantTensor().ValuesAsFloat());
  quant::SelectiveMask result;
  result.name = layer.name;
  result.shape = TorchShape(layer);
  result.mask = quant::NmMask(weight, InputAxis(layer), {config.group, config.pruned});
  if (IsTransposed(layer)) {
    result.mask = Transposed(result.mask, result.shape.back(), result.shape.front());
  }
  return result;
}

StatusOr<std::vector<uint8_t>> MaskInGraph(const QuantLayer& layer,
                                           const quant::SelectiveMask& mask) {
  const std::vector<int64_t> shape = TorchShape(layer);
  if (mask.shape != shape) {
    return InvalidInput("layer {}: mask_shape is [{}], its weight has [{}]", Quoted(layer.name),
                        fmt::join(mask.shape, ","), fmt::join(shape, ","));
  }
  if (mask.mask.empty()) {
    return InvalidInput("layer {}: the record has no selective_mask", Quoted(layer.name));
  }
  return IsTransposed(layer) ? Transposed(mask.mask, shape.front(), shape.back()) : mask.mask;
}

StatusOr<std::vector<SparseLayer>> FindSparseLayers(const ir::Model& model,
                                                    const quant::Record& record) {
  std::vector<SparseLayer> result;
  const bool any = std::ranges::any_of(record.prune_records, [](const quant::PruneRecord& prune) {
    return prune.selective_prune.has_value();
  });
  if (!any) return result;
  const LayerScan scan = ScanLayers(model);
  absl::flat_hash_map<std::string_view, const QuantLayer*> layers;
  for (const QuantLayer& layer : scan.layers) layers.emplace(layer.name, &layer);
  for (size_t i = 0; i < record.prune_records.size(); ++i) {
    const auto& entry = record.prune_records[i].selective_prune;
    if (!entry.has_value()) continue;
    const std::string where =
        fmt::format("prune_record {}, selective_prune {}", i + 1, Quoted(entry->name));
    auto mask = quant::ReadSelectiveMask(*entry);
    if (!mask.ok()) return InvalidInput("{}: {}", where, FormatError(mask.status()));
    const auto found = layers.find(entry->name);
    const bool can = found != layers.end() && found->second->weight != nullptr &&
                     !quant::WhyNotSelectivePrune(found->second->type).has_value();
    if (!can) {
      return InvalidInput("{}: the model has no layer of this name whose weights can be pruned",
                          where);
    }
    result.push_back({*found->second, *std::move(mask)});
  }
  return result;
}

StatusOr<bool> MaskWeight(ir::Rewriter& rewriter, const SparseLayer& sparse) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint8_t> mask, MaskInGraph(sparse.layer, sparse.mask));
  if (std::ranges::find(mask, 0) == mask.end()) return false;
  const ir::Tensor weight = sparse.layer.weight->value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, weight.ValuesAsFloat());
  bool changed = false;
  for (size_t i = 0; i < values.size(); ++i) {
    if (mask[i] != 0) continue;
    changed |= values[i] != 0;
    values[i] = 0;
  }
  if (!changed) return false;
  SetConstantInput(rewriter, *sparse.layer.node, sparse.layer.weight->index(),
                   FloatTensor(weight.element_type(), weight.dims(), values));
  return true;
}

Status InsertMask(ir::Rewriter& rewriter, const SparseLayer& sparse) {
  const QuantLayer& layer = sparse.layer;
  if (InFunction(*layer.node->graph())) {
    return Unsupported("layer {} stands in a local function, which has no initializers to train",
                       Quoted(layer.name));
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint8_t> mask, MaskInGraph(layer, sparse.mask));
  ir::Value& weight = *layer.weight->value();
  const ir::Tensor tensor = weight.ConstantTensor();
  const std::vector<float> values(mask.begin(), mask.end());
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  ir::Node* first = layer.node;
  for (const ir::Use& use : weight.uses()) {
    if (!use.user()->is_return() && use.user()->IsBefore(*first)) first = use.user();
  }
  ir::Value& constant = MakeConstant(rewriter, *layer.node, layer.name + std::string(kMask),
                                     FloatTensor(tensor.element_type(), tensor.dims(), values));
  ir::NodeSpec spec;
  spec.op = "Mul";
  spec.name = layer.name + std::string(kMaskedWeight);
  spec.inputs = {&weight, &constant};
  ir::Node& product = rewriter.CreateNode(*layer.node->graph(), first, std::move(spec));
  rewriter.SetType(*product.output(), weight.type_ref());
  for (ir::Use* use = weight.first_use(); use != nullptr;) {
    ir::Use* next = use->next_use();
    if (use->user() != &product) rewriter.ReplaceUse(*use, product.output());
    use = next;
  }
  return OkStatus();
}

StatusOr<int64_t> RemoveMasks(ir::Model& model) {
  std::vector<ir::Node*> products;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    if (node.Is("Mul") && node.name_text().ends_with(kMaskedWeight)) products.push_back(&node);
  });
  ir::Rewriter rewriter(model);
  for (ir::Node* node : products) {
    if (node->num_inputs() != 2 || node->input(0) == nullptr || node->input(1) == nullptr ||
        node->input(0)->kind() != ir::Value::Kind::kInitializer) {
      return WithContext(InvalidInput("it is called like a masked weight and is none: another tool "
                                      "has rewritten the model"),
                         ErrorContext::kNode, node->display_name());
    }
    ir::Value* result = node->output();
    rewriter.ReplaceValue(*result, *node->input(0));
    EraseIfUnused(rewriter, *result);
  }
  return static_cast<int64_t>(products.size());
}

}  // namespace lathe::passes
