#include "lathe/runtime/openvino/tap_op.h"

#include <utility>
#include <vector>

#include "lathe/runtime/openvino/element_types.h"

namespace lathe::runtime {

TapOp::TapOp(const ov::Output<ov::Node>& value,
             std::function<Status(const eval::TensorView&)> observe,
             std::shared_ptr<TapErrors> errors)
    : Op({value}), observe_(std::move(observe)), errors_(std::move(errors)) {
  constructor_validate_and_infer_types();
}

void TapOp::validate_and_infer_types() { set_output_type(0, ov::element::u8, ov::PartialShape{1}); }

std::shared_ptr<ov::Node> TapOp::clone_with_new_inputs(const ov::OutputVector& inputs) const {
  return std::make_shared<TapOp>(inputs.at(0), observe_, errors_);
}

bool TapOp::visit_attributes(ov::AttributeVisitor& /*visitor*/) { return true; }

bool TapOp::can_constant_fold(const ov::OutputVector& /*inputs*/) const { return false; }

bool TapOp::evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const {
  const ov::Tensor& tensor = inputs.at(0);
  const std::optional<ir::ElementType> type = FromOpenVino(tensor.get_element_type());
  const ov::Shape shape = tensor.get_shape();
  const std::vector<int64_t> dims(shape.begin(), shape.end());
  if (type) {
    const eval::TensorView view{
        *type, dims, {static_cast<const std::byte*>(tensor.data()), tensor.get_byte_size()}};
    if (Status status = observe_(view); !status.ok()) {
      errors_->Set(std::move(status));
      return false;  // OpenVINO stops the run with an exception
    }
  } else {
    errors_->Set(Unsupported("a value of OpenVINO's type {} cannot be observed",
                             tensor.get_element_type().to_string()));
    return false;
  }
  outputs.at(0).set_shape({1});
  *static_cast<uint8_t*>(outputs.at(0).data()) = 0;
  return true;
}

}  // namespace lathe::runtime
