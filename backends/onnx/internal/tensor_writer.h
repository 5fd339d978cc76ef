// TensorProto, SparseTensorProto and TypeProto.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/backends/onnx/internal/data_placement.h"
#include "lathe/ir/tensor.h"
#include "lathe/ir/type.h"
#include "lathe/support/wire_writer.h"

namespace lathe::backends {

// A string field; an empty one is left out unless it is to be stated.
void AddText(WireMessage& message, uint32_t number, std::string_view text, bool state_empty);
void AddMetadata(WireMessage& message, uint32_t number,
                 const std::vector<std::pair<std::string, std::string>>& metadata);

// `name` replaces the name in the tensor's notes. Errors: its mapped file was shortened.
StatusOr<WireMessage> WriteTensor(const ir::Tensor& tensor, std::optional<std::string_view> name,
                                  DataPlacement& placement);
StatusOr<WireMessage> WriteSparseTensor(const ir::SparseTensor& tensor,
                                        std::optional<std::string_view> name,
                                        DataPlacement& placement);
WireMessage WriteType(const ir::Type& type);

}  // namespace lathe::backends
