// Objects in chunks: stable addresses, 32-bit ids, no id given twice.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace lathe::ir {

template <typename T>
class Slab {
 public:
  // O(1) amortised.
  T* Create(uint32_t* id) {
    if (size_ % kChunk == 0) chunks_.push_back(std::make_unique<T[]>(kChunk));
    *id = static_cast<uint32_t>(size_);
    return &chunks_.back()[size_++ % kChunk];
  }
  // O(1).
  T* Get(uint32_t id) const { return id < size_ ? &chunks_[id / kChunk][id % kChunk] : nullptr; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kChunk = 256;
  std::vector<std::unique_ptr<T[]>> chunks_;
  size_t size_ = 0;
};

}  // namespace lathe::ir
