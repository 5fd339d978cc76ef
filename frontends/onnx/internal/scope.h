// Names while a graph is read: a body sees the names of the graphs around it.
#pragma once

#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/frontends/onnx/internal/type_reader.h"
#include "lathe/ir/rewriter.h"

namespace lathe::frontends {

// The values of a graph by name.
class ValuesByName {
 public:
  // kAll: a place for each name of the model, so that names which follow each other in the file are
  // looked for side by side. kFew: of the many graphs that a model may have inside, each has few.
  enum class Names { kAll, kFew };
  explicit ValuesByName(Names names) : all_names_(names == Names::kAll) {}

  // Null if there is none. O(1).
  ir::Value* Find(ir::Name name) const;
  // O(1) amortised. Returns the value that has the name: another one if it was there before.
  ir::Value* Add(ir::Name name, ir::Value& value);

 private:
  bool all_names_;
  std::vector<ir::Value*> by_id_;
  absl::flat_hash_map<ir::Name, ir::Value*> by_name_;
};

struct Scope {
  ir::Graph* graph = nullptr;
  // That of the graph around the body, with the names defined before the node that owns the body.
  Scope* outer = nullptr;
  // The message of the graph or function and the number of its `node` field, for error messages.
  Message message;
  uint32_t node_field = 0;
  ValuesByName values;
};

// Errors: the graph defines the name already, or has used it for an outer value.
Status Define(Scope& scope, ir::Value& value);

// The value that has this name here, captured through the graphs between if it is an outer one;
// null if there is none (yet).
ir::Value* Find(ir::Rewriter& rewriter, Scope& scope, ir::Name name);

// Why `name`, which an operand of node `index` states, is not found: it is defined later, depends
// on the node itself, or does not exist. O(nodes).
Status ExplainUndefined(const Scope& scope, size_t index, std::string_view name);

}  // namespace lathe::frontends
