// A file that repeats a failure: the model as it was before the pass that failed, and the passes to
// run on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/core/observer.h"

namespace lathe::passes {

// `assume`: the facts that the pipeline may take for granted. O(size of the model with its
// weights). Errors: the file cannot be written; a weight file was shortened.
Status SaveReproducer(const std::string& path, const Pipeline& pipeline, const FactSet& assume,
                      const ir::Model& model);

// Writes the file before each pass and removes it when the run succeeds or is interrupted, so that
// it is there after a failure as after a crash.
class WriteReproducer : public PassObserver {
 public:
  // `assume`: the facts that were assumed for the run.
  WriteReproducer(std::string path, std::vector<std::string> assume)
      : path_(std::move(path)), assume_(std::move(assume)) {}

  // Costs and errors are those of SaveReproducer.
  Status BeforePass(const PassPoint& point) override;
  // The file is there, and this run wrote it.
  bool left() const { return left_; }

  // Errors: the file cannot be removed.
  Status RunEnds(const PipelineReport& report, const Status& outcome) override;

 private:
  std::string path_;
  std::vector<std::string> assume_;
  bool left_ = false;
};

// What such a file says.
struct Reproducer {
  std::string pipeline;
  std::vector<std::string> assume;
  std::unique_ptr<ir::Model> model;
};

// Errors carry the file: it cannot be read, is no reproducer, or its model is malformed.
StatusOr<Reproducer> ReadReproducer(const std::string& path);

}  // namespace lathe::passes
