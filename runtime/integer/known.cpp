#include "lathe/runtime/integer/known.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "lathe/runtime/integer/layer_reader.h"

namespace lathe::runtime::integer {
namespace {

template <size_t kCount>
bool IsOneOf(const ir::Node& node, const std::array<std::string_view, kCount>& ops) {
  return std::ranges::any_of(ops, [&](std::string_view op) { return node.Is(op); });
}

constexpr std::array<std::string_view, 6> kLayers = {
    "Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool", "GlobalAveragePool"};
// Results have the shape of the first input, or its elements in another order.
constexpr std::array<std::string_view, 13> kFloatOperators = {
    "Relu",    "Clip",    "LeakyRelu", "Add",       "Mul",    "MaxPool", "GlobalAveragePool",
    "Flatten", "Reshape", "Squeeze",   "Unsqueeze", "Concat", "Identity"};

bool IsFloat(const ir::Value& value) {
  return value.type().is_tensor() && (value.type().element == ir::ElementType::kFloat32 ||
                                      value.type().element == ir::ElementType::kFloat16);
}

bool IsScalar(const ir::Value* value) {
  if (value == nullptr) return true;
  const ir::Tensor tensor = value->ConstantTensor();
  return tensor && tensor.num_elements() == 1 && ir::IsFloatingPoint(tensor.element_type());
}

bool TakesBinary(const ir::Node& node) {
  const auto dims = KnownDims(*node.output());
  for (size_t i = 0; i < 2; ++i) {
    const ir::Value& value = *node.input(i);
    if (IsConstant(value)) {
      if (IsConstant(*node.input(1 - i)) || !ReadChannelConstant(value, *dims)) return false;
    } else if (KnownDims(value) != dims) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsConstant(const ir::Value& value) { return static_cast<bool>(ConstantBehind(&value)); }

std::optional<std::vector<int64_t>> KnownDims(const ir::Value& value) {
  if (!value.type().is_tensor()) return std::nullopt;
  auto dims = value.type().StaticShape();
  if (!dims || std::ranges::any_of(*dims, [](int64_t d) { return d < 0 || d > INT32_MAX; })) {
    return std::nullopt;
  }
  return dims;
}

bool IsAscend(const ir::Node& node) {
  return node.Is("AscendQuant") || node.Is("AscendDequant") || node.Is("AscendAntiQuant") ||
         node.Is("AscendWeightQuant") || node.Is("BasicLSTMInplaceFillWindowCache") ||
         node.Is("BasicGRUInplaceFillWindowCache");
}

Domain ResultDomain(const ir::Node& node, Domain input) {
  if (node.Is("AscendQuant")) return Domain::kQuantized;
  if (node.Is("AscendDequant") || node.Is("AscendAntiQuant")) return Domain::kFloat;
  if (input == Domain::kQuantized && IsOneOf(node, kLayers)) return Domain::kSums;
  return input;
}

std::optional<ChannelConstant> ReadChannelConstant(const ir::Value& value,
                                                   const std::vector<int64_t>& dims) {
  const ir::Tensor tensor = value.ConstantTensor();
  if (!tensor || tensor.rank() > static_cast<int>(dims.size())) return std::nullopt;
  auto values = tensor.ValuesAsFloat();
  if (!values.ok() || values->empty()) return std::nullopt;
  ChannelConstant constant;
  constant.values = *std::move(values);
  const size_t first = dims.size() - static_cast<size_t>(tensor.rank());
  for (size_t i = 0; i < static_cast<size_t>(tensor.rank()); ++i) {
    if (tensor.dims()[i] == 1) continue;
    const size_t axis = first + i;
    if (constant.axis || tensor.dims()[i] != dims[axis] || (axis != 1 && axis + 1 != dims.size())) {
      return std::nullopt;
    }
    constant.axis = axis;
  }
  return constant;
}

bool TakesFloat(const ir::Node& node) {
  if (!IsOneOf(node, kFloatOperators) || node.num_inputs() == 0 || node.input(0) == nullptr ||
      node.num_outputs() != 1 || !KnownDims(*node.output()) || !IsFloat(*node.output())) {
    return false;
  }
  const bool binary = node.Is("Add") || node.Is("Mul");
  if (binary && (node.num_inputs() != 2 || node.input(1) == nullptr)) return false;
  const size_t operands = binary ? 2 : node.Is("Concat") ? node.num_inputs() : 1;
  for (size_t i = 0; i < operands; ++i) {
    if (node.input(i) == nullptr || !KnownDims(*node.input(i)) || !IsFloat(*node.input(i))) {
      return false;
    }
  }
  if (binary) return TakesBinary(node);
  if (IsConstant(*node.input(0))) return false;
  if (node.Is("Clip")) {
    return node.FindAttribute("min") == nullptr && node.FindAttribute("max") == nullptr &&
           IsScalar(node.input(1)) && IsScalar(node.input(2));
  }
  if (node.Is("Concat")) {
    for (const ir::Use& use : node.inputs()) {
      if (IsConstant(*use.value())) return false;
    }
  }
  if (node.Is("MaxPool")) {
    return KnownDims(*node.input(0))->size() >= 3 && node.IntAttribute("storage_order", 0) == 0;
  }
  if (node.Is("GlobalAveragePool")) return KnownDims(*node.input(0))->size() >= 3;
  return true;
}

}  // namespace lathe::runtime::integer
