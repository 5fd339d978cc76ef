// Forms that are read elsewhere: here their arrays become a state dict.
#include <string>
#include <utility>

#include "lathe/frontends/checkpoint/internal/copy_budget.h"
#include "lathe/frontends/checkpoint/internal/forms.h"
#include "lathe/frontends/data/npz.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {

Status ReadNpzCheckpoint(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const NpzFile npz, NpzFile::Open(file));
  CopyBudget budget(file->size());
  for (const NpzFile::Entry& entry : npz.entries()) {
    if (entry.file.deflated || entry.header.fortran_order || entry.header.big_endian) {
      LATHE_RETURN_IF_ERROR(AtPlace(budget.Take(entry.file.size), "array " + Quoted(entry.name)));
    }
    LATHE_ASSIGN_OR_RETURN(ir::Tensor tensor, npz.Read(entry, NpzFile::Stored::kTrust));
    checkpoint.root.tensors.push_back({entry.name, std::move(tensor)});
  }
  return OkStatus();
}

Status ReadOnnxCheckpoint(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model, ImportOnnx(file->path()));
  for (const ir::Value* value : model->graph().initializers()) {
    checkpoint.root.tensors.push_back({std::string(value->name_text()), value->tensor()});
  }
  return OkStatus();
}

}  // namespace lathe::frontends::internal
