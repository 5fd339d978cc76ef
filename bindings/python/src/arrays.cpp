#include "lathe/bindings/python/src/arrays.h"

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/border.h"

namespace lathe::python {
namespace {

using ir::ElementType;

struct NamedType {
  ElementType type;
  // Of NumPy, or of ml_dtypes.
  const char* name;
  bool in_numpy;
};

constexpr std::array kTypes = {
    NamedType{ElementType::kFloat32, "float32", true},
    NamedType{ElementType::kUint8, "uint8", true},
    NamedType{ElementType::kInt8, "int8", true},
    NamedType{ElementType::kUint16, "uint16", true},
    NamedType{ElementType::kInt16, "int16", true},
    NamedType{ElementType::kInt32, "int32", true},
    NamedType{ElementType::kInt64, "int64", true},
    NamedType{ElementType::kBool, "bool", true},
    NamedType{ElementType::kFloat16, "float16", true},
    NamedType{ElementType::kFloat64, "float64", true},
    NamedType{ElementType::kUint32, "uint32", true},
    NamedType{ElementType::kUint64, "uint64", true},
    NamedType{ElementType::kComplex64, "complex64", true},
    NamedType{ElementType::kComplex128, "complex128", true},
    NamedType{ElementType::kBfloat16, "bfloat16", false},
    NamedType{ElementType::kFloat8E4M3FN, "float8_e4m3fn", false},
    NamedType{ElementType::kFloat8E4M3FNUZ, "float8_e4m3fnuz", false},
    NamedType{ElementType::kFloat8E5M2, "float8_e5m2", false},
    NamedType{ElementType::kFloat8E5M2FNUZ, "float8_e5m2fnuz", false},
    NamedType{ElementType::kUint4, "uint4", false},
    NamedType{ElementType::kInt4, "int4", false},
    NamedType{ElementType::kFloat4E2M1, "float4_e2m1fn", false},
    NamedType{ElementType::kFloat8E8M0, "float8_e8m0fnu", false},
    NamedType{ElementType::kUint2, "uint2", false},
    NamedType{ElementType::kInt2, "int2", false},
    NamedType{ElementType::kFloat6E2M3, "float6_e2m3fn", false},
    NamedType{ElementType::kFloat6E3M2, "float6_e3m2fn", false},
};

nb::object NumPy(const char* name) { return nb::module_::import_("numpy").attr(name); }

// One byte an element to `bits` an element, the first in the low bits.
std::vector<std::byte> Pack(const uint8_t* elements, size_t count, unsigned bits) {
  std::vector<std::byte> packed((count * bits + 7) / 8);
  const unsigned mask = (1u << bits) - 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * bits / 8;
    const unsigned shifted = (elements[i] & mask) << (i * bits % 8);
    packed[at] |= static_cast<std::byte>(shifted & 0xff);
    if (shifted > 0xff) packed[at + 1] |= static_cast<std::byte>(shifted >> 8);
  }
  return packed;
}

void Unpack(std::span<const std::byte> packed, size_t count, unsigned bits, uint8_t* elements) {
  const unsigned mask = (1u << bits) - 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * bits / 8;
    const unsigned shift = i * bits % 8;
    unsigned two = static_cast<unsigned>(packed[at]);
    if (shift + bits > 8) two |= static_cast<unsigned>(packed[at + 1]) << 8;
    elements[i] = static_cast<uint8_t>((two >> shift) & mask);
  }
}

ir::Tensor StringTensor(const nb::object& array, std::vector<int64_t> dims) {
  std::vector<std::string> values;
  for (const nb::handle item : array.attr("ravel")().attr("tolist")()) {
    if (nb::isinstance<nb::bytes>(item)) {
      const auto bytes = nb::borrow<nb::bytes>(item);
      values.emplace_back(bytes.c_str(), bytes.size());
    } else if (nb::isinstance<nb::str>(item)) {
      values.push_back(nb::cast<std::string>(item));
    } else {
      Check(InvalidInput("an array of objects must hold str or bytes only"));
    }
  }
  return ValueOf(ir::Tensor::FromStrings(std::move(dims), std::move(values)));
}

nb::object StringArray(const ir::Tensor& tensor, const nb::object& shape) {
  nb::list items;
  for (const std::string& value : tensor.strings()) {
    PyObject* text =
        PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "strict");
    if (text == nullptr) {
      PyErr_Clear();
      items.append(nb::bytes(value.data(), value.size()));
    } else {
      items.append(nb::steal(text));
    }
  }
  const nb::object array = NumPy("empty")(items.size(), nb::arg("dtype") = "object");
  array.attr("__setitem__")(nb::slice(nb::none(), nb::none(), nb::none()), items);
  return array.attr("reshape")(shape);
}

// Keeps a Python object alive from threads that have no GIL.
std::shared_ptr<const void> Owner(const void* data, nb::object object) {
  PyObject* held = object.release().ptr();
  return {data, [held](const void*) {
            if (Py_IsInitialized() == 0) return;
            const nb::gil_scoped_acquire acquired;
            Py_DECREF(held);
          }};
}

const NamedType& TypeOf(ElementType type) {
  for (const NamedType& each : kTypes) {
    if (each.type == type) return each;
  }
  throw StatusError(
      Unsupported("there is no NumPy type for elements of type {}", ir::ElementTypeName(type)));
}

nb::object DtypeOf(const NamedType& type) {
  if (type.in_numpy) return NumPy("dtype")(type.name);
  try {
    return NumPy("dtype")(nb::module_::import_("ml_dtypes").attr(type.name));
  } catch (nb::python_error&) {
    throw StatusError(WithContext(
        Unsupported("NumPy has no type for elements of type {}", ir::ElementTypeName(type.type)),
        ErrorContext::kHint, "install the package ml_dtypes"));
  }
}

}  // namespace

ir::Tensor ToTensor(nb::handle given) {
  nb::object array = NumPy("asarray")(given);
  nb::object dtype = array.attr("dtype");
  const auto dims = nb::cast<std::vector<int64_t>>(array.attr("shape"));
  const auto kind = nb::cast<std::string>(dtype.attr("kind"));
  if (kind == "U" || kind == "S" || kind == "O" || kind == "T") return StringTensor(array, dims);

  const auto name = nb::cast<std::string>(dtype.attr("name"));
  const NamedType* type = nullptr;
  for (const NamedType& each : kTypes) {
    if (name == each.name) type = &each;
  }
  if (type == nullptr) Check(Unsupported("arrays of {} are not tensors of ONNX", name));
  if (!nb::cast<bool>(dtype.attr("isnative"))) {
    array = array.attr("astype")(dtype.attr("newbyteorder")("="));
  }
  if (!nb::cast<bool>(array.attr("flags").attr("c_contiguous"))) array = array.attr("copy")("C");
  const nb::object interface = array.attr("__array_interface__");
  const auto address = nb::cast<uintptr_t>(interface["data"][0]);
  const auto size = nb::cast<size_t>(array.attr("nbytes"));
  // The address is what NumPy says it is.
  const auto* data = reinterpret_cast<const std::byte*>(address);  // NOLINT(*-int-to-ptr)
  const auto bits = static_cast<unsigned>(ir::ElementBits(type->type));
  if (bits < 8) {
    return ValueOf(ir::Tensor::FromVector(
        type->type, dims, Pack(reinterpret_cast<const uint8_t*>(data), size, bits)));
  }
  return ValueOf(ir::Tensor::FromBytes(
      type->type, dims, ir::TensorBytes({data, size}, Owner(data, std::move(array)))));
}

nb::object ToArray(const ir::Tensor& tensor) {
  const nb::object shape =
      nb::tuple(nb::cast(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())));
  if (tensor.element_type() == ElementType::kString) return StringArray(tensor, shape);
  const NamedType& type = TypeOf(tensor.element_type());
  const nb::object dtype = DtypeOf(type);
  auto bytes = std::make_unique<ir::TensorBytes>(ValueOf(tensor.Read()));
  const auto bits = static_cast<unsigned>(ir::ElementBits(type.type));
  if (bits < 8) {
    const auto count = static_cast<size_t>(tensor.num_elements());
    std::vector<uint8_t> elements(count);
    Unpack(bytes->bytes(), count, bits, elements.data());
    bytes = std::make_unique<ir::TensorBytes>(
        ValueOf(ValueOf(ir::Tensor::FromVector(
                            ElementType::kUint8, {static_cast<int64_t>(count)},
                            {reinterpret_cast<const std::byte*>(elements.data()),
                             reinterpret_cast<const std::byte*>(elements.data()) + count}))
                    .Read()));
  }
  const size_t size = bytes->size();
  const std::byte* data = bytes->data();
  const nb::capsule owner(bytes.release(),
                          [](void* held) noexcept { delete static_cast<ir::TensorBytes*>(held); });
  const nb::object raw = nb::cast(nb::ndarray<nb::numpy, const uint8_t, nb::ndim<1>>(
      reinterpret_cast<const uint8_t*>(data), {size}, owner));
  return raw.attr("view")(dtype).attr("reshape")(shape);
}

}  // namespace lathe::python
