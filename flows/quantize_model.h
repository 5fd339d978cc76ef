// The main job in one process: a float model and data in, deploy and fake-quant models out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibrate_model.h"
#include "lathe/flows/fidelity.h"
#include "lathe/flows/high_effort.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/output_paths.h"

namespace lathe::flows {

enum class Effort {
  kDefault,  // the reference's algorithms
  kHigh,     // high_effort.h
};

struct QuantizeRequest {
  ConfigRequest config;
  Effort effort = Effort::kDefault;
  // batch_num becomes the number of batches given, unless a configuration file says otherwise.
  const frontends::BatchSource* data = nullptr;
  // For the accuracy, where labels are given: labels of `evaluation`, or of `data` when that is
  // null.
  const frontends::BatchSource* evaluation = nullptr;
  std::optional<Labels> labels;
  std::string model_path;
  std::string output_prefix;
  RunControl control;
};

struct QuantizeSummary {
  OutputPaths paths;
  std::vector<std::string> quantized;
  std::vector<passes::LeftFloat> left_float;
  // What high effort did for each quantised layer; empty with default effort.
  std::vector<LayerEffort> efforts;
  std::vector<std::string> notes;
  uint64_t bytes_before = 0;
  uint64_t bytes_deploy = 0;
  uint64_t bytes_fake_quant = 0;
  // Signal-to-noise ratio of the fake-quant model's outputs against the float model's on the last
  // batch, in dB, of the worst output.
  double sqnr_db = 0;
  std::optional<Accuracy> accuracy;
};

// Writes deploy model, fake-quant model, record and configuration, all or none. `loaded` is used
// up.
StatusOr<QuantizeSummary> QuantizeModel(LoadedModel loaded, const QuantizeRequest& request,
                                        eval::Engine& engine);

}  // namespace lathe::flows
