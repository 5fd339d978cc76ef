// Constant tensors. A Tensor is a handle (one pointer) on immutable data: a range of a mapped file,
// a shared block, or a list of strings. Copying a Tensor, moving it between nodes and editing a
// graph never copies the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/element_type.h"
#include "lathe/ir/spelling.h"
#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::ir {

// Bytes of a tensor together with what keeps them alive.
class TensorBytes {
 public:
  TensorBytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}
  std::span<const std::byte> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  const std::byte* data() const { return bytes_.data(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

// What ONNX attaches to a tensor beside its value; kept so that a file survives import and export
// unchanged.
struct TensorNotes {
  // Only of tensors in attributes: an initializer's name is its value's.
  std::string name;
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  // The payload stood in the typed field (float_data, int32_data, ...) and not in raw_data.
  bool typed_field = false;
  // The payload stood in another file.
  bool external = false;
  uint8_t spelling = 0;

  bool empty() const {
    return name.empty() && doc.empty() && metadata.empty() && !typed_field && !external &&
           spelling == 0;
  }
};

// Number of elements and bytes of a tensor; an error if an extent is negative or a product
// overflows.
StatusOr<int64_t> CheckedElementCount(std::span<const int64_t> dims);
StatusOr<size_t> CheckedByteSize(ElementType type, std::span<const int64_t> dims);

class Tensor {
 public:
  // No tensor; false in a condition.
  Tensor() = default;
  explicit operator bool() const { return data_ != nullptr; }

  // From a copy of `values` (their count must be the product of dims). T: float, double, bool or a
  // standard integer type of the element type's width.
  template <typename T>
  static Tensor Of(std::vector<int64_t> dims, std::span<const T> values);
  template <typename T>
  static Tensor Of(std::vector<int64_t> dims, const std::vector<T>& values) {
    return Of<T>(std::move(dims), std::span<const T>(values));
  }
  template <typename T>
  static Tensor Scalar(T value) {
    return Of<T>({}, std::span<const T>(&value, 1));
  }
  static Tensor OfStrings(std::vector<int64_t> dims, std::vector<std::string> values);

  // From bytes in ONNX's raw little-endian layout, without a copy. Errors: `bytes` is shorter or
  // longer than the shape asks for; a negative extent; an overflow.
  static StatusOr<Tensor> FromBytes(ElementType type, std::vector<int64_t> dims,
                                    const TensorBytes& bytes, TensorNotes notes = {});
  // The same from a vector that the tensor takes over.
  static StatusOr<Tensor> FromVector(ElementType type, std::vector<int64_t> dims,
                                     std::vector<std::byte> bytes, TensorNotes notes = {});
  // From a range of a mapped file; nothing is read.
  static StatusOr<Tensor> FromFile(ElementType type, std::vector<int64_t> dims,
                                   std::shared_ptr<const MappedFile> file, uint64_t offset,
                                   TensorNotes notes = {});
  static StatusOr<Tensor> FromStrings(std::vector<int64_t> dims, std::vector<std::string> values,
                                      TensorNotes notes = {});

  ElementType element_type() const;
  std::span<const int64_t> dims() const;
  int rank() const { return static_cast<int>(dims().size()); }
  int64_t num_elements() const;
  // Bytes of the payload; 0 for strings.
  size_t byte_size() const;
  const TensorNotes& notes() const;

  // The same data with other notes or, where the count fits, other dims. O(rank).
  Tensor WithNotes(TensorNotes notes) const;
  Tensor WithDims(std::vector<int64_t> dims) const;

  // The payload, without a copy. Errors: the file was shortened; a string tensor.
  StatusOr<TensorBytes> Read() const;
  // Where the payload stands, if in a mapped file.
  struct FileRange {
    std::string path;
    uint64_t offset = 0;
  };
  std::optional<FileRange> file_range() const;
  // The elements of a string tensor; empty for others.
  std::span<const std::string> strings() const;

  // The elements as T, copied; the element type must be T's own. Errors: another element type;
  // Read's.
  template <typename T>
  StatusOr<std::vector<T>> Values() const;
  // The only element of a one-element tensor of type T.
  template <typename T>
  StatusOr<T> ScalarValue() const;
  // The elements as float: from float32, float16, bfloat16 or float64. Errors: other element types.
  StatusOr<std::vector<float>> ValuesAsFloat() const;
  // The elements as int64: from any integer type of at least 8 bits and bool. Errors: other element
  // types.
  StatusOr<std::vector<int64_t>> ValuesAsInt64() const;

  // One and the same storage (O(1)); equal contents need not be the same.
  bool SharesStorageWith(const Tensor& other) const { return data_ == other.data_; }
  // Same type, dims and bytes; reads both payloads.
  StatusOr<bool> EqualContents(const Tensor& other) const;

 private:
  struct Data;
  explicit Tensor(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

// A sparse tensor constant: `values` at `indices` of a tensor of shape `dims`.
struct SparseTensor {
  Tensor values;
  Tensor indices;
  std::vector<int64_t> dims;
};

// The element type that T is stored as.
template <typename T>
constexpr ElementType ElementTypeOf();

}  // namespace lathe::ir
