#include "lathe/tests/frontends/onnx/generated_models.h"

#include <google/protobuf/text_format.h>

#include "lathe/ir/element_type.h"

namespace lathe::test {

using onnx::ModelProto;
using onnx::TensorProto;

ModelProto ParseModel(const std::string& text) {
  ModelProto model;
  if (!google::protobuf::TextFormat::ParseFromString(text, &model)) {
    ADD_FAILURE() << "the test's own model is not valid text format:\n" << text;
  }
  return model;
}

ModelProto ModelWithGraph(const std::string& graph) {
  return ParseModel("ir_version: 10 opset_import { version: 21 } graph { " + graph + " }");
}

namespace {

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

ModelProto Small() {
  return ModelWithGraph(R"pb(
    name: "g"
    input {
      name: "x"
      type {
        tensor_type {
          elem_type: 1
          shape {
            dim { dim_value: 1 }
            dim { dim_param: "n" }
          }
        }
      }
    }
    output {
      name: "y"
      type {
        tensor_type {
          elem_type: 1
          shape {
            dim { dim_value: 1 }
            dim { dim_param: "n" }
          }
        }
      }
    }
    initializer { name: "w" data_type: 1 raw_data: "\000\000\200\077" }
    node { name: "mul" op_type: "Mul" input: "x" input: "w" output: "m" }
    node {
      name: "soft"
      op_type: "Softmax"
      input: "m"
      output: "y"
      attribute { name: "axis" type: INT i: -1 }
    }
    value_info {
      name: "m"
      type {
        tensor_type {
          elem_type: 1
          shape {
            dim { dim_value: 1 }
            dim { dim_param: "n" }
          }
        }
      }
    }
  )pb");
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

// An If in a Loop in an If; the innermost bodies capture values of all levels, and both branches
// use the same names for different values.
ModelProto NestedBodies() {
  return ModelWithGraph(R"pb(
    name: "main"
    input {
      name: "c"
      type {
        tensor_type {
          elem_type: 9
          shape {}
        }
      }
    }
    input {
      name: "x"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 2 } }
        }
      }
    }
    initializer { name: "n" data_type: 7 int64_data: 3 }
    node { name: "relu" op_type: "Relu" input: "x" output: "r" }
    node {
      name: "if"
      op_type: "If"
      input: "c"
      output: "y"
      attribute {
        name: "then_branch"
        type: GRAPH
        g {
          name: "then"
          node { name: "t0" op_type: "Add" input: "r" input: "x" output: "local" }
          node {
            name: "loop"
            op_type: "Loop"
            input: "n"
            input: "c"
            input: "local"
            output: "z"
            attribute {
              name: "body"
              type: GRAPH
              g {
                name: "body"
                input {
                  name: "i"
                  type {
                    tensor_type {
                      elem_type: 7
                      shape {}
                    }
                  }
                }
                input {
                  name: "go"
                  type {
                    tensor_type {
                      elem_type: 9
                      shape {}
                    }
                  }
                }
                input {
                  name: "state"
                  type { tensor_type { elem_type: 1 } }
                }
                node {
                  name: "inner"
                  op_type: "If"
                  input: "go"
                  output: "next"
                  attribute {
                    name: "then_branch"
                    type: GRAPH
                    g {
                      name: "a"
                      node { op_type: "Add" input: "state" input: "x" output: "local" }
                      node { op_type: "Mul" input: "local" input: "r" output: "o" }
                      output {
                        name: "o"
                        type { tensor_type { elem_type: 1 } }
                      }
                    }
                  }
                  attribute {
                    name: "else_branch"
                    type: GRAPH
                    g {
                      name: "b"
                      initializer { name: "local" data_type: 1 float_data: 2 }
                      node { op_type: "Sub" input: "r" input: "local" output: "o" }
                      output {
                        name: "o"
                        type { tensor_type { elem_type: 1 } }
                      }
                    }
                  }
                }
                output {
                  name: "go"
                  type {
                    tensor_type {
                      elem_type: 9
                      shape {}
                    }
                  }
                }
                output {
                  name: "next"
                  type { tensor_type { elem_type: 1 } }
                }
                value_info {
                  name: "local"
                  type { tensor_type { elem_type: 1 } }
                }
              }
            }
          }
          output {
            name: "z"
            type { tensor_type { elem_type: 1 } }
          }
        }
      }
      attribute {
        name: "else_branch"
        type: GRAPH
        g {
          name: "else"
          node { name: "e0" op_type: "Identity" input: "r" output: "local" }
          output {
            name: "local"
            type { tensor_type { elem_type: 1 } }
          }
        }
      }
    }
    node {
      name: "scan"
      op_type: "Scan"
      input: "y"
      input: "x"
      output: "s"
      output: "ys"
      attribute { name: "num_scan_inputs" type: INT i: 1 }
      attribute {
        name: "body"
        type: GRAPH
        doc_string: "documented"
        g {
          name: "scan_body"
          input { name: "acc" }
          input { name: "elem" }
          node { op_type: "Sum" input: "acc" input: "elem" input: "n" output: "acc2" }
          output { name: "acc2" }
          output {
            name: "r"
            type { tensor_type { elem_type: 1 } }
          }
        }
      }
    }
    output { name: "ys" }
  )pb");
}

ModelProto Functions() {
  return ParseModel(R"pb(
    ir_version: 10
    opset_import { domain: "" version: 21 }
    opset_import { domain: "local" version: 1 }
    graph {
      name: "main"
      input {
        name: "x"
        type { tensor_type { elem_type: 1 } }
      }
      node {
        op_type: "Act"
        domain: "local"
        input: "x"
        output: "y"
        attribute { name: "alpha" type: FLOAT f: 0.5 }
      }
      node { op_type: "Act" domain: "local" overload: "o2" input: "y" input: "" output: "z" }
      output {
        name: "z"
        type { tensor_type { elem_type: 1 } }
      }
    }
    functions {
      name: "Act"
      domain: "local"
      doc_string: "leaky"
      input: "X"
      output: "Y"
      attribute: "alpha"
      attribute_proto { name: "beta" type: INTS ints: 1 ints: -2 }
      opset_import { version: 21 }
      node {
        name: "l"
        op_type: "LeakyRelu"
        input: "X"
        output: "t"
        attribute { name: "alpha" type: FLOAT ref_attr_name: "alpha" }
      }
      node {
        op_type: "Constant"
        output: "axes"
        attribute { name: "value_ints" ref_attr_name: "beta" type: INTS }
      }
      node {
        op_type: "If"
        input: "X"
        output: "Y"
        attribute {
          name: "then_branch"
          type: GRAPH
          g {
            name: "t"
            node { op_type: "Neg" input: "t" output: "o" }
            output { name: "o" }
          }
        }
        attribute {
          name: "else_branch"
          type: GRAPH
          g {
            name: "e"
            node { op_type: "Abs" input: "axes" output: "o" }
            output { name: "o" }
          }
        }
      }
      value_info {
        name: "t"
        type { tensor_type { elem_type: 1 } }
      }
      value_info {
        name: "X"
        type {
          tensor_type {
            elem_type: 1
            shape { dim { dim_param: "b" } }
          }
        }
      }
      metadata_props { key: "k" value: "v" }
    }
    functions {
      name: "Act"
      domain: "local"
      overload: "o2"
      input: "A"
      input: "B"
      output: "A"
      opset_import { domain: "" version: 21 }
    }
  )pb");
}

ModelProto SparseTensors() {
  return ModelWithGraph(R"pb(
    name: "sparse"
    input {
      name: "d"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 3 } }
        }
      }
    }
    initializer { name: "w" data_type: 1 dims: 1 float_data: 7 }
    sparse_initializer {
      values { name: "s" dims: 2 data_type: 1 float_data: 1 float_data: 2 doc_string: "doc" }
      indices { name: "idx" dims: 2 data_type: 7 int64_data: 0 int64_data: 4 }
      dims: 2
      dims: 3
    }
    sparse_initializer {
      values { name: "d" dims: 1 data_type: 1 float_data: 5 }
      indices { dims: 1 data_type: 7 int64_data: 2 }
      dims: 3
    }
    node {
      op_type: "Constant"
      output: "c"
      attribute {
        name: "sparse_value"
        type: SPARSE_TENSOR
        sparse_tensor {
          values { dims: 1 data_type: 1 float_data: 1 }
          indices { dims: 1 data_type: 7 int64_data: 0 }
          dims: 9
        }
      }
    }
    node { op_type: "Sum" input: "s" input: "c" input: "w" input: "d" output: "o" }
    output { name: "o" }
  )pb");
}

ModelProto InitializersAsInputs() {
  return ParseModel(R"pb(
    ir_version: 3
    opset_import { version: 8 }
    producer_name: "old"
    graph {
      name: "g"
      input {
        name: "w"
        type {
          tensor_type {
            elem_type: 1
            shape { dim { dim_value: 2 } }
          }
        }
      }
      input {
        name: "x"
        type {
          tensor_type {
            elem_type: 1
            shape { dim { dim_value: 2 } }
          }
        }
      }
      input {
        name: "v"
        type {
          tensor_type {
            elem_type: 1
            shape { dim { dim_value: 2 } }
          }
        }
      }
      initializer { name: "v" dims: 2 data_type: 1 float_data: 1 float_data: 2 }
      initializer { name: "k" dims: 2 data_type: 1 float_data: 5 float_data: 6 }
      initializer { name: "w" dims: 2 data_type: 1 float_data: 3 float_data: 4 }
      node { op_type: "Sum" input: "x" input: "w" input: "v" input: "k" output: "y" }
      output {
        name: "y"
        type {
          tensor_type {
            elem_type: 1
            shape { dim { dim_value: 2 } }
          }
        }
      }
    }
  )pb");
}

ModelProto Notes() {
  return ParseModel(R"pb(
    ir_version: 13
    producer_name: ""
    producer_version: "1"
    domain: ""
    model_version: 0
    doc_string: ""
    opset_import { domain: "" version: 22 }
    opset_import { version: 1 domain: "unknown.domain" }
    metadata_props { key: "a" value: "1" }
    metadata_props { key: "a" value: "2" }
    metadata_props { key: "" value: "" }
    training_info {
      algorithm {
        name: "step"
        node { op_type: "Sub" input: "w" input: "g" output: "w2" }
      }
      update_binding { key: "w" value: "w2" }
    }
    training_info { initialization { name: "init" } }
    configuration { name: "two" num_devices: 2 device: "a" device: "b" }
    graph {
      name: ""
      doc_string: "graph doc"
      metadata_props { key: "g" value: "h" }
      input {
        name: "x"
        doc_string: "input doc"
        metadata_props { key: "i" value: "j" }
        type { tensor_type { elem_type: 1 } }
      }
      input { name: "z" doc_string: "" }
      initializer {
        name: "w"
        doc_string: "tensor doc"
        data_type: 1
        float_data: 1
        metadata_props { key: "t" value: "u" }
      }
      initializer { name: "w0" doc_string: "" data_type: 1 raw_data: "abcd" }
      node {
        name: ""
        domain: ""
        doc_string: ""
        overload: ""
        op_type: "Add"
        input: "x"
        input: "w"
        output: "y"
        metadata_props { key: "n" value: "o" }
        device_configurations {
          configuration_id: "two"
          pipeline_stage: 1
          sharding_spec { tensor_name: "x" device: 0 device: 1 }
        }
      }
      node {
        name: "q"
        domain: "unknown.domain"
        doc_string: "node doc"
        op_type: "Strange"
        input: "y"
        output: "o"
        attribute { name: "a" type: INT i: 0 doc_string: "attribute doc" }
        attribute { name: "b" type: INT doc_string: "" i: 1 }
      }
      output { name: "o" doc_string: "output doc" }
      value_info {
        name: "y"
        doc_string: "value doc"
        metadata_props { key: "p" value: "q" }
      }
      value_info {
        name: "gone"
        doc_string: "left behind"
        type { tensor_type { elem_type: 1 } }
      }
      quantization_annotation {
        tensor_name: "y"
        quant_parameter_tensor_names { key: "SCALE_TENSOR" value: "w" }
      }
      quantization_annotation { tensor_name: "x" }
    }
  )pb");
}

ModelProto Attributes() {
  return ModelWithGraph(R"pb(
    name: "attributes"
    node {
      op_type: "Everything"
      domain: "custom"
      output: "o"
      attribute { name: "f" type: FLOAT f: nan }
      attribute { name: "f0" type: FLOAT }
      attribute { name: "i" type: INT i: -9223372036854775808 }
      attribute { name: "i0" type: INT }
      attribute { name: "s" type: STRING s: "\000\377text" }
      attribute { name: "s0" type: STRING }
      attribute { name: "s00" type: STRING s: "" }
      attribute {
        name: "t"
        type: TENSOR
        t { name: "named" dims: 2 data_type: 1 float_data: 1 float_data: -0.0 }
      }
      attribute {
        name: "t_empty_name"
        type: TENSOR
        t { name: "" doc_string: "" data_type: 7 raw_data: "12345678" }
      }
      attribute { name: "floats" type: FLOATS floats: 1 floats: inf floats: -2.5 }
      attribute { name: "ints" type: INTS ints: 0 ints: -1 ints: 9223372036854775807 }
      attribute { name: "strings" type: STRINGS strings: "" strings: "b" }
      attribute { name: "no_floats" type: FLOATS }
      attribute { name: "no_ints" type: INTS }
      attribute { name: "no_strings" type: STRINGS }
      attribute { name: "no_tensors" type: TENSORS }
      attribute { name: "no_graphs" type: GRAPHS }
      attribute {
        name: "tensors"
        type: TENSORS
        tensors { data_type: 6 int32_data: -5 }
        tensors { data_type: 8 string_data: "x" }
      }
      attribute {
        name: "graph"
        type: GRAPH
        g { name: "g1" }
      }
      attribute {
        name: "graphs"
        type: GRAPHS
        doc_string: "two"
        graphs {
          name: "g2"
          node {
            op_type: "Constant"
            output: "v"
            attribute { name: "value_float" type: FLOAT f: 1 }
          }
          output { name: "v" }
        }
        graphs { name: "g3" }
      }
      attribute {
        name: "sparse"
        type: SPARSE_TENSOR
        sparse_tensor {
          values { dims: 0 data_type: 1 }
          indices { dims: 0 data_type: 7 }
          dims: 2
        }
      }
      attribute {
        name: "sparses"
        type: SPARSE_TENSORS
        sparse_tensors {
          values { dims: 0 data_type: 1 }
          dims: 2
        }
      }
      attribute {
        name: "type"
        type: TYPE_PROTO
        tp { sequence_type { elem_type { tensor_type { elem_type: 1 } } } }
      }
      attribute {
        name: "types"
        type: TYPE_PROTOS
        type_protos { tensor_type { elem_type: 1 } }
        type_protos {}
      }
      attribute { name: "untyped_float" f: 2 }
      attribute { name: "untyped_ints" ints: 3 ints: 4 }
      attribute { name: "nothing" }
      attribute { name: "undefined" type: UNDEFINED }
    }
    output { name: "o" }
  )pb");
}

ModelProto OddValueInfo() {
  return ModelWithGraph(R"pb(
    name: "odd"
    input {
      name: "x"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 1 } }
        }
      }
    }
    initializer { name: "w" dims: 2 data_type: 1 raw_data: "abcdefgh" }
    node { op_type: "Add" input: "x" input: "w" output: "y" }
    node { op_type: "Relu" input: "y" output: "z" }
    output {
      name: "z"
      type { tensor_type { elem_type: 1 } }
    }
    output {
      name: "w"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 2 } }
        }
      }
    }
    output {
      name: "x"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 1 } }
        }
      }
    }
    output {
      name: "z"
      type { tensor_type { elem_type: 1 } }
    }
    value_info { name: "stale" }
    value_info {
      name: "z"
      type { tensor_type { elem_type: 1 } }
    }
    value_info {
      name: "z"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_param: "other" } }
        }
      }
    }
    value_info {
      name: "x"
      type { tensor_type { elem_type: 10 } }
    }
    value_info {
      name: "y"
      type { tensor_type { elem_type: 1 } }
    }
    value_info {
      name: "w"
      type {
        tensor_type {
          elem_type: 1
          shape { dim { dim_value: 2 } }
        }
      }
    }
    value_info {
      name: "w"
      type { tensor_type { elem_type: 1 } }
    }
    value_info {
      name: "y"
      type { tensor_type { elem_type: 1 } }
      doc_string: "again"
    }
    value_info { name: "y" }
  )pb");
}

ModelProto OmittedOperands() {
  return ModelWithGraph(R"pb(
    name: "omitted"
    input {
      name: "x"
      type { tensor_type { elem_type: 1 } }
    }
    node { name: "clip" op_type: "Clip" input: "x" input: "" input: "" output: "c" }
    node { name: "drop" op_type: "Dropout" input: "c" output: "d" output: "" }
    node {
      name: "lstm"
      op_type: "LSTM"
      input: "d"
      input: "x"
      input: "x"
      input: ""
      input: ""
      input: "x"
      output: ""
      output: "h"
      output: ""
    }
    node { name: "none" op_type: "Dropout" input: "x" output: "unused" output: "" }
    node { op_type: "Clip" input: "h" output: "o" }
    output { name: "o" }
  )pb");
}

// Types and shapes filled in as onnx's checker asks for them.
void Complete(onnx::ValueInfoProto& value) {
  if (!value.type().has_tensor_type())
    value.mutable_type()->mutable_tensor_type()->set_elem_type(1);
  value.mutable_type()->mutable_tensor_type()->mutable_shape();
}

void Complete(onnx::GraphProto& graph) {
  for (auto& value : *graph.mutable_input()) Complete(value);
  for (auto& value : *graph.mutable_output()) Complete(value);
  for (auto& value : *graph.mutable_value_info()) Complete(value);
  for (auto& node : *graph.mutable_node()) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) Complete(*attribute.mutable_g());
    }
  }
}

ModelProto Completed(ModelProto model) {
  Complete(*model.mutable_graph());
  return model;
}

// The checker allows no name twice, not even in bodies within each other, and no body that returns
// a value of an enclosing graph.
ModelProto WithUniqueNames(ModelProto model) {
  onnx::GraphProto& then_branch =
      *model.mutable_graph()->mutable_node(1)->mutable_attribute(0)->mutable_g();
  then_branch.mutable_node(0)->set_output(0, "then_local");
  then_branch.mutable_node(1)->set_input(2, "then_local");
  onnx::NodeProto& scan = *model.mutable_graph()->mutable_node(2);
  scan.mutable_attribute(1)->mutable_g()->mutable_output()->RemoveLast();
  return model;
}

}  // namespace

const std::vector<NamedModel>& GeneratedModels() {
  static const std::vector<NamedModel> models = {
      {"small", Small()},
      {"raw_element_types", RawElementTypes()},
      {"typed_element_types", TypedElementTypes()},
      {"value_types", ValueTypes()},
      {"nested_bodies", NestedBodies()},
      {"functions", Functions()},
      {"sparse_tensors", SparseTensors()},
      {"initializers_as_inputs", InitializersAsInputs()},
      {"notes", Notes()},
      {"attributes", Attributes()},
      {"odd_value_info", OddValueInfo()},
      {"omitted_operands", OmittedOperands()},
      {"complete_nested_bodies", WithUniqueNames(Completed(NestedBodies()))},
      {"complete_functions", Completed(Functions())},
      {"complete_sparse_tensors", Completed(SparseTensors())},
      {"complete_odd_value_info", Completed(OddValueInfo())},
      {"complete_omitted_operands", Completed(OmittedOperands())},
  };
  return models;
}

}  // namespace lathe::test
