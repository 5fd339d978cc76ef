#include "lathe/backends/data/npy_writer.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace lathe::backends {
namespace {

using ir::ElementType;

// NumPy's name of the type; empty when it has none.
std::string_view Descr(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return "|b1";
    case ElementType::kInt8:
      return "|i1";
    case ElementType::kUint8:
      return "|u1";
    case ElementType::kInt16:
      return "<i2";
    case ElementType::kUint16:
      return "<u2";
    case ElementType::kInt32:
      return "<i4";
    case ElementType::kUint32:
      return "<u4";
    case ElementType::kInt64:
      return "<i8";
    case ElementType::kUint64:
      return "<u8";
    case ElementType::kFloat16:
      return "<f2";
    case ElementType::kFloat32:
    case ElementType::kBfloat16:
      return "<f4";
    case ElementType::kFloat64:
      return "<f8";
    case ElementType::kComplex64:
      return "<c8";
    case ElementType::kComplex128:
      return "<c16";
    default:
      return "";
  }
}

std::vector<std::byte> WidenBfloat16(std::span<const std::byte> bytes) {
  std::vector<std::byte> result(bytes.size() * 2);
  // A bfloat16 is the upper half of the float.
  for (size_t i = 0; i < bytes.size(); i += 2) std::memcpy(&result[2 * i + 2], &bytes[i], 2);
  return result;
}

}  // namespace

StatusOr<std::string> NpyHeaderBytes(ElementType type, std::span<const int64_t> dims) {
  const std::string_view descr = Descr(type);
  if (descr.empty()) {
    return Unsupported("a tensor of type {} cannot be written as .npy: NumPy has no such type",
                       ir::ElementTypeName(type));
  }
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 descr, fmt::join(dims, ", "), dims.size() == 1 ? "," : "");
  constexpr size_t kFront = 10, kAlignment = 64;
  const size_t length = (kFront + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.append(length - kFront - text.size() - 1, ' ');
  text += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(text.size() & 0xff);
  bytes += static_cast<char>(text.size() >> 8);
  return bytes + text;
}

Status StageNpy(const ir::Tensor& tensor, const std::string& path, AtomicFileSet* files) {
  const auto stage = [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const std::string header,
                           NpyHeaderBytes(tensor.element_type(), tensor.dims()));
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes payload, tensor.Read());
    std::vector<std::byte> widened;
    std::span<const std::byte> bytes = payload.bytes();
    if (tensor.element_type() == ElementType::kBfloat16) {
      widened = WidenBfloat16(bytes);
      bytes = widened;
    }
    LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * file, files->Add(path));
    LATHE_RETURN_IF_ERROR(file->Append(header));
    return file->Append(bytes);
  };
  return WithContext(stage(), ErrorContext::kFile, path);
}

Status WriteNpy(const std::string& path, const ir::Tensor& tensor) {
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(StageNpy(tensor, path, &files));
  return files.Commit();
}

}  // namespace lathe::backends
