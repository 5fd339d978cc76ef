// A description of an ONNX file's layers, read with nothing but protobuf: enough to compare
// configurations with the golden ones.
#pragma once

#include <string>

#include "lathe/quant/config/layer.h"
#include "lathe/support/status.h"

namespace lathe::test {

StatusOr<quant::NetworkDescription> DescribeOnnx(const std::string& path);

}  // namespace lathe::test
