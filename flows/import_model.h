// The one place where a command's MODEL becomes a model, whatever format it is in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// `argument`: the path of an ONNX file (frontends/onnx/import.h), or a Caffe net as
// "NET.prototxt,WEIGHTS.caffemodel" (frontends/caffe/import.h). Errors: the reader's; half of a
// Caffe net.
StatusOr<std::unique_ptr<ir::Model>> ImportModel(const std::string& argument);

// Whether ImportModel would read a Caffe net.
bool IsCaffeNet(const std::string& argument);

// The files that ImportModel reads: one, or two of a Caffe net.
std::vector<std::string> FilesOf(const std::string& argument);

// Refuses paths of outputs in Caffe's format, which is not written: a Caffe net comes out as ONNX.
Status RefuseCaffeOutput(const std::string& path);

}  // namespace lathe::flows
