// NumPy's .npy array files (format versions 1 to 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

struct NpyHeader {
  ir::ElementType element_type = ir::ElementType::kUndefined;
  std::vector<int64_t> dims;
  bool fortran_order = false;
  bool big_endian = false;
  // Where the elements begin, and how many bytes they take.
  uint64_t data_offset = 0;
  uint64_t data_bytes = 0;
};

// Reads the header at the front of `bytes`, which may end anywhere after it. Types: b1, i1 to i8,
// u1 to u8, f2, f4, f8, c8, c16 in either byte order. Errors: not an .npy file, a damaged header,
// another type (objects, strings, records), a shape that overflows. O(header).
StatusOr<NpyHeader> ParseNpyHeader(std::span<const std::byte> bytes);

// The header of a file, checked against the file's length. Reads no elements.
StatusOr<NpyHeader> ReadNpyHeader(const std::string& path);

// An array file. Little-endian C-order arrays stay in the file (mapped, nothing is copied); others
// are converted into memory. Errors carry the file.
StatusOr<ir::Tensor> ReadNpy(const std::string& path);

// The same for a range of a file that holds a whole .npy file.
StatusOr<ir::Tensor> ReadNpy(std::shared_ptr<const MappedFile> file, uint64_t offset,
                             uint64_t size);

// The same from memory that the tensor takes over.
StatusOr<ir::Tensor> DecodeNpy(std::shared_ptr<const std::vector<std::byte>> bytes);

}  // namespace lathe::frontends
