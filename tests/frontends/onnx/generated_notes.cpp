#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/frontends/onnx/generated_parts.h"

namespace lathe::test {

using onnx::ModelProto;

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

}  // namespace lathe::test
