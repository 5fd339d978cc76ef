#include "lathe/runtime/openvino/tap_op.h"

#include <cstring>
#include <vector>

#include "lathe/runtime/openvino/element_types.h"
#include "lathe/support/half.h"

namespace lathe::runtime {
namespace {

using ir::ElementType;

template <typename From, typename To, typename Convert>
std::vector<std::byte> Map(std::span<const std::byte> bytes, Convert convert) {
  const size_t count = bytes.size() / sizeof(From);
  std::vector<std::byte> result(count * sizeof(To));
  for (size_t i = 0; i < count; ++i) {
    From from;
    std::memcpy(&from, &bytes[i * sizeof(From)], sizeof(From));
    const To to = convert(from);
    std::memcpy(&result[i * sizeof(To)], &to, sizeof(To));
  }
  return result;
}

// The elements as the observer shall see them; empty when they are that already.
struct Shown {
  ElementType type;
  std::vector<std::byte> bytes;
};

Shown Show(ElementType carried, ElementType declared, std::span<const std::byte> bytes) {
  const auto to_float = [](auto value) { return static_cast<float>(value); };
  switch (carried) {
    case ElementType::kFloat16:
      return {ElementType::kFloat32, Map<uint16_t, float>(bytes, HalfToFloat)};
    case ElementType::kBfloat16:
      return {ElementType::kFloat32, Map<uint16_t, float>(bytes, Bfloat16ToFloat)};
    case ElementType::kFloat64:
      return {ElementType::kFloat32, Map<double, float>(bytes, to_float)};
    case ElementType::kUint8:
      // Booleans are bytes of 0 and 1.
      if (declared == ElementType::kBool) return {declared, {}};
      break;
    case ElementType::kInt32: {
      const auto convert = [](auto zero) {
        return [zero](int32_t value) { return static_cast<decltype(zero)>(value); };
      };
      if (declared == ElementType::kInt64 || declared == ElementType::kUint64) {
        return {declared, Map<int32_t, int64_t>(bytes, convert(int64_t{}))};
      }
      if (declared == ElementType::kUint32) return {declared, {}};
      if (declared == ElementType::kInt16 || declared == ElementType::kUint16) {
        return {declared, Map<int32_t, int16_t>(bytes, convert(int16_t{}))};
      }
      break;
    }
    default:
      break;
  }
  return {carried, {}};
}

}  // namespace

TapOp::TapOp(const ov::Output<ov::Node>& value, const ov::Output<ov::Node>& token, Observer observe,
             std::shared_ptr<TapErrors> errors)
    : Op({value, token}),
      observe_(std::move(observe)),
      errors_(std::move(errors)),
      declared_(value.get_element_type()) {
  constructor_validate_and_infer_types();
}

void TapOp::validate_and_infer_types() { set_output_type(0, ov::element::u8, ov::PartialShape{1}); }

std::shared_ptr<ov::Node> TapOp::clone_with_new_inputs(const ov::OutputVector& inputs) const {
  auto clone = std::make_shared<TapOp>(inputs.at(0), inputs.at(1), observe_, errors_);
  clone->declared_ = declared_;
  return clone;
}

bool TapOp::visit_attributes(ov::AttributeVisitor& /*visitor*/) { return true; }

bool TapOp::can_constant_fold(const ov::OutputVector& /*inputs*/) const { return false; }

bool TapOp::evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const {
  const ov::Tensor& tensor = inputs.at(0);
  const std::optional<ElementType> carried = FromOpenVino(tensor.get_element_type());
  const std::optional<ElementType> declared = FromOpenVino(declared_);
  if (!carried || !declared) {
    errors_->Set(Unsupported("a value of OpenVINO's type {} cannot be observed",
                             tensor.get_element_type().to_string()));
    return false;
  }
  const ov::Shape& shape = tensor.get_shape();
  const std::vector<int64_t> dims(shape.begin(), shape.end());
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(tensor.data()),
                                         tensor.get_byte_size());
  const Shown shown = Show(*carried, *declared, bytes);
  const eval::TensorView view{shown.type, dims,
                              shown.bytes.empty() ? bytes : std::span(shown.bytes)};
  if (Status status = observe_(view); !status.ok()) {
    errors_->Set(std::move(status));
    return false;
  }
  outputs.at(0).set_shape({1});
  *static_cast<uint8_t*>(outputs.at(0).data()) = 0;
  return true;
}

}  // namespace lathe::runtime
