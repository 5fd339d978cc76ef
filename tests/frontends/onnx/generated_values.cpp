#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/frontends/onnx/generated_parts.h"

namespace lathe::test {

using onnx::ModelProto;

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

}  // namespace lathe::test
