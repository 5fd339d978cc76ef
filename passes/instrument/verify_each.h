// Checks the model before the first pass and after each one.
#pragma once

#include <functional>

#include "lathe/ir/verifier.h"
#include "lathe/passes/core/observer.h"

namespace lathe::passes {

class VerifyEach : public PassObserver {
 public:
  // Costs what `check` costs, after every pass, whether or not it changed something.
  explicit VerifyEach(std::function<Status(const ir::Model&)> check = ir::VerifyModel)
      : check_(std::move(check)) {}

  Status RunStarts(const ir::Model& model) override { return check_(model); }
  // Error: "leaves a broken model: ...".
  Status AfterPass(const PassPoint& point, const PassReport& report) override;

 private:
  std::function<Status(const ir::Model&)> check_;
};

}  // namespace lathe::passes
