// The side branch that shows a value to an observer while the graph runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include <openvino/op/op.hpp>

#include "lathe/eval/engine.h"

namespace lathe::runtime {

// What the taps of one compiled graph share: the first error of an observer.
class TapErrors {
 public:
  void Set(Status status) {
    const std::lock_guard lock(mutex_);
    if (first_.ok()) first_ = std::move(status);
  }
  // The error, which is then forgotten.
  Status Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(first_, OkStatus());
  }

 private:
  std::mutex mutex_;
  Status first_;
};

// One input of any type, one output of a single byte that nobody reads but that keeps the branch
// alive.
class TapOp : public ov::op::Op {
 public:
  OPENVINO_OP("Tap", "lathe")

  TapOp() = default;
  TapOp(const ov::Output<ov::Node>& value, std::function<Status(const eval::TensorView&)> observe,
        std::shared_ptr<TapErrors> errors);

  void validate_and_infer_types() override;
  std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& inputs) const override;
  bool visit_attributes(ov::AttributeVisitor& visitor) override;
  bool evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const override;
  bool has_evaluate() const override { return true; }
  bool can_constant_fold(const ov::OutputVector& inputs) const override;

 private:
  std::function<Status(const eval::TensorView&)> observe_;
  std::shared_ptr<TapErrors> errors_;
};

}  // namespace lathe::runtime
