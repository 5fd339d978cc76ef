#include "lathe/passes/canonical/infer_shapes.h"

#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Works out the element type and shape of every value from the graph inputs and constants, through bodies and
local functions; arithmetic on shapes (Shape, Gather, Concat, ...) is followed:

    %a = Conv(%x, %w)  : unknown           %a = Conv(%x, %w)  : f32[batch,8,14,14]
    %s = Shape(%a)     : unknown           %s = Shape(%a)     : i64[4]

Nothing is computed and no node changes. Passes that decide by rank or channel count need this; without it
they leave alone what they cannot see. Named dimensions keep their names.

Conditions:
- a value's type is only ever made more precise; where what is inferred contradicts what the file declares, or a
  node contradicts itself, the declared type stays and a remark says so (with `strict`: an error);
- operators nobody knows, and inputs of unknown shape, leave shapes unknown, which is a fact and no error.

With `skip-known`, operators whose results are known down to the last extent are left out: a second run costs
little then, but finds no contradictions.

With `list` (the default) an exported file shows the types, as entries of the graph's value_info, and the graph's
outputs get the more precise types. Without it a file shows only what it listed before, and types that no file shows
count as no change.
)";

// Entries that other tools see.
size_t CountListedTypes(const ir::Model& model) {
  size_t count = 0;
  for (const ir::Graph* graph : model.AllGraphs()) count += graph->value_info().size();
  return count;
}

StatusOr<bool> Run(PassContext& context) {
  ir::InferShapesOptions options;
  options.strict = context.options().Get<bool>("strict");
  options.list_types = context.options().Get<bool>("list");
  options.skip_known = context.options().Get<bool>("skip-known");
  const size_t listed_before = CountListedTypes(context.model());
  LATHE_ASSIGN_OR_RETURN(const ir::InferShapesResult result,
                         ir::InferShapes(context.rewriter(), options));
  for (const ir::ShapeConflict& conflict : result.conflicts) {
    context.Note(conflict.node, conflict.message);
  }
  context.Count("refined", static_cast<int64_t>(result.changed));
  context.Count("unknown", static_cast<int64_t>(result.unknown));
  context.Count("conflicts", static_cast<int64_t>(result.conflicts.size()));
  return result.shown != 0 || CountListedTypes(context.model()) != listed_before;
}

}  // namespace

const PassDescriptor& InferShapesPass() {
  static const PassDescriptor kPass = {
      .name = "infer-shapes",
      .summary = "Work out element types and shapes of all values",
      .description = kDescription,
      .options = {{"strict", "make a contradiction an error", false},
                  {"list", "list the types in the graph's value_info", true},
                  {"skip-known", "leave out what is known down to the last extent", false}},
      .statistics = {{"refined", "values whose type became more precise"},
                     {"unknown", "results whose rank stays unknown"},
                     {"conflicts", "contradictions found"}},
      .requires_facts = {},
      .establishes = {facts::kShapesInferred},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
