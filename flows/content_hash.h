// Tells whether two jobs work on the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/frontends/data/batches.h"
#include "lathe/ir/model.h"

namespace lathe::flows {

// One number a sample, batch by batch.
using SampleHashes = std::vector<std::vector<uint64_t>>;

// FNV-1a with 64 bits: finds changes, not forgeries.
class ContentHash {
 public:
  void Add(std::span<const std::byte> bytes);
  // Texts and numbers are set apart: "ab", "c" is not "a", "bc".
  void Add(std::string_view text);
  void Add(uint64_t number);
  // Element type, extents and bytes. Errors: those of reading.
  Status Add(const ir::Tensor& tensor);
  void Add(const SampleHashes& samples);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325ull;
};

// The file (both of a Caffe net), and the constants of the model read from it that stand in other
// files. O(bytes).
Status HashModel(const std::string& path, const ir::Model& model, ContentHash& hash);

// A sample is what the inputs of a batch have at one position of dimension 0, and what they have
// that are scalars; the whole batch where the others do not agree on that dimension. Loads each
// batch once.
StatusOr<SampleHashes> HashSamples(const frontends::BatchSource& data);

}  // namespace lathe::flows
