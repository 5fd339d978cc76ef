// Where the files of a result stand.
#pragma once

#include <string>

#include "lathe/support/status.h"

namespace lathe::flows {

struct OutputPaths {
  std::string deploy;
  std::string fake_quant;
  std::string qdq;
  std::string record;
  std::string config;
};

// The reference's rule (1.1): `prefix` is a folder and the beginning of the files' names. "out/net"
// gives out/net_deploy_model.onnx, "out/" and "" give deploy_model.onnx in out or here. Creates the
// folder. Errors: the name part is longer than 241 characters; the folder cannot be made.
StatusOr<OutputPaths> MakeOutputPaths(const std::string& prefix);

// The reference's rule for the name of one result: not empty, does not end in "/", and what stands
// behind the last "/" has at most 254 characters. For those who want to know before any work.
Status CheckOutputName(const std::string& path);

}  // namespace lathe::flows
