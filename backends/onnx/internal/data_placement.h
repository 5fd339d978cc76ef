// Decides where the payload of each tensor goes while a model is written, and collects what does
// not go into the message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/tensor.h"

namespace lathe::backends {

class DataPlacement {
 public:
  // What external_data says.
  struct Entry {
    std::string location;
    uint64_t offset = 0;
  };
  struct Placed {
    uint64_t offset = 0;
    ir::TensorBytes bytes;
  };

  static constexpr uint64_t kAlignment = 64;

  static DataPlacement Inline() { return DataPlacement(Kind::kInline, SIZE_MAX, {}); }
  // In a file of that name: tensors that were external when read, and those from `threshold` on.
  static DataPlacement InFile(std::string location, size_t threshold) {
    return DataPlacement(Kind::kFile, threshold, std::move(location));
  }
  // Where they are in memory; those of attributes only if asked for.
  static DataPlacement InMemory(size_t threshold, bool attributes) {
    DataPlacement placement(Kind::kMemory, threshold, "*/_ORT_MEM_ADDR_/*");
    placement.attributes_ = attributes;
    return placement;
  }

  // The place of a payload outside the message; nothing: it goes into the message.
  std::optional<Entry> Place(const ir::Tensor& tensor, const ir::TensorBytes& bytes,
                             bool in_attribute);
  const std::vector<Placed>& placed() const { return placed_; }

 private:
  enum class Kind { kInline, kFile, kMemory };
  DataPlacement(Kind kind, size_t threshold, std::string location)
      : kind_(kind), threshold_(threshold), location_(std::move(location)) {}

  Kind kind_;
  size_t threshold_;
  std::string location_;
  bool attributes_ = true;
  uint64_t end_ = 0;
  std::vector<Placed> placed_;
};

}  // namespace lathe::backends
