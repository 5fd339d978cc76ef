// ONNX files out.
//
// The writer lays out protobuf's wire format itself, fields in the order of their numbers, so the
// same model gives the same bytes. Payloads of tensors are referred to until they are written:
// writing a model does not hold a second copy of its weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/status.h"

namespace lathe::backends {

struct SerializeOptions {
  // Where set, tensors of at least `memory_threshold` bytes are not copied into the message but
  // named as external data at "*/_ORT_MEM_ADDR_/*", with their address as offset: ONNX Runtime and
  // OpenVINO read such a message from memory. What is referred to is appended to `*memory`, which
  // the caller keeps for as long as the message is in use.
  std::vector<ir::TensorBytes>* memory = nullptr;
  size_t memory_threshold = 1024;
  // Whether tensors in attributes may be referred to as well, or only initializers.
  bool memory_of_attributes = true;
};

// A ModelProto, all data in it unless the options say otherwise. O(size of the message). Errors: a
// mapped file was shortened; the message would be larger than protobuf reads (2 GB).
StatusOr<std::string> SerializeOnnx(const ir::Model& model, const SerializeOptions& options = {});

struct ExportOptions {
  // A larger message has its tensors of at least `external_threshold` bytes in another file.
  // Protobuf refuses messages of 2 GB and more.
  uint64_t message_limit = INT32_MAX;
  size_t external_threshold = 1024;
};

// Where the tensors of the model at `path` are that do not stand in its message: "<path>.data".
std::string DataPath(const std::string& path);

// Writes `model` to `path`. Tensors that were external data when they were read, and all large ones
// when the message would exceed the limit, go to DataPath(path) beside it, at multiples of 64
// bytes. Both files appear whole or not at all. O(size of the model); memory: the structure of the
// model. Errors: the system refuses; a mapped file was shortened; the structure alone exceeds the
// limit.
Status ExportOnnx(const ir::Model& model, const std::string& path,
                  const ExportOptions& options = {});

// The same, to be put in place together with other files by `files->Commit()`.
Status StageOnnx(const ir::Model& model, const std::string& path, AtomicFileSet* files,
                 const ExportOptions& options = {});

}  // namespace lathe::backends
