// Graphs: what they define, their nodes, and the graphs inside of nodes.
#pragma once

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/ir/text/internal/attribute_parser.h"

namespace lathe::ir::text {

class GraphParser : public AttributeParser {
 public:
  using AttributeParser::AttributeParser;

 protected:
  // Names that a graph defines or captures.
  struct Scope {
    Graph* graph;
    Scope* outer;
    absl::flat_hash_map<Name, Value*> values;
  };

  Status ParseGraph(Graph& graph, Scope* outer, int depth);
  Status ParseInputs(Scope& scope);
  // From "{" on; of a function unless that is null.
  Status ParseContents(Scope& scope, Function* function);
  StatusOr<OpsetImport> ParseImport();

  Rewriter rewriter_{*model_};

 private:
  // Values.
  Status Define(Scope& scope, const Token& name, Value& value);
  StatusOr<Value*> Lookup(Scope& scope, const Token& name);
  StatusOr<Name> ExpectNewValue(bool may_be_unnamed, Token* token);
  // Null for "_".
  StatusOr<Value*> ParseOperand(Scope& scope, Name* annotation);

  // Nodes.
  Status ParseNode(Scope& scope);
  Status ParseNodeClauses(Node& node);
  Status ParseAttribute(Node& node, Scope& scope);
  Status ParseBody(Node& node, Name attribute, bool several, Scope& scope);

  // What else a graph holds.
  Status ParseCaptures(Scope& scope);
  Status ParseInitializer(Scope& scope);
  Status ParseDefault(Scope& scope);
  Status ParseReturn(Scope& scope);
  Status ParseValueInfo(Scope& scope);

  // How many graphs are around the one that is read.
  int depth_ = 0;
};

}  // namespace lathe::ir::text
