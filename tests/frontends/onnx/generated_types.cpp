#include "lathe/ir/element_type.h"
#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/frontends/onnx/generated_parts.h"

namespace lathe::test {

using onnx::ModelProto;
using onnx::TensorProto;

// A [3, 5] tensor of each type but strings, in raw_data.
ModelProto RawElementTypes() {
  ModelProto model = ModelWithGraph(R"pb(name: "raw")pb");
  for (int number = 1; number <= ir::kLastElementType; ++number) {
    const auto type = static_cast<ir::ElementType>(number);
    if (type == ir::ElementType::kString) continue;
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name("w" + std::to_string(number));
    tensor.set_data_type(number);
    tensor.add_dims(3);
    tensor.add_dims(5);
    std::string bytes(ir::ElementBytes(type, 15), '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(37 * i + number);
    // The bits behind the last element are zero.
    const int unused = static_cast<int>(8 * bytes.size()) - 15 * ir::ElementBits(type);
    bytes.back() = static_cast<char>(static_cast<uint8_t>(bytes.back()) & (0xff >> unused));
    if (type == ir::ElementType::kBool) bytes = std::string("\0\1\1\0\1\0\1\1\0\0\0\1\1\1\0", 15);
    tensor.set_raw_data(bytes);
  }
  return model;
}

namespace {

void FillTyped(TensorProto& tensor, int64_t elements) {
  const auto type = static_cast<ir::ElementType>(tensor.data_type());
  const int bits = ir::ElementBits(type);
  for (int64_t i = 0; i < elements; ++i) {
    const auto seed = static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15u;
    switch (type) {
      case ir::ElementType::kComplex64:
        tensor.add_float_data(-0.5f * static_cast<float>(i));
        [[fallthrough]];
      case ir::ElementType::kFloat32:
        tensor.add_float_data(1.25f * static_cast<float>(i));
        break;
      case ir::ElementType::kComplex128:
        tensor.add_double_data(-1e300 * static_cast<double>(i));
        [[fallthrough]];
      case ir::ElementType::kFloat64:
        tensor.add_double_data(1e-300 * static_cast<double>(i));
        break;
      case ir::ElementType::kInt64:
        tensor.add_int64_data(static_cast<int64_t>(seed));
        break;
      case ir::ElementType::kUint64:
        tensor.add_uint64_data(seed);
        break;
      case ir::ElementType::kUint32:
        tensor.add_uint64_data(seed >> 32);
        break;
      case ir::ElementType::kInt32:
        tensor.add_int32_data(static_cast<int32_t>(seed));
        break;
      case ir::ElementType::kInt16:
        tensor.add_int32_data(static_cast<int16_t>(seed));
        break;
      case ir::ElementType::kInt8:
        tensor.add_int32_data(static_cast<int8_t>(seed));
        break;
      case ir::ElementType::kBool:
        tensor.add_int32_data(static_cast<int32_t>(seed & 1));
        break;
      case ir::ElementType::kString:
        tensor.add_string_data(i == 1 ? "" : "text " + std::to_string(i));
        break;
      default:
        tensor.add_int32_data(static_cast<int32_t>(seed & ((uint64_t{1} << bits) - 1)));
    }
  }
}

}  // namespace

// Every type in its typed field; elements of 2 and 4 bits are packed to bytes there.
ModelProto TypedElementTypes() {
  ModelProto model = ModelWithGraph(R"pb(name: "typed")pb");
  for (int number = 1; number <= ir::kLastElementType; ++number) {
    const auto type = static_cast<ir::ElementType>(number);
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name("w" + std::to_string(number));
    tensor.set_data_type(number);
    tensor.add_dims(3);
    tensor.add_dims(5);
    if (ir::ElementBits(type) == 2 || ir::ElementBits(type) == 4) {
      for (size_t i = 0; i < ir::ElementBytes(type, 15); ++i) {
        tensor.add_int32_data(static_cast<int32_t>((71 * i + 200) & 0xff));
      }
    } else {
      FillTyped(tensor, 15);
    }
    // Without elements: no data at all, and stated empty data.
    TensorProto& empty = *model.mutable_graph()->add_initializer();
    empty.set_name("e" + std::to_string(number));
    empty.set_data_type(number);
    empty.add_dims(0);
    if (number % 2 == 0 && type != ir::ElementType::kString) empty.set_raw_data("");
  }
  return model;
}

ModelProto ValueTypes() {
  return ModelWithGraph(R"pb(
    name: "values"
    input {
      name: "scalar"
      type {
        tensor_type {
          elem_type: 7
          shape {}
        }
      }
    }
    input {
      name: "unranked"
      type { tensor_type { elem_type: 10 } }
    }
    input {
      name: "dims"
      type {
        tensor_type {
          elem_type: 1
          shape {
            dim { dim_value: 0 }
            dim { dim_param: "N" denotation: "DATA_BATCH" }
            dim {}
            dim { denotation: "D" }
          }
        }
        denotation: "IMAGE"
      }
    }
    input {
      name: "sparse"
      type {
        sparse_tensor_type {
          elem_type: 11
          shape { dim { dim_value: 4 } }
        }
      }
    }
    input {
      name: "seq"
      type { sequence_type { elem_type { tensor_type { elem_type: 8 } } } }
    }
    input {
      name: "opt"
      type {
        optional_type {
          elem_type {
            sequence_type {
              elem_type {
                tensor_type {
                  elem_type: 9
                  shape { dim { dim_param: "k" } }
                }
              }
            }
          }
        }
      }
    }
    input {
      name: "map"
      type {
        map_type {
          key_type: 8
          value_type { tensor_type { elem_type: 1 } }
        }
        denotation: "M"
      }
    }
    input {
      name: "opaque"
      type { opaque_type { domain: "d" name: "n" } }
    }
    input {
      name: "seqless"
      type { sequence_type {} }
    }
    input {
      name: "seqempty"
      type { sequence_type { elem_type {} } }
    }
    input {
      name: "empty"
      type {}
    }
    input { name: "untyped" }
    input {
      name: "tensor"
      type { tensor_type {} }
    }
    node { op_type: "Identity" input: "map" output: "out" }
    output {
      name: "out"
      type {
        map_type {
          key_type: 8
          value_type { tensor_type { elem_type: 1 } }
        }
        denotation: "M"
      }
    }
    output {
      name: "empty"
      type {}
    }
    output { name: "untyped" }
  )pb");
}

}  // namespace lathe::test
