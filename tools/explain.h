// `lathe opt --explain NODE`: what the passes of a run tried on a node, and how it ended.
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
  // Nothing is explained when `node` is empty. Errors: the model has no such node.
  static StatusOr<Explain> Of(const std::string& node, const ir::Model& model);

  // To be given to the run.
  passes::Resources resources();
  // After the run. Passes that do not work with rules speak through their remarks.
  void Print(const passes::PipelineReport& report) const;
  // An array with an object a visit.
  Json ToJson(const passes::PipelineReport& report) const;
  bool wanted() const { return explanation_.has_value(); }

 private:
  std::string node_;
  std::optional<passes::Explanation> explanation_;
};

}  // namespace lathe::tools
