#include "lathe/passes/quant/qdq_constant.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace lathe::passes {
namespace {

using ir::ElementType;

// Strides of a dense tensor, last axis fastest.
std::vector<int64_t> StridesOf(const std::vector<int64_t>& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// Permutes the axes; nothing when `perm` is no permutation of them, else the complete permutation.
template <typename T>
std::optional<std::vector<int64_t>> Permute(std::vector<T>& values, std::vector<int64_t>& dims,
                                            std::vector<int64_t> perm) {
  const size_t rank = dims.size();
  if (perm.empty()) {
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> sorted = perm;
  std::ranges::sort(sorted);
  bool complete = perm.size() == rank;
  for (size_t i = 0; i < sorted.size(); ++i) complete &= sorted[i] == static_cast<int64_t>(i);
  if (!complete) return std::nullopt;
  const std::vector<int64_t> from = StridesOf(dims);
  std::vector<int64_t> moved_dims;
  std::vector<int64_t> strides;
  for (const int64_t axis : perm) {
    moved_dims.push_back(dims[static_cast<size_t>(axis)]);
    strides.push_back(from[static_cast<size_t>(axis)]);
  }
  std::vector<T> moved(values.size());
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  for (T& value : moved) {
    value = values[static_cast<size_t>(at)];
    for (size_t axis = rank; axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < moved_dims[axis]) break;
      at -= strides[axis] * moved_dims[axis];
      index[axis] = 0;
    }
  }
  values = std::move(moved);
  dims = std::move(moved_dims);
  return perm;
}

// A chain of Transposes, the last first, and what stands in front of it.
struct TransposeChain {
  std::vector<const ir::Node*> transposes;
  const ir::Value* source = nullptr;
};

TransposeChain BehindTransposes(const ir::Value& value) {
  TransposeChain chain{.transposes = {}, .source = &value};
  const ir::Node* node = value.producer();
  while (node != nullptr && node->Is("Transpose") && node->input(0) != nullptr) {
    chain.transposes.push_back(node);
    chain.source = node->input(0);
    node = chain.source->producer();
  }
  return chain;
}

// A constant of floats, as it is behind Transposes.
struct RealConstant {
  std::vector<int64_t> dims;
  std::vector<float> values;
};

std::optional<RealConstant> ReadReals(const ir::Value& value) {
  const TransposeChain chain = BehindTransposes(value);
  const ir::Tensor tensor = chain.source->ConstantTensor();
  if (!tensor || !ir::IsFloatingPoint(tensor.element_type())) return std::nullopt;
  auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return std::nullopt;
  RealConstant reals{{tensor.dims().begin(), tensor.dims().end()}, *std::move(values)};
  for (size_t i = chain.transposes.size(); i-- > 0;) {
    if (!Permute(reals.values, reals.dims, chain.transposes[i]->IntsAttribute("perm"))) {
      return std::nullopt;
    }
  }
  return reals;
}

// Which parameter belongs to an element.
class AlongAxis {
 public:
  AlongAxis(const std::vector<int64_t>& dims, int64_t axis, size_t count) : count_(count) {
    for (size_t i = static_cast<size_t>(axis) + 1; i < dims.size(); ++i) inner_ *= dims[i];
  }
  size_t operator()(size_t element) const {
    return count_ == 1 ? 0 : element / static_cast<size_t>(inner_) % count_;
  }

 private:
  size_t count_;
  int64_t inner_ = 1;
};

// Brings the axis into range; a refusal when the scales do not lie along it.
std::optional<QdqRefusal> CheckAxis(const std::vector<int64_t>& dims, size_t scales,
                                    int64_t& axis) {
  const auto rank = static_cast<int64_t>(dims.size());
  if (scales == 1) {
    axis = 0;
    return std::nullopt;
  }
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank || dims[static_cast<size_t>(axis)] != static_cast<int64_t>(scales)) {
    return QdqRefusal{fmt::format("its {} scales do not lie along an axis", scales)};
  }
  return std::nullopt;
}

// The integers, before their shift, that a QuantizeLinear of a constant computes.
std::variant<std::vector<int64_t>, QdqRefusal> QuantizeConstant(const ir::Node& quantize,
                                                                const RealConstant& reals) {
  auto read = ReadQdqParameters(quantize, QuantizedTypeOf(quantize));
  if (auto* refusal = std::get_if<QdqRefusal>(&read)) return *refusal;
  auto& parameters = std::get<QdqParameters>(read);
  if (parameters.type.bits > 16) return QdqRefusal{"its integers are int32"};
  if (auto refusal = CheckAxis(reals.dims, parameters.scales.size(), parameters.axis)) {
    return *refusal;
  }
  const AlongAxis parameter(reals.dims, parameters.axis, parameters.scales.size());
  const int32_t shift = parameters.type.shift();
  const QdqBounds range = QdqRangeOf(parameters.type.bits);
  std::vector<int64_t> integers(reals.values.size());
  for (size_t i = 0; i < integers.size(); ++i) {
    const size_t p = parameter(i);
    const float steps = std::nearbyint(reals.values[i] / parameters.scales[p]);
    if (std::isnan(steps)) return QdqRefusal{"its constant is not a number"};
    const float kept = std::min(std::max(steps, -1e9f), 1e9f);
    integers[i] = range.Clamp(static_cast<int64_t>(kept) + parameters.zeros[p]) + shift;
  }
  return integers;
}

// What a DequantizeLinear makes of a constant.
std::variant<QdqConstant, QdqRefusal> ReadDequantized(const ir::Node& node) {
  const ir::Value* source = node.input(0);
  std::optional<QdqBounds> clip;
  if (const ir::Node* clipping = source->producer();
      clipping != nullptr && clipping->Is("Clip") && clipping->input(0) != nullptr) {
    auto bounds = ReadQdqBounds(*clipping);
    if (auto* refusal = std::get_if<QdqRefusal>(&bounds)) return *refusal;
    clip = std::get<QdqBounds>(bounds);
    source = clipping->input(0);
  }
  ir::Tensor tensor = source->ConstantTensor();
  std::vector<int64_t> integers;
  std::vector<int64_t> dims;
  ElementType type = ElementType::kUndefined;
  if (tensor) {
    type = tensor.element_type();
    dims.assign(tensor.dims().begin(), tensor.dims().end());
    if (!QdqIntegerTypeOf(type)) {
      return QdqRefusal{fmt::format("its integers are {}", ir::ElementTypeName(type))};
    }
    auto values = QdqIntegersOf(tensor);
    if (!values.ok()) return QdqRefusal{"its integers cannot be read"};
    integers = *std::move(values);
  } else {
    const ir::Node* quantize = source->producer();
    if (quantize == nullptr || !IsQuantize(*quantize) || quantize->input(0) == nullptr) {
      return QdqRefusal{"it is computed"};
    }
    const auto reals = ReadReals(*quantize->input(0));
    if (!reals.has_value()) return QdqRefusal{"it is computed"};
    auto made = QuantizeConstant(*quantize, *reals);
    if (auto* refusal = std::get_if<QdqRefusal>(&made)) return *refusal;
    dims = reals->dims;
    integers = std::get<std::vector<int64_t>>(std::move(made));
    type = QuantizedTypeOf(*quantize);
  }
  auto read = ReadQdqParameters(node, type);
  if (auto* refusal = std::get_if<QdqRefusal>(&read)) return *refusal;
  auto& parameters = std::get<QdqParameters>(read);
  QdqConstant constant;
  constant.dims = std::move(dims);
  if (auto refusal = CheckAxis(constant.dims, parameters.scales.size(), parameters.axis)) {
    return *refusal;
  }
  const int32_t shift = parameters.type.shift();
  constant.integers.reserve(integers.size());
  for (const int64_t integer : integers) {
    const int64_t kept = clip.has_value() ? clip->Clamp(integer) : integer;
    constant.integers.push_back(static_cast<int32_t>(kept - shift));
  }
  constant.bits = parameters.type.bits;
  constant.scales = std::move(parameters.scales);
  constant.zeros = std::move(parameters.zeros);
  constant.axis = parameters.axis;
  return constant;
}

}  // namespace

bool QdqConstant::symmetric() const {
  return std::ranges::all_of(zeros, [](int32_t zero) { return zero == 0; });
}

std::vector<float> QdqConstant::Reals() const {
  const AlongAxis parameter(dims, axis, scales.size());
  std::vector<float> reals(integers.size());
  for (size_t i = 0; i < reals.size(); ++i) {
    const size_t p = parameter(i);
    reals[i] = static_cast<float>(int64_t{integers[i]} - zeros[p]) * scales[p];
  }
  return reals;
}

std::variant<QdqConstant, QdqRefusal> ReadQdqConstant(const ir::Value& value) {
  const TransposeChain chain = BehindTransposes(value);
  const ir::Node* node = chain.source->producer();
  if (node == nullptr || !IsDequantize(*node) || node->input(0) == nullptr) {
    return QdqRefusal{"it is not quantised"};
  }
  auto read = ReadDequantized(*node);
  auto* constant = std::get_if<QdqConstant>(&read);
  if (constant == nullptr) return read;
  for (size_t i = chain.transposes.size(); i-- > 0;) {
    const auto perm =
        Permute(constant->integers, constant->dims, chain.transposes[i]->IntsAttribute("perm"));
    if (!perm) return QdqRefusal{"its Transpose has no permutation of its axes"};
    if (!perm->empty()) constant->axis = std::ranges::find(*perm, constant->axis) - perm->begin();
  }
  return read;
}

bool IsQdqConstant(const ir::Value& value) {
  const ir::Value* source = &value;
  bool dequantized = false;
  while (!source->ConstantTensor()) {
    const ir::Node* node = source->producer();
    if (node == nullptr || node->num_inputs() == 0 || node->input(0) == nullptr) return false;
    if (IsDequantize(*node)) {
      dequantized = true;
    } else if (!node->Is("Transpose") && !node->Is("Clip") && !IsQuantize(*node)) {
      return false;
    }
    source = node->input(0);
  }
  return dequantized;
}

}  // namespace lathe::passes
