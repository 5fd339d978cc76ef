// Prints what is read of a checkpoint, for comparison with other readers: a line a tensor with its
// dict, name, type, dims and bytes, as JSON.
#include <cstdio>
#include <string>

#include <absl/strings/escaping.h>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

Status Print(const StateDict& dict) {
  for (const NamedTensor& named : dict.tensors) {
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, named.tensor.Read());
    const absl::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    fmt::print(R"({{"dict":"{}","name":"{}","type":"{}","dims":[{}],"bytes":"{}"}})"
               "\n",
               dict.name, named.name, ir::ElementTypeName(named.tensor.element_type()),
               fmt::join(named.tensor.dims(), ","), absl::BytesToHexString(text));
  }
  return OkStatus();
}

Status Run(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const Checkpoint checkpoint, ReadCheckpoint(path));
  LATHE_RETURN_IF_ERROR(Print(checkpoint.root));
  for (const StateDict& dict : checkpoint.nested) LATHE_RETURN_IF_ERROR(Print(dict));
  return OkStatus();
}

}  // namespace
}  // namespace lathe::frontends

int main(int argc, char** argv) {
  const lathe::Status status = argc == 2 ? lathe::frontends::Run(argv[1])
                                         : lathe::InvalidInput("one argument: a checkpoint");
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", lathe::FormatError(status));
  return 1;
}
