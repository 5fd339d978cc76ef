#include "lathe/runtime/openvino/quantize_op.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include <openvino/frontend/onnx/extension/conversion.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/openvino.hpp>

namespace lathe::runtime {
namespace {

// Adding and subtracting it rounds |x| <= 2^22 to an integer, half to even.
constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23

template <typename T>
void Quantize(std::span<const float> x, float scale, float zero_point, T* result) {
  constexpr float kLowest = std::numeric_limits<T>::lowest();
  constexpr float kHighest = std::numeric_limits<T>::max();
  // Beyond these every value saturates, so that nothing reaches where the rounder is inexact.
  const float low = kLowest - zero_point;
  const float high = kHighest - zero_point;
  for (size_t i = 0; i < x.size(); ++i) {
    const float steps = x[i] / scale;
    const float inside = steps > low ? (steps < high ? steps : high) : low;
    result[i] = static_cast<T>((inside + kRounder) - kRounder + zero_point);
  }
}

template <typename T>
bool QuantizeAll(const ov::Tensor& x, const ov::Tensor& scale, const ov::Tensor& zero_point,
                 size_t axis, ov::Tensor& result) {
  const std::vector<size_t>& shape = x.get_shape();
  const size_t channels = scale.get_size();
  const bool per_channel = channels != 1;
  if (per_channel && (axis >= shape.size() || shape[axis] != channels)) return false;
  const size_t run = per_channel ? std::accumulate(shape.begin() + static_cast<int64_t>(axis) + 1,
                                                   shape.end(), size_t{1}, std::multiplies<>())
                                 : x.get_size();
  if (x.get_size() == 0) return true;
  const size_t runs = x.get_size() / run;
  for (size_t i = 0; i < runs; ++i) {
    const size_t channel = i % channels;
    Quantize<T>({x.data<const float>() + i * run, run}, scale.data<const float>()[channel],
                zero_point.data<const float>()[channel], result.data<T>() + i * run);
  }
  return true;
}

ov::Output<ov::Node> ToFloat(const ov::Output<ov::Node>& value) {
  if (value.get_element_type() == ov::element::f32) return value;
  return std::make_shared<ov::op::v0::Convert>(value, ov::element::f32);
}

ov::OutputVector Convert(const ov::frontend::NodeContext& node) {
  const ov::Output<ov::Node> zero_point = node.get_input(2);
  return std::make_shared<QuantizeOp>(ToFloat(node.get_input(0)), node.get_input(1),
                                      ToFloat(zero_point), zero_point.get_element_type(),
                                      node.get_attribute<int64_t>("axis", 1))
      ->outputs();
}

}  // namespace

QuantizeOp::QuantizeOp(const ov::Output<ov::Node>& x, const ov::Output<ov::Node>& scale,
                       const ov::Output<ov::Node>& zero_point, ov::element::Type type, int64_t axis)
    : Op({x, scale, zero_point}), type_(type), axis_(axis) {
  constructor_validate_and_infer_types();
}

bool QuantizeOp::FactorsFit(size_t input) const {
  const ov::PartialShape& x = get_input_partial_shape(0);
  const ov::PartialShape& factors = get_input_partial_shape(input);
  if (x.is_dynamic() || factors.is_dynamic() || ov::shape_size(factors.to_shape()) == 1) {
    return true;
  }
  const int64_t rank = x.rank().get_length();
  const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
  return factors.size() == 1 && axis >= 0 && axis < rank && x[axis] == factors[0];
}

void QuantizeOp::validate_and_infer_types() {
  for (const size_t factors : {1, 2}) {
    NODE_VALIDATION_CHECK(this, FactorsFit(factors), "factors ", get_input_partial_shape(factors),
                          " do not fit axis ", axis_, " of ", get_input_partial_shape(0));
  }
  set_output_type(0, type_, get_input_partial_shape(0));
}

std::shared_ptr<ov::Node> QuantizeOp::clone_with_new_inputs(const ov::OutputVector& inputs) const {
  return std::make_shared<QuantizeOp>(inputs.at(0), inputs.at(1), inputs.at(2), type_, axis_);
}

bool QuantizeOp::visit_attributes(ov::AttributeVisitor& visitor) {
  visitor.on_attribute("type", type_);
  visitor.on_attribute("axis", axis_);
  return true;
}

bool QuantizeOp::evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const {
  const ov::Tensor& x = inputs.at(0);
  outputs.at(0).set_shape(x.get_shape());
  const int64_t rank = static_cast<int64_t>(x.get_shape().size());
  const auto axis = static_cast<size_t>(axis_ < 0 ? axis_ + rank : axis_);
  return type_ == ov::element::u8
             ? QuantizeAll<uint8_t>(x, inputs.at(1), inputs.at(2), axis, outputs.at(0))
             : QuantizeAll<int8_t>(x, inputs.at(1), inputs.at(2), axis, outputs.at(0));
}

void AddQuantizeOp(ov::Core& core) {
  core.add_extension(std::make_shared<ov::frontend::onnx::ConversionExtension>(
      "QuantizeLinear", kQuantizeDomain, Convert));
}

}  // namespace lathe::runtime
