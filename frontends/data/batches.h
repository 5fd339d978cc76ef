// The DATA of a command line: batches of input tensors for a network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/frontends/data/images.h"
#include "lathe/ir/input_spec.h"
#include "lathe/ir/tensor.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Batches are loaded one at a time, when asked for; nothing is kept, so memory does not grow with
// their number. Load may be called in any order and repeatedly.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual size_t num_batches() const = 0;
  // Extent of the first dimension of a batch of the first input (1 where it is a scalar), as the
  // files' headers had it. O(1).
  virtual int64_t samples(size_t i) const = 0;
  // Extents of a batch, input by input in the order of the specs, as the files' headers had them.
  virtual std::vector<std::vector<int64_t>> shapes(size_t i) const = 0;
  // One tensor a graph input, in the order of the specs that the source was opened with. `i` is
  // below num_batches(). Errors name the file: it changed since it was checked, or its elements
  // are damaged.
  virtual StatusOr<std::vector<ir::Tensor>> Load(size_t i) const = 0;
};

struct ImageOptions {
  std::string directory;
  Normalization normalization;
  // Whether channels are the input's last dimension (NHWC) and not the second (NCHW).
  bool channels_last = false;
  // Images a batch; 0: the input's dim 0, or 1 where that is free.
  int64_t batch = 0;
};

struct DataOptions {
  // Each is FILE.npy (one a batch, for a model with one input), FILE.npz (one a batch, arrays named
  // by input) or NAME=GLOB (once an input; the files, sorted by name, are .npy, one a batch).
  std::vector<std::string> arguments;
  // Instead of arguments.
  std::optional<ImageOptions> images;
};

// Finds the files and checks, from their headers alone, that each fits the input it is for: number
// of batches, element type, rank, extents. Errors name file and input. O(files).
StatusOr<std::unique_ptr<BatchSource>> OpenBatches(const DataOptions& options,
                                                   std::span<const ir::InputSpec> inputs);

}  // namespace lathe::frontends
