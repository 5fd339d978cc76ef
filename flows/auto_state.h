// What an automatic calibration knows so far, as a file: it goes on from there after an
// interruption.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/flows/layer_similarity.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct MeasuredCandidate {
  // The most sensitive layers that stayed float.
  size_t rolled_back = 0;
  double value = 0;
};

struct AutoState {
  // Names the job: model, configuration, data and evaluator.
  std::string job;
  std::optional<double> float_value;
  // Once it is known.
  std::optional<std::vector<LayerSimilarity>> ranking;
  // In the order in which they were measured.
  std::vector<MeasuredCandidate> candidates;
};

// Nothing when there is no such file. Errors: it cannot be read; it is no state.
StatusOr<std::optional<AutoState>> ReadAutoState(const std::string& path);
// Atomically.
Status WriteAutoState(const AutoState& state, const std::string& path);

}  // namespace lathe::flows
