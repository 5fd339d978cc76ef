#include "lathe/backends/onnx/internal/data_placement.h"

namespace lathe::backends {

std::optional<DataPlacement::Entry> DataPlacement::Place(const ir::Tensor& tensor,
                                                         const ir::TensorBytes& bytes,
                                                         bool in_attribute) {
  if (kind_ == Kind::kInline || bytes.size() == 0) return std::nullopt;
  if (in_attribute && !attributes_) return std::nullopt;
  const bool stays_external = kind_ == Kind::kFile && tensor.notes().external;
  if (!stays_external && bytes.size() < threshold_) return std::nullopt;
  uint64_t offset = 0;
  if (kind_ == Kind::kMemory) {
    offset = reinterpret_cast<uintptr_t>(bytes.data());
  } else {
    offset = (end_ + kAlignment - 1) / kAlignment * kAlignment;
    end_ = offset + bytes.size();
  }
  placed_.push_back({offset, bytes});
  return Entry{location_, offset};
}

}  // namespace lathe::backends
