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

// The shape that PyTorch has for the weight.
std::vector<int64_t> TorchShape(const QuantLayer& layer) {
  std::vector<int64_t> shape = GraphShape(layer);
  if (IsTransposed(layer)) std::ranges::reverse(shape);
  return shape;
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

StatusOr<quant::SelectiveMask> MakeSelectiveMask(const QuantLayer& layer,
                                                 const quant::SelectivePruneConfig& config) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> weight,
                         layer.weight->value()->ConstantTensor().ValuesAsFloat());
  return MaskInTorch(layer, quant::NmMask(weight, InputAxis(layer), {config.group, config.pruned}));
}

quant::SelectiveMask MaskInTorch(const QuantLayer& layer, std::vector<uint8_t> elements) {
  quant::SelectiveMask mask{layer.name, TorchShape(layer), std::move(elements)};
  if (IsTransposed(layer)) {
    mask.mask = Transposed(mask.mask, mask.shape.back(), mask.shape.front());
  }
  return mask;
}

StatusOr<std::vector<uint8_t>> MaskInGraph(const QuantLayer& layer,
                                           const quant::SelectiveMask& mask) {
  const std::vector<int64_t> shape = TorchShape(layer);
  if (mask.shape != shape) {
    return InvalidInput("mask_shape is [{}], the weight has [{}]", fmt::join(mask.shape, ","),
                        fmt::join(shape, ","));
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
                     (found->second->type != quant::LayerType::kLinear ||
                      found->second->weight->value()->ConstantTensor().rank() == 2) &&
                     !quant::WhyNotSelectivePrune(found->second->type).has_value();
    if (!can) {
      return InvalidInput("{}: the model has no layer of this name whose weights can be pruned",
                          where);
    }
    SparseLayer sparse{*found->second, *std::move(mask), found->second->weight->value(), {}};
    if (sparse.mask.mask.empty() && sparse.mask.shape == TorchShape(sparse.layer)) {
      LATHE_ASSIGN_OR_RETURN(sparse.mask, MakeSelectiveMask(sparse.layer, {}));
    }
    auto elements = MaskInGraph(sparse.layer, sparse.mask);
    if (!elements.ok()) return InvalidInput("{}: {}", where, FormatError(elements.status()));
    sparse.elements = *std::move(elements);
    result.push_back(std::move(sparse));
  }
  return result;
}

StatusOr<bool> MaskWeight(ir::Rewriter& rewriter, const SparseLayer& sparse) {
  const std::vector<uint8_t>& mask = sparse.elements;
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
  ir::Value& weight = *sparse.weight;
  const ir::Tensor tensor = weight.ConstantTensor();
  const std::vector<float> values(sparse.elements.begin(), sparse.elements.end());
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

StatusOr<std::vector<uint8_t>> MaskElements(const std::vector<float>& values) {
  std::vector<uint8_t> elements;
  elements.reserve(values.size());
  for (const float value : values) {
    if (value != 0 && value != 1) return InvalidInput("a mask holds {}, not 0 or 1", value);
    elements.push_back(value != 0 ? 1 : 0);
  }
  return elements;
}

StatusOr<MasksByLayer> RemoveMasks(ir::Model& model) {
  std::vector<ir::Node*> products;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    if (node.Is("Mul") && node.name_text().ends_with(kMaskedWeight)) products.push_back(&node);
  });
  ir::Rewriter rewriter(model);
  MasksByLayer masks;
  for (ir::Node* node : products) {
    const auto in_node = [&](const Status& status) {
      return WithContext(status, ErrorContext::kNode, node->display_name());
    };
    const auto is_constant = [&](size_t i) {
      return node->input(i) != nullptr && node->input(i)->kind() == ir::Value::Kind::kInitializer;
    };
    if (node->num_inputs() != 2 || !is_constant(0) || !is_constant(1)) {
      return in_node(
          InvalidInput("it is called like a masked weight and is none: another tool has "
                       "rewritten the model"));
    }
    const auto values = node->input(1)->tensor().ValuesAsFloat();
    if (!values.ok()) return in_node(values.status());
    auto elements = MaskElements(*values);
    if (!elements.ok()) return in_node(elements.status());
    std::string layer(node->name_text());
    layer.resize(layer.size() - kMaskedWeight.size());
    masks.emplace(std::move(layer), *std::move(elements));
    ir::Value* result = node->output();
    rewriter.ReplaceValue(*result, *node->input(0));
    EraseIfUnused(rewriter, *result);
  }
  return masks;
}

}  // namespace lathe::passes
