// Writes tensors as NumPy's .npy array files.
#pragma once

#include <string>

#include "lathe/ir/tensor.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/status.h"

namespace lathe::backends {

// The bytes before a tensor's elements (format version 1.0, C order, padded to 64 bytes as NumPy
// does), which then follow as they are stored. bfloat16 has no NumPy type: WriteNpy stores it as
// f4, which holds it exactly. Errors: strings and types that NumPy has not.
StatusOr<std::string> NpyHeaderBytes(ir::ElementType type, std::span<const int64_t> dims);

// Writes `tensor` into a file set, as a file that shall stand at `path`. Errors carry the file.
Status StageNpy(const ir::Tensor& tensor, const std::string& path, AtomicFileSet* files);

// The same with a set of its own: the file appears whole or not at all.
Status WriteNpy(const std::string& path, const ir::Tensor& tensor);

}  // namespace lathe::backends
