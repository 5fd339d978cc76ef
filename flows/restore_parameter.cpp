#include "lathe/flows/restore_parameter.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/float_values.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

using frontends::StateMatch;

std::vector<float> Transposed(const std::vector<float>& values, std::span<const int64_t> dims) {
  const auto rows = static_cast<size_t>(dims[0]);
  const auto columns = static_cast<size_t>(dims[1]);
  std::vector<float> result(values.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) result[c * rows + r] = values[r * columns + c];
  }
  return result;
}

// The mask of a weight that is not sparse holds NaN.
StatusOr<std::optional<std::vector<float>>> ReadMask(const ParameterSlots& slots,
                                                     const StateMatch& match) {
  if (!slots.mask.has_value()) return std::optional<std::vector<float>>();
  LATHE_ASSIGN_OR_RETURN(std::vector<float> mask, match.tensors[*slots.mask].ValuesAsFloat());
  if (std::ranges::any_of(mask, [](float value) { return std::isnan(value); })) {
    return std::optional<std::vector<float>>();
  }
  return std::optional(std::move(mask));
}

// Hands the mask out instead of applying it, where its layer is one of `sparse`.
Status TakeMask(const ParameterSlots& slots, std::optional<std::vector<float>>& mask,
                SparseState* sparse) {
  if (sparse == nullptr || !mask.has_value()) return OkStatus();
  const std::string layer = slots.parameter->node->display_name();
  if (std::ranges::find(sparse->layers, layer) == sparse->layers.end()) return OkStatus();
  if (slots.key->layout == ParameterLayout::kTransposed) {
    mask = Transposed(*mask, slots.key->dims);
  }
  LATHE_ASSIGN_OR_RETURN(sparse->masks[layer], passes::MaskElements(*mask));
  mask.reset();
  return OkStatus();
}

// The values, masked, in the model's layout.
StatusOr<std::vector<float>> ReadValues(const ParameterSlots& slots, const StateMatch& match,
                                        const std::optional<std::vector<float>>& mask) {
  const ParameterKey& key = *slots.key;
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, match.tensors[slots.value].ValuesAsFloat());
  for (size_t i = 0; mask.has_value() && i < values.size(); ++i) values[i] *= (*mask)[i];
  if (key.layout == ParameterLayout::kTransposed) return Transposed(values, key.dims);
  const std::span<const size_t> blocks = GateBlocks(key.layout);
  if (blocks.empty()) return values;
  std::vector<float> gates = InGateOrder(values, blocks);
  if (slots.second.has_value()) {
    LATHE_ASSIGN_OR_RETURN(values, match.tensors[*slots.second].ValuesAsFloat());
    const std::vector<float> second = InGateOrder(values, blocks);
    gates.insert(gates.end(), second.begin(), second.end());
  }
  return gates;
}

// Constants that need not be parameters may be what they like: masks hold infinities.
Status CheckFinite(const ParameterSlots& slots, std::string_view name, const ir::Tensor& value) {
  if (slots.parameter->optional || !ir::IsFloatingPoint(value.element_type())) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(const ir::FloatValues floats, ir::FloatValues::Of(value));
  const std::span<const float> values = floats.span();
  const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return OkStatus();
  return InvalidInput("element {} of {} is {}: the training has diverged", bad - values.begin(),
                      Quoted(name), *bad);
}

}  // namespace

std::optional<ParameterSlots> AskForParameter(const TorchParameter& parameter,
                                              const absl::flat_hash_set<std::string>& sparse,
                                              const Keys& keys, Wishes& wishes) {
  const auto there = std::ranges::find_if(
      parameter.keys, [&](const ParameterKey& key) { return keys.Has(key.name); });
  if (there == parameter.keys.end() && parameter.optional) return std::nullopt;
  const ParameterKey& key = there == parameter.keys.end() ? parameter.keys.front() : *there;
  ParameterSlots slots{&parameter, &key, wishes.Need(key.name, key.dims), {}, {}};
  if (!key.second_name.empty()) slots.second = wishes.Need(key.second_name, key.dims);
  constexpr std::string_view kWeight = "replaced_module.weight";
  if (key.name.ends_with(kWeight)) {
    const std::string mask = key.name.substr(0, key.name.size() - kWeight.size()) + "wts_mask";
    slots.mask = wishes.NeedIfThere(mask, key.dims);
  } else if (parameter.input == 1 && sparse.contains(parameter.node->display_name())) {
    // A model that is trained itself holds it by the name of its own constant.
    const std::string mask = parameter.node->display_name() + std::string(passes::kMask);
    slots.mask = wishes.NeedIfThere(mask, key.dims);
  }
  return slots;
}

Status SetParameter(ir::Rewriter& rewriter, const ParameterSlots& slots, const StateMatch& match,
                    SparseState* sparse) {
  const TorchParameter& parameter = *slots.parameter;
  const ir::Tensor& value = match.tensors[slots.value];
  LATHE_RETURN_IF_ERROR(CheckFinite(slots, slots.key->name, value));
  if (slots.second.has_value()) {
    LATHE_RETURN_IF_ERROR(CheckFinite(slots, slots.key->second_name, match.tensors[*slots.second]));
  }
  const ir::Tensor old = parameter.node->input(parameter.input)->ConstantTensor();
  const std::vector<int64_t> dims(old.dims().begin(), old.dims().end());
  const bool as_it_is =
      slots.key->layout == ParameterLayout::kSame || slots.key->layout == ParameterLayout::kFlat;
  LATHE_ASSIGN_OR_RETURN(auto mask, ReadMask(slots, match));
  LATHE_RETURN_IF_ERROR(TakeMask(slots, mask, sparse));
  if (!mask.has_value() && as_it_is && value.element_type() == old.element_type()) {
    passes::SetConstantInput(rewriter, *parameter.node, parameter.input, value.WithDims(dims));
    return OkStatus();
  }
  if (old.element_type() != ir::ElementType::kFloat32 &&
      old.element_type() != ir::ElementType::kFloat16) {
    return Unsupported("{} of {} cannot be restored from {}", slots.key->name,
                       ir::ElementTypeName(old.element_type()),
                       ir::ElementTypeName(value.element_type()));
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, ReadValues(slots, match, mask));
  passes::SetConstantInput(rewriter, *parameter.node, parameter.input,
                           passes::FloatTensor(old.element_type(), dims, values));
  return OkStatus();
}

}  // namespace lathe::flows
