// Remarks as JSON lines.
#pragma once

#include <string>

#include "lathe/passes/core/observer.h"

namespace lathe::tools {

// Writes the remarks of a run, in the order in which they were made, also when it fails: one JSON
// object a line with "position", "pass", "kind" (applied, missed, failed, note), "node" and
// "message".
class RemarkFile : public passes::PassObserver {
 public:
  explicit RemarkFile(std::string path) : path_(std::move(path)) {}

  // Errors: the file cannot be written.
  Status RunEnds(const passes::PipelineReport& report, const Status& outcome) override;

 private:
  std::string path_;
};

}  // namespace lathe::tools
