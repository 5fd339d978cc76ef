// Checks that a pass tells the truth about whether it changed something: fixpoints, facts and other
// observers rely on it.
#pragma once

#include <string>
#include <vector>

#include "lathe/passes/core/observer.h"

namespace lathe::passes {

class CheckChanged : public PassObserver {
 public:
  // Compares the text form of the model, large weights elided, and which data its tensors refer to.
  // Types that no file shows are what passes know of the model, and no part of it.
  // Keeps one text; O(size of the model without its weights) around each pass.
  Status BeforePass(const PassPoint& point) override;
  // Errors: "says that it changed nothing, but ..." with the first line that differs; "says that it
  // changed something, but the model is as it was".
  Status AfterPass(const PassPoint& point, const PassReport& report) override;

 private:
  struct Picture {
    std::string text;
    // The data of every tensor, in the model's order.
    std::vector<const void*> data;
  };
  static StatusOr<Picture> Take(const ir::Model& model);

  Picture before_;
};

}  // namespace lathe::passes
