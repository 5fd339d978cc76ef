// The four files of a quantised network.
#pragma once

#include <memory>
#include <string>

#include "lathe/flows/output_paths.h"
#include "lathe/flows/save_model.h"
#include "lathe/quant/config/ptq_config.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/atomic_file.h"

namespace lathe::flows {

// Adds deploy model, fake-quant model, record and configuration to `files`. The deploy model is let
// go when it is staged: both at once would be the peak of a job.
Status StageResult(SavedModels& saved, const quant::Record& record, const quant::PtqConfig& config,
                   const OutputPaths& paths, AtomicFileSet& files);

// The model that is staged as `path`, its weights in the file instead of in memory: what is
// measured then is also what was written.
StatusOr<std::unique_ptr<ir::Model>> ReadStaged(const std::string& path, AtomicFileSet& files);

}  // namespace lathe::flows
