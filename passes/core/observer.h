// Observers of a run: verification, printing, timing, ... each a class of its own (see
// passes/instrument). They look on; only passes change the model.
#pragma once

#include <span>
#include <string_view>

#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/core/report.h"

namespace lathe::passes {

// A pass at its place in a run. Valid during the call.
struct PassPoint {
  // As in PassReport.
  std::string_view position;
  const PassDescriptor& pass;
  const ir::Model& model;
  const Pipeline& pipeline;
  // Which item of the pipeline, which of its items, ... (see Pipeline::From).
  std::span<const size_t> path;
  // Before the pass: what earlier passes established and later ones preserved, and what is stored
  // in the loaded model. Other facts may show in the model itself.
  const FactSet& facts;
};

// A group of passes; a fixpoint counts as one a round.
struct GroupPoint {
  std::string_view position;
  // The name of a phase that has one, else the group's word.
  std::string_view name;
};

// The default does nothing. An error of any method stops the run; one of AfterPass carries the
// name of the pass.
class PassObserver {
 public:
  PassObserver() = default;
  PassObserver(const PassObserver&) = delete;
  PassObserver& operator=(const PassObserver&) = delete;
  virtual ~PassObserver() = default;

  // Once, before anything else.
  virtual Status RunStarts(const ir::Model& /*model*/) { return OkStatus(); }
  virtual void GroupStarts(const GroupPoint& /*point*/) {}
  virtual void GroupEnds(const GroupPoint& /*point*/) {}
  virtual Status BeforePass(const PassPoint& /*point*/) { return OkStatus(); }
  // Not after a pass that failed.
  virtual Status AfterPass(const PassPoint& /*point*/, const PassReport& /*report*/) {
    return OkStatus();
  }
  // Once, however the run ended, also when RunStarts failed; the last report may be of the pass
  // that failed. Groups that did not end are not told.
  virtual Status RunEnds(const PipelineReport& /*report*/, const Status& /*outcome*/) {
    return OkStatus();
  }
};

}  // namespace lathe::passes
