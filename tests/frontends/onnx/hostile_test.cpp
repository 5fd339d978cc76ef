// Damaged and hostile files: an error that names the place, never a crash.
#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

using testing::HasSubstr;

std::string GraphError(const std::string& graph) { return ImportError(ModelWithGraph(graph)); }

TEST(HostileOnnx, FilesThatAreNoModels) {
  const TemporaryFolder folder;
  EXPECT_EQ(FormatError(frontends::ImportOnnx(folder / "none.onnx").status()),
            (folder / "none.onnx") + ": cannot open: No such file or directory");
  EXPECT_EQ(FormatError(frontends::ImportOnnx(folder.path().string()).status()),
            folder.path().string() + ": is not a regular file");
  WriteFile(folder / "empty.onnx", "");
  EXPECT_EQ(
      FormatError(frontends::ImportOnnx(folder / "empty.onnx").status()),
      (folder / "empty.onnx") + ": not an ONNX model, or damaged: no ir_version and no graph");
  EXPECT_THAT(FormatError(ImportText("<html><body>404</body></html>").status()),
              HasSubstr("test.onnx: not an ONNX model, or damaged: "));
  EXPECT_THAT(FormatError(ImportText(std::string(100, '\0')).status()),
              HasSubstr("not an ONNX model, or damaged: field number 0 is out of range"));
}

TEST(HostileOnnx, TruncatedAtEveryByte) {
  for (const NamedModel& model : GeneratedModels()) {
    const std::string message = model.proto.SerializeAsString();
    for (size_t size = 0; size < message.size(); ++size) {
      const auto imported = ImportText(std::string_view(message).substr(0, size));
      // Cut between two fields it is a smaller model; that one can be written.
      if (!imported.ok()) {
        EXPECT_NE(imported.status().message(), "");
        continue;
      }
      EXPECT_TRUE(backends::SerializeOnnx(**imported).ok());
    }
  }
}

TEST(HostileOnnx, TruncatedFileNamesTheCut) {
  const std::string message = GeneratedModels()[0].proto.SerializeAsString();
  EXPECT_THAT(
      FormatError(ImportText(message.substr(0, message.size() / 2)).status()),
      testing::MatchesRegex("test.onnx: not an ONNX model, or damaged: field 7 claims [0-9]+ "
                            "bytes, only [0-9]+ are left"));
}

TEST(HostileOnnx, Versions) {
  onnx::ModelProto model = ModelWithGraph("name: 'g'");
  model.mutable_opset_import(0)->set_version(6);
  EXPECT_EQ(ImportError(model),
            "test.onnx: operator set 6 is not supported, 7 to 28 are (export the model again with "
            "another operator set, or convert it)");
  model.mutable_opset_import(0)->set_version(29);
  EXPECT_THAT(ImportError(model), HasSubstr("operator set 29 is not supported"));
  model.mutable_opset_import(0)->set_version(28);
  EXPECT_EQ(ImportError(model), "");
  model.set_ir_version(2);
  EXPECT_EQ(ImportError(model), "test.onnx: IR version 2 is too old, 3 is the oldest that is read");
  model.clear_ir_version();
  EXPECT_EQ(ImportError(model), "test.onnx: the model has no ir_version");
  model.set_ir_version(8);
  model.clear_graph();
  EXPECT_EQ(ImportError(model), "test.onnx: the model has no graph");
}

TEST(HostileOnnx, UndefinedNames) {
  EXPECT_EQ(
      GraphError(R"pb(name: "g"
                      node { name: "conv1" op_type: "Relu" input: "x" output: "y" })pb"),
      "test.onnx: graph 'g': node 'conv1' (#0): input 0: 'x' is not defined by any node, input "
      "or initializer");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            output { name: "y" })pb"),
            "test.onnx: graph 'g': output: 'y' is not defined by any node, input or initializer");
}

TEST(HostileOnnx, NodesOutOfOrder) {
  EXPECT_EQ(
      GraphError(R"pb(
        name: "g"
        input { name: "a" }
        node { op_type: "Relu" input: "a" output: "b" }
        node { op_type: "Add" input: "b" input: "d" output: "c" }
        node { name: "late" op_type: "Relu" input: "a" output: "d" })pb"),
      "test.onnx: graph 'g': node #1 (Add): input 1: 'd' is used before it is defined, by node "
      "'late' (#2)");
}

TEST(HostileOnnx, Cycles) {
  EXPECT_EQ(
      GraphError(R"pb(
        name: "g"
        input { name: "a" }
        node { name: "n0" op_type: "Add" input: "a" input: "d" output: "b" }
        node { name: "n1" op_type: "Relu" input: "b" output: "c" }
        node { op_type: "Relu" input: "c" output: "d" })pb"),
      "test.onnx: graph 'g': node 'n0' (#0): input 1: 'd' depends on itself: its producer, node "
      "#2, needs a result of this node");
  EXPECT_THAT(GraphError(R"pb(name: "g"
                              node { name: "n" op_type: "Relu" input: "a" output: "a" })pb"),
              HasSubstr("'a' depends on itself"));
}

TEST(HostileOnnx, BodiesSeeOnlyWhatIsDefinedBefore) {
  EXPECT_EQ(
      GraphError(R"pb(
        name: "g"
        input { name: "c" }
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
              node { name: "in" op_type: "Neg" input: "later" output: "o" }
              output { name: "o" }
            }
          }
        }
        node { name: "l" op_type: "Relu" input: "c" output: "later" })pb"),
      "test.onnx: graph 'g': node 'if' (#0): attribute 'then_branch': graph 'then': node 'in' "
      "(#0): input 0: 'later' is used before it is defined, by node 'l' (#1)");
  // A name that the body defines is not known outside.
  EXPECT_THAT(GraphError(R"pb(
                name: "g"
                input { name: "c" }
                node {
                  op_type: "If"
                  input: "c"
                  output: "y"
                  attribute {
                    name: "then_branch"
                    type: GRAPH
                    g {
                      node { op_type: "Neg" input: "c" output: "o" }
                      output { name: "o" }
                    }
                  }
                }
                node { op_type: "Relu" input: "o" output: "z" })pb"),
              HasSubstr("'o' is not defined"));
}

TEST(HostileOnnx, ANameDoesNotChangeItsMeaning) {
  EXPECT_THAT(GraphError(R"pb(
                name: "g"
                input { name: "c" }
                node {
                  op_type: "If"
                  input: "c"
                  output: "y"
                  attribute {
                    name: "then_branch"
                    type: GRAPH
                    g {
                      node { op_type: "Neg" input: "c" output: "o" }
                      node { op_type: "Neg" input: "o" output: "c" }
                    }
                  }
                })pb"),
              HasSubstr("'c' is defined after it was used for a value of an enclosing graph"));
}

TEST(HostileOnnx, DuplicateDefinitions) {
  const std::string place = "test.onnx: graph 'g': ";
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            input { name: "x" }
                            input { name: "x" })pb"),
            place + "'x' is defined twice");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            initializer { name: "w" data_type: 1 float_data: 1 }
                            initializer { name: "w" data_type: 1 float_data: 1 })pb"),
            place + "'w' is defined twice");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            input { name: "w" }
                            initializer { name: "w" data_type: 1 float_data: 1 }
                            initializer { name: "w" data_type: 1 float_data: 1 })pb"),
            place + "'w' is defined twice");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            input { name: "x" }
                            node { name: "n" op_type: "Relu" input: "x" output: "x" })pb"),
            place + "node 'n' (#0): 'x' is defined twice");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            node { name: "n" op_type: "Split" output: "a" output: "a" })pb"),
            place + "node 'n' (#0): 'a' is defined twice");
  EXPECT_EQ(GraphError(R"pb(name: "g"
                            node {
                              name: "n"
                              op_type: "N"
                              attribute { name: "a" i: 1 }
                              attribute { name: "a" i: 1 }
                            })pb"),
            place + "node 'n' (#0): attribute 'a': is stated twice");
  EXPECT_EQ(ImportError(ParseModel(R"pb(ir_version: 8
                                        graph { name: "g" }
                                        functions { name: "f" domain: "d" }
                                        functions { name: "f" domain: "d" })pb")),
            "test.onnx: function 'd:f': is defined twice");
}

TEST(HostileOnnx, NamelessThings) {
  EXPECT_THAT(GraphError("name: 'g' input {}"), HasSubstr("graph 'g': a value has no name"));
  EXPECT_THAT(GraphError("name: 'g' initializer { data_type: 1 float_data: 1 }"),
              HasSubstr("graph 'g': an initializer has no name"));
  EXPECT_THAT(GraphError("name: 'g' node { name: 'n' }"),
              HasSubstr("node 'n' (#0): has no operator"));
  EXPECT_THAT(GraphError("name: 'g' node { name: 'n' op_type: 'N' attribute { i: 1 } }"),
              HasSubstr("node 'n' (#0): attribute '': has no name"));
}

TEST(HostileOnnx, NamelessInputsAndOutputsOfFunctions) {
  const auto error = [](const std::string& function) {
    return ImportError(ParseModel(
        "ir_version: 8 graph { name: 'g' } functions { name: 'f' domain: 'd' " + function + "}"));
  };
  EXPECT_EQ(error("input: ''"), "test.onnx: function 'd:f': an input has no name");
  EXPECT_THAT(error("output: ''"), HasSubstr("function 'd:f': output: '' is not defined"));
}

TEST(HostileOnnx, TensorData) {
  const auto error = [](const std::string& tensor) {
    return GraphError(R"(name: "g" node { name: "c" op_type: "Constant" output: "o" attribute {
                           name: "value" type: TENSOR t {)" +
                      tensor + "} } }");
  };
  const std::string place = "test.onnx: graph 'g': node 'c' (#0): attribute 'value': ";
  EXPECT_EQ(error("dims: 2 data_type: 1 raw_data: 'abcd'"),
            place + "tensor data has 4 bytes, its shape needs 8");
  EXPECT_EQ(error("data_type: 1 raw_data: 'abcdefgh'"),
            place + "tensor data has 8 bytes, its shape needs 4");
  EXPECT_EQ(error("dims: 2 data_type: 1 float_data: 1"),
            place + "tensor data has 4 bytes, its shape needs 8");
  EXPECT_EQ(error("dims: 2 data_type: 7 int64_data: 1"),
            place + "tensor data has 8 bytes, its shape needs 16");
  EXPECT_EQ(error("dims: 2 data_type: 8 string_data: 'a'"),
            place + "tensor data has 1 strings, its shape needs 2");
  EXPECT_EQ(error("dims: 2 data_type: 1"), place + "tensor data has 0 bytes, its shape needs 8");
  EXPECT_EQ(error("dims: -2 data_type: 1"), place + "extent -2 is negative");
  EXPECT_EQ(error("dims: 4294967296 dims: 4294967296 data_type: 1"),
            place + "shape has more elements than an int64 counts");
  EXPECT_EQ(error("dims: 4611686018427387904 data_type: 1"),
            place + "shape takes more bytes than an int64 counts");
  EXPECT_EQ(error("dims: 1000000000000 data_type: 7 int64_data: 1"),
            place + "tensor data has 8 bytes, its shape needs 8000000000000");
  EXPECT_EQ(error("name: 'w' data_type: 99 raw_data: 'a'"), place + "ONNX has no element type 99");
  EXPECT_EQ(error("name: 'w' raw_data: 'a'"), place + "tensor 'w': tensor has no element type");
  EXPECT_EQ(error("data_type: 1 float_data: 1 int32_data: 1"),
            place + "tensor has both float_data and int32_data");
  EXPECT_EQ(error("data_type: 1 float_data: 1 raw_data: 'abcd'"),
            place + "tensor has both raw_data and float_data");
  EXPECT_EQ(error("data_type: 1 int32_data: 1"),
            place + "tensor of type f32 has its data in int32_data");
  EXPECT_EQ(error("data_type: 3 int32_data: 256"), place + "int32_data holds 256, which is no i8");
  EXPECT_EQ(error("data_type: 2 int32_data: -129"),
            place + "int32_data holds -129, which is no u8");
  EXPECT_EQ(error("data_type: 27 int32_data: 64"),
            place + "int32_data holds 64, which is no f6e2m3");
  EXPECT_EQ(error("data_type: 12 uint64_data: 4294967296"),
            place + "uint64_data holds 4294967296, which is no u32");
  EXPECT_EQ(error("data_type: 8 raw_data: 'a'"), place + "strings cannot be in raw_data");
  EXPECT_EQ(error("data_type: 1 float_data: 1 segment { begin: 0 }"),
            place + "tensors in segments are not supported");
}

TEST(HostileOnnx, Types) {
  EXPECT_EQ(GraphError("name: 'g' input { name: 'x' type { tensor_type { elem_type: 77 } } }"),
            "test.onnx: graph 'g': type of 'x': ONNX has no element type 77");
  EXPECT_EQ(
      GraphError("name: 'g' input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { "
                 "dim_value: -7 } } } } }"),
      "test.onnx: graph 'g': type of 'x': extent -7 is negative");
}

TEST(HostileOnnx, Attributes) {
  const auto error = [](const std::string& attribute) {
    return GraphError("name: 'g' node { name: 'n' op_type: 'N' attribute { name: 'a' " + attribute +
                      "} }");
  };
  const std::string place = "test.onnx: graph 'g': node 'n' (#0): attribute 'a': ";
  EXPECT_EQ(error("i: 1 f: 2"), place + "has values of two kinds, float and int");
  EXPECT_EQ(error("type: FLOAT i: 2"), place + "is declared as float but has a value of kind int");
  EXPECT_EQ(error("type: TENSOR"), place + "is declared as tensor but has no value");
  EXPECT_EQ(error("type: INT i: 1 ref_attr_name: 'b'"),
            place + "has a value and refers to another attribute");
}

TEST(HostileOnnx, WrongWireTypes) {
  // A graph that is a number; a node name that is a number; a length beyond the end.
  EXPECT_THAT(FormatError(ImportText("\x08\x08\x38\x05").status()),
              HasSubstr("field 'graph' is stored as a varint, which it never is"));
  EXPECT_THAT(FormatError(ImportText(std::string("\x08\x08\x3a\x04\x0a\x02\x18\x01", 8)).status()),
              HasSubstr("graph: node #0 (): field 'name' is stored as a varint"));
  EXPECT_THAT(FormatError(ImportText("\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f").status()),
              HasSubstr("field 7 claims 9223372036854775807 bytes, only 0 are left"));
  EXPECT_THAT(
      FormatError(ImportText("\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f").status()),
      HasSubstr("the length of field 7 is cut off or too long"));
  EXPECT_THAT(FormatError(ImportText("\x08\x08\x3b").status()),
              HasSubstr("field 7 has wire type 3, which is not in use"));
}

// A model whose main graph holds `levels` graphs within each other.
onnx::ModelProto NestedGraphs(int levels) {
  onnx::ModelProto model = ModelWithGraph("name: 'g0'");
  onnx::GraphProto* graph = model.mutable_graph();
  for (int i = 1; i < levels; ++i) {
    onnx::NodeProto* node = graph->add_node();
    node->set_op_type("N");
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name("b");
    attribute->set_type(onnx::AttributeProto::GRAPH);
    graph = attribute->mutable_g();
    graph->set_name("g" + std::to_string(i));
  }
  return model;
}

TEST(HostileOnnx, DeepGraphs) {
  EXPECT_EQ(ImportError(NestedGraphs(100)), "");
  EXPECT_THAT(
      ImportError(NestedGraphs(101)),
      testing::EndsWith("graph 'g99': node #0 (N): attribute 'b': graphs are nested more than "
                        "100 deep"));
  EXPECT_THAT(ImportError(NestedGraphs(5000)), HasSubstr("graphs are nested more than 100 deep"));
}

TEST(HostileOnnx, DeepTypes) {
  const auto nested = [](int levels) {
    onnx::ModelProto model = ModelWithGraph("name: 'g' input { name: 'x' }");
    onnx::TypeProto* type = model.mutable_graph()->mutable_input(0)->mutable_type();
    for (int i = 1; i < levels; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
    type->mutable_tensor_type()->set_elem_type(1);
    return model;
  };
  EXPECT_EQ(ImportError(nested(100)), "");
  EXPECT_EQ(ImportError(nested(101)),
            "test.onnx: graph 'g': type of 'x': types are nested more than 100 deep");
  EXPECT_THAT(ImportError(nested(10000)), HasSubstr("nested more than 100 deep"));
}

TEST(HostileOnnx, FunctionsDoNotSeeTheMainGraph) {
  EXPECT_EQ(
      ImportError(ParseModel(R"pb(
        ir_version: 8
        graph {
          name: "g"
          input { name: "x" }
        }
        functions {
          name: "f"
          domain: "d"
          node { op_type: "Relu" input: "x" output: "y" }
        })pb")),
      "test.onnx: function 'd:f': node #0 (Relu): input 0: 'x' is not defined by any node, input "
      "or initializer");
}

}  // namespace
}  // namespace lathe::test
