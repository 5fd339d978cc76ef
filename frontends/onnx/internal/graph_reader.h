// GraphProto, FunctionProto and what they hold.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/frontends/onnx/internal/scope.h"
#include "lathe/frontends/onnx/internal/tensor_reader.h"

namespace lathe::frontends {

// An OperatorSetIdProto, appended.
Status ReadOpsetImport(Message message, std::vector<ir::OpsetImport>* imports);

class GraphReader {
 public:
  GraphReader(ir::Model& model, const TensorReader& tensors)
      : model_(model), rewriter_(model), tensors_(tensors) {}

  // Fills the main graph.
  Status ReadMainGraph(Message message) { return ReadGraph(message, model_.graph(), nullptr); }
  // Appends a local function.
  Status ReadFunction(Message message);

 private:
  struct ValueInfoProto;
  struct NodeProto;
  struct AttributeProto;
  // The types that value_info and outputs state, to give to values as they are defined.
  using DeclaredTypes = absl::flat_hash_map<ir::Name, const ir::Type*>;

  // Texts of a graph or function.
  struct Texts {
    std::string name;
    std::string doc;
    Metadata metadata;
    uint8_t spelling = 0;
  };

  Status ReadGraph(Message message, ir::Graph& graph, Scope* outer);
  Status ReadGraphParts(Message message, Scope& scope, const Texts& texts);
  static Status ReadGraphTexts(Message message, Texts* texts);
  Status ReadFunctionBody(Message message, ir::Function& function);

  StatusOr<ValueInfoProto> ReadValueInfo(Message message);
  Status ReadGraphInput(Message message, Scope& scope);
  Status ReadInitializer(Message message, Scope& scope);
  Status ReadSparseInitializer(Message message, Scope& scope);
  Status ReadDeclaredTypes(Message message, uint32_t field_number, DeclaredTypes* types);
  Status ReadGraphOutput(Message message, Scope& scope);
  Status ReadValueInfoEntry(Message message, Scope& scope);

  Status ReadNodes(Scope& scope, const DeclaredTypes& types);
  Status ReadNode(const NodeProto& proto, size_t index, Scope& scope, const DeclaredTypes& types);
  static Status CollectNode(Message message, NodeProto* proto);
  Status ReadNodeAttribute(Message message, ir::Node& node, Scope& scope);
  static Status CollectAttribute(Message message, AttributeProto* proto);
  // An attribute that no node has: a default of a function.
  StatusOr<ir::Attribute> ReadPlainAttribute(Message message);
  // Everything but bodies.
  Status ReadAttributeValue(const AttributeProto& proto, ir::Attribute* attribute);

  ir::Model& model_;
  ir::Rewriter rewriter_;
  const TensorReader& tensors_;
  int depth_ = 0;
  // Domain, name and overload of the functions read so far.
  absl::flat_hash_set<std::tuple<ir::Name, ir::Name, ir::Name>> functions_;
  // Values whose notes are read: inputs, outputs, and those of a value_info entry.
  absl::flat_hash_set<const ir::Value*> described_;
};

}  // namespace lathe::frontends
