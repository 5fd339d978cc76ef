#include "lathe/frontends/checkpoint/internal/pickle_global.h"

#include <algorithm>
#include <iterator>

namespace lathe::frontends::internal {
namespace {

using ir::ElementType;
using Role = PickleGlobal::Role;

constexpr PickleGlobal kGlobals[] = {
    {"collections", "OrderedDict", Role::kOrderedDict},
    {"torch._utils", "_rebuild_tensor", Role::kTensor},
    {"torch._utils", "_rebuild_tensor_v2", Role::kTensorV2},
    {"torch._utils", "_rebuild_tensor_v3", Role::kTensorV3},
    {"torch._utils", "_rebuild_parameter", Role::kParameter},
    {"torch", "Size", Role::kSize},
    {"torch", "device", Role::kDevice},
    {"torch", "FloatStorage", Role::kStorageType, ElementType::kFloat32},
    {"torch", "DoubleStorage", Role::kStorageType, ElementType::kFloat64},
    {"torch", "HalfStorage", Role::kStorageType, ElementType::kFloat16},
    {"torch", "BFloat16Storage", Role::kStorageType, ElementType::kBfloat16},
    {"torch", "LongStorage", Role::kStorageType, ElementType::kInt64},
    {"torch", "IntStorage", Role::kStorageType, ElementType::kInt32},
    {"torch", "ShortStorage", Role::kStorageType, ElementType::kInt16},
    {"torch", "CharStorage", Role::kStorageType, ElementType::kInt8},
    {"torch", "ByteStorage", Role::kStorageType, ElementType::kUint8},
    {"torch", "BoolStorage", Role::kStorageType, ElementType::kBool},
    {"torch", "ComplexFloatStorage", Role::kStorageType, ElementType::kComplex64},
    {"torch", "ComplexDoubleStorage", Role::kStorageType, ElementType::kComplex128},
    {"torch.storage", "UntypedStorage", Role::kStorageType, ElementType::kUndefined},
    {"torch", "float32", Role::kElementType, ElementType::kFloat32},
    {"torch", "float64", Role::kElementType, ElementType::kFloat64},
    {"torch", "float16", Role::kElementType, ElementType::kFloat16},
    {"torch", "bfloat16", Role::kElementType, ElementType::kBfloat16},
    {"torch", "int64", Role::kElementType, ElementType::kInt64},
    {"torch", "int32", Role::kElementType, ElementType::kInt32},
    {"torch", "int16", Role::kElementType, ElementType::kInt16},
    {"torch", "int8", Role::kElementType, ElementType::kInt8},
    {"torch", "uint8", Role::kElementType, ElementType::kUint8},
    {"torch", "uint16", Role::kElementType, ElementType::kUint16},
    {"torch", "uint32", Role::kElementType, ElementType::kUint32},
    {"torch", "uint64", Role::kElementType, ElementType::kUint64},
    {"torch", "bool", Role::kElementType, ElementType::kBool},
    {"torch", "complex64", Role::kElementType, ElementType::kComplex64},
    {"torch", "complex128", Role::kElementType, ElementType::kComplex128},
    {"torch", "float8_e4m3fn", Role::kElementType, ElementType::kFloat8E4M3FN},
    {"torch", "float8_e4m3fnuz", Role::kElementType, ElementType::kFloat8E4M3FNUZ},
    {"torch", "float8_e5m2", Role::kElementType, ElementType::kFloat8E5M2},
    {"torch", "float8_e5m2fnuz", Role::kElementType, ElementType::kFloat8E5M2FNUZ},
    {"torch", "float8_e8m0fnu", Role::kElementType, ElementType::kFloat8E8M0},
};

}  // namespace

const PickleGlobal* FindPickleGlobal(std::string_view module, std::string_view name) {
  const auto* found = std::find_if(
      std::begin(kGlobals), std::end(kGlobals),
      [&](const PickleGlobal& global) { return global.module == module && global.name == name; });
  return found == std::end(kGlobals) ? nullptr : found;
}

}  // namespace lathe::frontends::internal
