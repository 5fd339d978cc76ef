#include "lathe/ir/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "lathe/support/half.h"

namespace lathe::ir {

namespace {

std::shared_ptr<const TensorNotes> Shared(TensorNotes notes) {
  return notes.empty() ? nullptr : std::make_shared<const TensorNotes>(std::move(notes));
}

}  // namespace

struct Tensor::Data {
  // A payload in a file that is no larger is read once: each later look would ask the system for
  // the file's length, which costs more than the bytes.
  static constexpr size_t kSmall = 16;

  ElementType type = ElementType::kUndefined;
  bool has_small = false;
  std::vector<int64_t> dims;
  int64_t count = 0;
  size_t bytes = 0;
  // One of: a file range, memory with an owner, strings.
  std::shared_ptr<const MappedFile> file;
  uint64_t offset = 0;
  std::shared_ptr<const void> owner;
  const std::byte* memory = nullptr;
  std::shared_ptr<const std::vector<std::string>> strings;
  // Null when there are none, which is the rule.
  std::shared_ptr<const TensorNotes> notes;
  std::array<std::byte, kSmall> small = {};
};

StatusOr<int64_t> CheckedElementCount(std::span<const int64_t> dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) return InvalidInput("extent {} is negative", dim);
    if (__builtin_mul_overflow(count, dim, &count)) {
      return InvalidInput("shape has more elements than an int64 counts");
    }
  }
  return count;
}

StatusOr<size_t> CheckedByteSize(ElementType type, std::span<const int64_t> dims) {
  LATHE_ASSIGN_OR_RETURN(const int64_t count, CheckedElementCount(dims));
  int64_t bits = 0;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(ElementBits(type)), &bits) ||
      bits > INT64_MAX - 7) {
    return InvalidInput("shape takes more bytes than an int64 counts");
  }
  return static_cast<size_t>((bits + 7) / 8);
}

template <typename T>
constexpr ElementType ElementTypeOf() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
  if constexpr (std::is_same_v<T, bool>) return ElementType::kBool;
  if constexpr (std::is_same_v<T, int8_t>) return ElementType::kInt8;
  if constexpr (std::is_same_v<T, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, int16_t>) return ElementType::kInt16;
  if constexpr (std::is_same_v<T, uint16_t>) return ElementType::kUint16;
  if constexpr (std::is_same_v<T, int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, uint32_t>) return ElementType::kUint32;
  if constexpr (std::is_same_v<T, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, uint64_t>) return ElementType::kUint64;
}

template <typename T>
Tensor Tensor::Of(std::vector<int64_t> dims, std::span<const T> values) {
  auto block = std::make_shared<std::vector<std::byte>>(values.size_bytes());
  if (!values.empty()) std::memcpy(block->data(), values.data(), values.size_bytes());
  auto data = std::make_shared<Data>();
  data->type = ElementTypeOf<T>();
  data->dims = std::move(dims);
  data->count = static_cast<int64_t>(values.size());
  data->bytes = values.size_bytes();
  data->memory = block->data();
  data->owner = std::move(block);
  return Tensor(std::move(data));
}

Tensor Tensor::OfStrings(std::vector<int64_t> dims, std::vector<std::string> values) {
  auto data = std::make_shared<Data>();
  data->type = ElementType::kString;
  data->dims = std::move(dims);
  data->count = static_cast<int64_t>(values.size());
  data->strings = std::make_shared<const std::vector<std::string>>(std::move(values));
  return Tensor(std::move(data));
}

StatusOr<Tensor> Tensor::FromBytes(ElementType type, std::vector<int64_t> dims,
                                   const TensorBytes& bytes, TensorNotes notes) {
  if (ElementBits(type) == 0) {
    return InvalidInput("a tensor of type {} has no raw bytes", ElementTypeName(type));
  }
  LATHE_ASSIGN_OR_RETURN(const size_t want, CheckedByteSize(type, dims));
  if (bytes.size() != want) {
    return InvalidInput("tensor data has {} bytes, its shape needs {}", bytes.size(), want);
  }
  auto data = std::make_shared<Data>();
  data->type = type;
  LATHE_ASSIGN_OR_RETURN(data->count, CheckedElementCount(dims));
  data->dims = std::move(dims);
  data->bytes = want;
  data->memory = bytes.data();
  data->owner = bytes.owner();
  data->notes = Shared(std::move(notes));
  return Tensor(std::move(data));
}

StatusOr<Tensor> Tensor::FromVector(ElementType type, std::vector<int64_t> dims,
                                    std::vector<std::byte> bytes, TensorNotes notes) {
  const auto block = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return FromBytes(type, std::move(dims), TensorBytes({block->data(), block->size()}, block),
                   std::move(notes));
}

StatusOr<Tensor> Tensor::FromFile(ElementType type, std::vector<int64_t> dims,
                                  std::shared_ptr<const MappedFile> file, uint64_t offset,
                                  TensorNotes notes) {
  if (ElementBits(type) == 0) {
    return InvalidInput("a tensor of type {} has no raw bytes", ElementTypeName(type));
  }
  LATHE_ASSIGN_OR_RETURN(const size_t want, CheckedByteSize(type, dims));
  if (offset > file->size() || want > file->size() - offset) {
    return InvalidInput(
        "tensor data ends after byte {} of the file, its shape needs {} bytes from byte {}",
        file->size(), want, offset);
  }
  auto data = std::make_shared<Data>();
  data->type = type;
  LATHE_ASSIGN_OR_RETURN(data->count, CheckedElementCount(dims));
  data->dims = std::move(dims);
  data->bytes = want;
  data->offset = offset;
  if (want <= Data::kSmall) {
    if (const auto bytes = file->Range(offset, want); bytes.ok()) {
      std::ranges::copy(*bytes, data->small.begin());
      data->has_small = true;
    }
  }
  data->file = std::move(file);
  data->notes = Shared(std::move(notes));
  return Tensor(std::move(data));
}

StatusOr<Tensor> Tensor::FromStrings(std::vector<int64_t> dims, std::vector<std::string> values,
                                     TensorNotes notes) {
  LATHE_ASSIGN_OR_RETURN(const int64_t want, CheckedElementCount(dims));
  if (static_cast<int64_t>(values.size()) != want) {
    return InvalidInput("tensor data has {} strings, its shape needs {}", values.size(), want);
  }
  return OfStrings(std::move(dims), std::move(values)).WithNotes(std::move(notes));
}

ElementType Tensor::element_type() const { return data_->type; }
std::span<const int64_t> Tensor::dims() const { return data_->dims; }
int64_t Tensor::num_elements() const { return data_->count; }
size_t Tensor::byte_size() const { return data_->bytes; }
const TensorNotes& Tensor::notes() const {
  static const TensorNotes kNone;
  return data_->notes ? *data_->notes : kNone;
}

Tensor Tensor::WithNotes(TensorNotes notes) const {
  auto data = std::make_shared<Data>(*data_);
  data->notes = Shared(std::move(notes));
  return Tensor(std::move(data));
}

Tensor Tensor::WithDims(std::vector<int64_t> dims) const {
  auto data = std::make_shared<Data>(*data_);
  data->dims = std::move(dims);
  return Tensor(std::move(data));
}

StatusOr<TensorBytes> Tensor::Read() const {
  if (data_->strings) return InvalidInput("a string tensor has no raw bytes");
  if (data_->has_small) return TensorBytes({data_->small.data(), data_->bytes}, data_);
  if (data_->file) {
    LATHE_ASSIGN_OR_RETURN(const auto bytes, data_->file->Range(data_->offset, data_->bytes));
    return TensorBytes(bytes, data_->file);
  }
  return TensorBytes({data_->memory, data_->bytes}, data_->owner);
}

std::optional<Tensor::FileRange> Tensor::file_range() const {
  if (!data_->file) return std::nullopt;
  return FileRange{data_->file->path(), data_->offset};
}

std::span<const std::string> Tensor::strings() const {
  if (!data_->strings) return {};
  return *data_->strings;
}

template <typename T>
StatusOr<std::vector<T>> Tensor::Values() const {
  if (element_type() != ElementTypeOf<T>()) {
    return InvalidInput("tensor holds {}, not {}", ElementTypeName(element_type()),
                        ElementTypeName(ElementTypeOf<T>()));
  }
  LATHE_ASSIGN_OR_RETURN(const TensorBytes bytes, Read());
  std::vector<T> values(static_cast<size_t>(num_elements()));
  if constexpr (std::is_same_v<T, bool>) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = bytes.bytes()[i] != std::byte{0};
  } else if (!values.empty()) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  }
  return values;
}

template <typename T>
StatusOr<T> Tensor::ScalarValue() const {
  if (num_elements() != 1) return InvalidInput("tensor has {} elements, not one", num_elements());
  LATHE_ASSIGN_OR_RETURN(const std::vector<T> values, Values<T>());
  return T{values[0]};
}

StatusOr<std::vector<float>> Tensor::ValuesAsFloat() const {
  if (element_type() == ElementType::kFloat32) return Values<float>();
  std::vector<float> result(static_cast<size_t>(num_elements()));
  if (element_type() == ElementType::kFloat64) {
    LATHE_ASSIGN_OR_RETURN(const std::vector<double> values, Values<double>());
    std::transform(values.begin(), values.end(), result.begin(),
                   [](double value) { return static_cast<float>(value); });
    return result;
  }
  if (element_type() != ElementType::kFloat16 && element_type() != ElementType::kBfloat16) {
    return InvalidInput("tensor holds {}, not floating-point numbers",
                        ElementTypeName(element_type()));
  }
  LATHE_ASSIGN_OR_RETURN(const TensorBytes bytes, Read());
  const bool half = element_type() == ElementType::kFloat16;
  for (size_t i = 0; i < result.size(); ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    result[i] = half ? HalfToFloat(bits) : Bfloat16ToFloat(bits);
  }
  return result;
}

namespace {

template <typename T>
std::vector<int64_t> Widen(const TensorBytes& bytes, int64_t count) {
  std::vector<int64_t> result(static_cast<size_t>(count));
  for (size_t i = 0; i < result.size(); ++i) {
    T value{};
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    result[i] = static_cast<int64_t>(value);
  }
  return result;
}

}  // namespace

StatusOr<std::vector<int64_t>> Tensor::ValuesAsInt64() const {
  LATHE_ASSIGN_OR_RETURN(const TensorBytes bytes, Read());
  switch (element_type()) {
    case ElementType::kInt64:
      return Widen<int64_t>(bytes, num_elements());
    case ElementType::kInt32:
      return Widen<int32_t>(bytes, num_elements());
    case ElementType::kInt16:
      return Widen<int16_t>(bytes, num_elements());
    case ElementType::kInt8:
      return Widen<int8_t>(bytes, num_elements());
    case ElementType::kUint64:
      return Widen<uint64_t>(bytes, num_elements());
    case ElementType::kUint32:
      return Widen<uint32_t>(bytes, num_elements());
    case ElementType::kUint16:
      return Widen<uint16_t>(bytes, num_elements());
    case ElementType::kUint8:
    case ElementType::kBool:
      return Widen<uint8_t>(bytes, num_elements());
    default:
      return InvalidInput("tensor holds {}, not integers", ElementTypeName(element_type()));
  }
}

StatusOr<bool> Tensor::EqualContents(const Tensor& other) const {
  if (SharesStorageWith(other)) return true;
  if (element_type() != other.element_type() || !std::ranges::equal(dims(), other.dims()))
    return false;
  if (element_type() == ElementType::kString) return std::ranges::equal(strings(), other.strings());
  LATHE_ASSIGN_OR_RETURN(const TensorBytes a, Read());
  LATHE_ASSIGN_OR_RETURN(const TensorBytes b, other.Read());
  return a.size() == 0 || std::memcmp(a.data(), b.data(), a.size()) == 0;
}

#define LATHE_INSTANTIATE(T)                                               \
  template Tensor Tensor::Of<T>(std::vector<int64_t>, std::span<const T>); \
  template StatusOr<std::vector<T>> Tensor::Values<T>() const;             \
  template StatusOr<T> Tensor::ScalarValue<T>() const;
LATHE_INSTANTIATE(float)
LATHE_INSTANTIATE(double)
LATHE_INSTANTIATE(bool)
LATHE_INSTANTIATE(int8_t)
LATHE_INSTANTIATE(uint8_t)
LATHE_INSTANTIATE(int16_t)
LATHE_INSTANTIATE(uint16_t)
LATHE_INSTANTIATE(int32_t)
LATHE_INSTANTIATE(uint32_t)
LATHE_INSTANTIATE(int64_t)
LATHE_INSTANTIATE(uint64_t)
#undef LATHE_INSTANTIATE

}  // namespace lathe::ir
