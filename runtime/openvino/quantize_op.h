// QuantizeLinear as ONNX defines it, in place of what OpenVINO makes of it.
#pragma once

#include <cstdint>
#include <memory>

#include <openvino/op/op.hpp>
#include <openvino/runtime/core.hpp>

namespace lathe::runtime {

// saturate(round_half_even(x / scale) + zero_point), ONNX's QuantizeLinear without blocks, between
// float32 and integers of 8 bits. OpenVINO turns the operator into FakeQuantize, which its passes
// then merge with its neighbours or multiply by 1 / scale: a value near a rounding edge comes out a
// step away (25 dB on a quantised ShuffleNet, where the same sums rounded as written give the
// expected bytes), and with factors a channel before it the result is wrong altogether. An operator
// that its passes do not know stays what it is.
//
// Inputs: x, float32 of any shape; scale and zero point, float32, one element each, or one for each
// index of `axis`. NaN becomes the type's lowest value. O(elements), one thread.
class QuantizeOp : public ov::op::Op {
 public:
  OPENVINO_OP("QuantizeLinear", "lathe")

  QuantizeOp() = default;
  QuantizeOp(const ov::Output<ov::Node>& x, const ov::Output<ov::Node>& scale,
             const ov::Output<ov::Node>& zero_point, ov::element::Type type, int64_t axis);

  void validate_and_infer_types() override;
  std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& inputs) const override;
  bool visit_attributes(ov::AttributeVisitor& visitor) override;
  bool evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const override;
  bool has_evaluate() const override { return true; }

 private:
  // Whether an input has one element, or one for each index of the axis, as far as is known.
  bool FactorsFit(size_t input) const;

  ov::element::Type type_;
  int64_t axis_ = 1;
};

// The domain under which PrepareForOpenVino hands over what QuantizeOp computes.
inline constexpr char kQuantizeDomain[] = "lathe.exact";

// Lets `core` read such nodes.
void AddQuantizeOp(ov::Core& core);

}  // namespace lathe::runtime
