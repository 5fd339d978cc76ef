#include "lathe/passes/quant/qdq_parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lathe/quant/affine.h"
#include "lathe/support/nibbles.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

bool IsOperator(const ir::Node& node, std::string_view op) {
  // ONNX Runtime has its own of the same meaning, for types that came into ONNX later.
  return node.op_text() == op &&
         (node.domain_text().empty() || node.domain_text() == "com.microsoft");
}

// A bound of a Clip of integers, of either form; nothing: it is computed. `otherwise` where absent.
std::optional<int64_t> Bound(const ir::Node& clip, size_t input, int64_t otherwise) {
  if (clip.num_inputs() <= input || clip.input(input) == nullptr) return otherwise;
  const ir::Tensor tensor = clip.input(input)->ConstantTensor();
  if (!tensor || tensor.num_elements() != 1) return std::nullopt;
  const auto values = QdqIntegersOf(tensor);
  if (!values.ok()) return std::nullopt;
  return (*values)[0];
}

}  // namespace

bool IsQuantize(const ir::Node& node) { return IsOperator(node, "QuantizeLinear"); }
bool IsDequantize(const ir::Node& node) { return IsOperator(node, "DequantizeLinear"); }

std::optional<QdqIntegerType> QdqIntegerTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kInt4:
      return QdqIntegerType{4, false};
    case ElementType::kUint4:
      return QdqIntegerType{4, true};
    case ElementType::kInt8:
      return QdqIntegerType{8, false};
    case ElementType::kUint8:
      return QdqIntegerType{8, true};
    case ElementType::kInt16:
      return QdqIntegerType{16, false};
    case ElementType::kUint16:
      return QdqIntegerType{16, true};
    case ElementType::kInt32:
      return QdqIntegerType{32, false};
    default:
      return std::nullopt;
  }
}

StatusOr<std::vector<int64_t>> QdqIntegersOf(const ir::Tensor& tensor) {
  const ElementType type = tensor.element_type();
  if (type != ElementType::kInt4 && type != ElementType::kUint4) return tensor.ValuesAsInt64();
  LATHE_ASSIGN_OR_RETURN(const auto bytes, tensor.Read());
  const auto values =
      UnpackNibbles(bytes.bytes(), static_cast<size_t>(tensor.num_elements()),
                    type == ElementType::kInt4 ? NibbleSign::kSigned : NibbleSign::kUnsigned);
  return std::vector<int64_t>(values.begin(), values.end());
}

std::variant<QdqParameters, QdqRefusal> ReadQdqParameters(const ir::Node& node,
                                                          ElementType integers) {
  if (node.num_inputs() < 2 || node.input(1) == nullptr) return QdqRefusal{"it has no scale"};
  const ir::Tensor scale = node.input(1)->ConstantTensor();
  if (!scale) return QdqRefusal{"its scale is computed"};
  if (scale.element_type() != ElementType::kFloat32) {
    return QdqRefusal{fmt::format("its scale is {}", ir::ElementTypeName(scale.element_type()))};
  }
  if (node.IntAttribute("block_size", 0) != 0) return QdqRefusal{"its scales are those of blocks"};
  if (scale.rank() > 1) return QdqRefusal{"its scales are not along one axis"};
  QdqParameters parameters;
  parameters.axis = node.IntAttribute("axis", 1);
  const auto scales = scale.ValuesAsFloat();
  if (!scales.ok()) return QdqRefusal{"its scale cannot be read"};
  parameters.scales = *scales;
  for (const float value : parameters.scales) {
    if (!std::isnormal(value) || value < 0 || !std::isfinite(1.0f / value)) {
      return QdqRefusal{fmt::format("its scale {} is not usable", value)};
    }
  }
  const ir::Value* zero = node.num_inputs() > 2 ? node.input(2) : nullptr;
  parameters.zeros.assign(parameters.scales.size(), 0);
  ElementType type = integers;
  std::vector<int64_t> zeros(parameters.scales.size(), 0);
  if (zero != nullptr) {
    const ir::Tensor tensor = zero->ConstantTensor();
    if (!tensor) return QdqRefusal{"its zero point is computed"};
    type = tensor.element_type();
    if (QdqIntegerTypeOf(type).has_value()) {
      auto values = QdqIntegersOf(tensor);
      if (!values.ok()) return QdqRefusal{"its zero point cannot be read"};
      zeros = *std::move(values);
    }
    if (zeros.size() != parameters.scales.size()) {
      return QdqRefusal{fmt::format("it has {} scales and {} zero points", parameters.scales.size(),
                                    zeros.size())};
    }
  }
  const auto known = QdqIntegerTypeOf(type);
  if (!known.has_value()) {
    return QdqRefusal{fmt::format("its integers are {}", ir::ElementTypeName(type))};
  }
  parameters.type = *known;
  for (size_t i = 0; i < zeros.size(); ++i) {
    parameters.zeros[i] = static_cast<int32_t>(zeros[i] - known->shift());
  }
  return parameters;
}

ElementType QuantizedTypeOf(const ir::Node& quantize) {
  if (quantize.num_inputs() > 2 && quantize.input(2) != nullptr) {
    const ir::Tensor zero = quantize.input(2)->ConstantTensor();
    return zero ? zero.element_type() : ElementType::kUndefined;
  }
  const int64_t wanted = quantize.IntAttribute("output_dtype", 0);
  return wanted == 0 ? ElementType::kUint8 : static_cast<ElementType>(wanted);
}

int32_t QdqBounds::Clamp(int64_t value) const {
  return static_cast<int32_t>(std::min(std::max(value, low), high));
}

std::variant<QdqBounds, QdqRefusal> ReadQdqBounds(const ir::Node& clip) {
  const auto low = Bound(clip, 1, INT64_MIN);
  const auto high = Bound(clip, 2, INT64_MAX);
  if (!low || !high) return QdqRefusal{"the bounds of its Clip are computed"};
  return QdqBounds{*low, *high};
}

QdqBounds QdqRangeOf(int bits) { return {quant::MinQuantized(bits), quant::MaxQuantized(bits)}; }

}  // namespace lathe::passes
