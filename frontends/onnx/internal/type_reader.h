// TypeProto.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

using Message = std::span<const std::byte>;
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Errors: damaged; an element type that ONNX does not have; a negative extent; nested too deep.
StatusOr<const ir::Type*> ReadType(ir::Model& model, Message message, int depth = 0);

// A StringStringEntryProto, appended.
Status ReadEntry(Message message, Metadata* entries);

}  // namespace lathe::frontends
