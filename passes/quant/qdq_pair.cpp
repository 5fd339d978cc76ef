#include "lathe/passes/quant/qdq_pair.h"

#include <optional>
#include <utility>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
QdqRounding QdqRounding::In8Bits() const {
  QdqRounding wide = *this;
  if (wide.bits < 8) wide.bits = 8;
  return wide;
}

ir::Value* ClipReals(ir::Rewriter& rewriter, ir::Node& before, ir::Value* value,
                     const QdqRounding& rounding, const std::string& name) {
  const float low = static_cast<float>(rounding.low - rounding.zero) * rounding.scale;
  const float high = static_cast<float>(rounding.high - rounding.zero) * rounding.scale;
  ir::NodeSpec spec;
  spec.op = "Clip";
  spec.name = name;
  constexpr int64_t kBoundsAreInputs = 11;
  if (OpsetOf(before) < kBoundsAreInputs) {
    spec.inputs = {value};
    spec.attributes = {{"min", low}, {"max", high}};
  } else {
    spec.inputs = {value, &MakeConstant(rewriter, before, name + ".min", ir::Tensor::Scalar(low)),
                   &MakeConstant(rewriter, before, name + ".max", ir::Tensor::Scalar(high))};
  }
  ir::Node& node = rewriter.CreateNode(*before.graph(), &before, std::move(spec));
  rewriter.SetType(*node.output(), value->type_ref());
  return node.output();
}

std::variant<QdqPair, QdqRefusal> FindQdqPair(ir::Node& dequantize) {
  QdqPair pair;
  pair.dequantize = &dequantize;
  ir::Node* node = dequantize.input(0) == nullptr ? nullptr : dequantize.input(0)->producer();
  std::optional<QdqBounds> clip;
  if (node != nullptr && node->Is("Clip")) {
    auto bounds = ReadQdqBounds(*node);
    if (auto* refusal = std::get_if<QdqRefusal>(&bounds)) return *refusal;
    clip = std::get<QdqBounds>(bounds);
    node = node->input(0) == nullptr ? nullptr : node->input(0)->producer();
  }
  if (node == nullptr || !IsQuantize(*node) || node->input(0) == nullptr) {
    return QdqRefusal{"its integers do not come from QuantizeLinear"};
  }
  pair.quantize = node;
  auto in = ReadQdqParameters(*node, QuantizedTypeOf(*node));
  if (auto* refusal = std::get_if<QdqRefusal>(&in)) return *refusal;
  const auto& parameters = std::get<QdqParameters>(in);
  auto out = ReadQdqParameters(dequantize, QuantizedTypeOf(*node));
  if (auto* refusal = std::get_if<QdqRefusal>(&out)) return *refusal;
  const auto& back = std::get<QdqParameters>(out);
  if (parameters.scales.size() != 1) return QdqRefusal{"its scales lie along an axis"};
  if (parameters.scales != back.scales || parameters.zeros != back.zeros ||
      parameters.type != back.type) {
    return QdqRefusal{"scale or zero point differ between QuantizeLinear and DequantizeLinear"};
  }
  if (parameters.type.bits == 32) return QdqRefusal{"its integers are int32"};
  QdqRounding& rounding = pair.rounding;
  rounding.scale = parameters.scales[0];
  rounding.zero = parameters.zeros[0];
  rounding.bits = parameters.type.bits;
  const QdqBounds range = QdqRangeOf(rounding.bits);
  rounding.low = static_cast<int32_t>(range.low);
  rounding.high = static_cast<int32_t>(range.high);
  if (clip.has_value()) {
    const int32_t shift = parameters.type.shift();
    if (clip->low > clip->high) return QdqRefusal{"its Clip has no range"};
    if (clip->low != INT64_MIN) rounding.low = range.Clamp(clip->low - shift);
    if (clip->high != INT64_MAX) rounding.high = range.Clamp(clip->high - shift);
  }
  return pair;
}

std::optional<QdqRounding> ReadQdqOutput(const ir::Node& quantize) {
  const auto read = ReadQdqParameters(quantize, QuantizedTypeOf(quantize));
  const auto* parameters = std::get_if<QdqParameters>(&read);
  if (parameters == nullptr || parameters->scales.size() != 1 || parameters->type.bits != 8 ||
      parameters->type.is_unsigned) {
    return std::nullopt;
  }
  QdqRounding rounding;
  rounding.scale = parameters->scales[0];
  rounding.zero = parameters->zeros[0];
  return rounding;
}

}  // namespace lathe::passes
