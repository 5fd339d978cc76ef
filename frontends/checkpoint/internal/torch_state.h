// From what a pickle describes to tensors: shared by both of PyTorch's forms.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/frontends/checkpoint/internal/pickle_value.h"
#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::frontends::internal {

// Where the storages stand in the file.
struct TorchStorages {
  struct Range {
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  std::shared_ptr<const MappedFile> file;
  absl::flat_hash_map<std::string_view, Range> ranges;
  bool big_endian = false;
};

// Fills root and nested. Errors name the tensor: the root is no dict, a storage that is missing or
// of another size than the pickle says, a tensor that reaches out of its storage, too much to copy.
Status ReadTorchState(const PickleHeap& heap, const PickleValue& root,
                      const TorchStorages& storages, Checkpoint& checkpoint);

}  // namespace lathe::frontends::internal
