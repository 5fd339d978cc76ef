// The readers of the single forms. Each fills the checkpoint's root and nested dicts; errors are as
// ReadCheckpoint states them, without the file's name.
#pragma once

#include <memory>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/frontends/data/zip_file.h"
#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::frontends::internal {

using FileHandle = std::shared_ptr<const MappedFile>;

// The name of the archive's pickle, "STEM/data.pkl"; empty when there is none. Errors: several, or
// the archive is a TorchScript program.
StatusOr<std::string> FindTorchPickle(const ZipFile& zip);

Status ReadTorchZip(const FileHandle& file, Checkpoint& checkpoint);
Status ReadTorchOld(const FileHandle& file, Checkpoint& checkpoint);
Status ReadSafetensors(const FileHandle& file, Checkpoint& checkpoint);
Status ReadNpzCheckpoint(const FileHandle& file, Checkpoint& checkpoint);
Status ReadOnnxCheckpoint(const FileHandle& file, Checkpoint& checkpoint);

}  // namespace lathe::frontends::internal
