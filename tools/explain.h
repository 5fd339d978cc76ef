// `lathe opt --explain NODE`, `lathe explain`: what the passes of a run tried on a node, and how it
// ended.
#pragma once

#include <optional>
#include <string>

#include "lathe/passes/core/report.h"
#include "lathe/passes/core/resources.h"
#include "lathe/passes/rewrite/explanation.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {

class Explain {
 public:
  // Of a node, or of the one that computes a value of this name. Nothing is explained when `name`
  // is empty. Errors: the model has none.
  static StatusOr<Explain> Of(const std::string& name, const ir::Model& model);

  // To be given to the run.
  passes::Resources resources();
  // After the run. Passes that do not work with rules speak through their remarks; `all_passes`:
  // those that have no rule for the operator are named, too.
  void Print(const passes::PipelineReport& report, bool all_passes) const;
  // An array with an object a visit.
  Json ToJson(const passes::PipelineReport& report) const;
  bool wanted() const { return explanation_.has_value(); }

 private:
  std::optional<passes::Explanation> explanation_;
};

}  // namespace lathe::tools
