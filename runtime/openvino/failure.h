// What OpenVINO's exceptions say, in one line.
#pragma once

#include <string_view>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::runtime {

// The refusal of the node that OpenVINO calls `name`: by its name or by its first output's.
Status DescribeRefusal(std::string_view name, std::string_view why, const ir::Model& model);

// OpenVINO reports in many lines, with source files and checks. Finds the operator of `model` that
// the text blames and what is wrong with it; ResourceExhausted when it is about memory.
Status DescribeFailure(std::string_view text, const ir::Model& model);

}  // namespace lathe::runtime
