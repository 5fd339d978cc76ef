// Conversion of a message between versions of ONNX's operator set, by onnx's own converter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lathe/support/status.h"

namespace lathe::frontends {

// Takes and gives a serialised ModelProto. Initializers whose data is external come back as graph
// inputs of the same name: the converter never needs to see them, and the caller has their data.
// The IR version is raised to what the operator set asks for. Errors: the converter has no rule for
// an operator.
StatusOr<std::string> ConvertOpsetMessage(std::string_view message, int64_t target);

}  // namespace lathe::frontends
