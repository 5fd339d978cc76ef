#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/frontends/onnx/generated_parts.h"

namespace lathe::test {

using onnx::ModelProto;

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

}  // namespace lathe::test
