// The side branch that shows a value to an observer while the graph runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

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

// Two inputs: the value, and a run token, a parameter of the model that keeps the tap of a constant
// from being computed once and for all when the graph is compiled. One output of a single byte that
// nobody reads but that keeps the branch alive. Evaluation fails, and so stops the run, when the
// observer does.
class TapOp : public ov::op::Op {
 public:
  OPENVINO_OP("Tap", "lathe")

  using Observer = std::function<Status(const eval::TensorView&)>;

  TapOp() = default;
  TapOp(const ov::Output<ov::Node>& value, const ov::Output<ov::Node>& token, Observer observe,
        std::shared_ptr<TapErrors> errors);

  void validate_and_infer_types() override;
  std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& inputs) const override;
  bool visit_attributes(ov::AttributeVisitor& visitor) override;
  bool evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const override;
  bool has_evaluate() const override { return true; }
  bool can_constant_fold(const ov::OutputVector& inputs) const override;

 private:
  Observer observe_;
  std::shared_ptr<TapErrors> errors_;
  // The value's type in the model; the plugin computes with fewer types.
  ov::element::Type declared_;
};

}  // namespace lathe::runtime
