#include "lathe/passes/canonical/eliminate_identity.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/rewrite/rewrite.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes operators that hand their input on unchanged, wherever they stand (bodies and functions included):

    %a = Relu(%x)                          %a = Relu(%x)
    %b = Identity(%a)                      %y = Conv(%a, %w)
    %c = Dropout(%b, %ratio)
    %y = Conv(%c, %w)

Other passes look at who produces a value and how many use it; a node in between hides both. Constants behind
Identity, which exporters write for equal initializers, become operands themselves. Names of graph outputs
stay: the producer takes the name over.

Conditions for Identity:
- its output is not the output of a graph, or its input is a node's result in the same graph that is not an
  output itself (a graph output must be a node's result of that name).

Conditions for Dropout, besides the same one:
- the mask is not used;
- it is in inference form: `training_mode` is omitted or constant false; before opset 7, `is_test` is set.
)";

constexpr ValueHandle kInput{"input"};

// The result's name, which belongs to a graph output, can go to the input.
bool OutputCanMove(const Match& match) {
  const ir::Value& output = *match.root().output();
  if (!output.is_graph_output()) return true;
  const ir::Value& input = match[kInput];
  return input.kind() == ir::Value::Kind::kNodeOutput && !input.is_graph_output();
}

bool MaskIsUnused(const ir::Node& dropout) {
  return dropout.output(1) == nullptr || !dropout.output(1)->has_uses();
}

// The version of ONNX's own operators in the model or function that the node belongs to.
int64_t OpsetOf(const ir::Node& node) {
  const ir::Graph* graph = node.graph();
  while (graph->parent() != nullptr) graph = graph->parent();
  if (graph->function() == nullptr) return node.model().OpsetVersion("");
  for (const ir::OpsetImport& import : graph->function()->opset_imports()) {
    if (import.domain.empty() || import.domain == "ai.onnx") return import.version;
  }
  return 0;
}

bool IsInference(const ir::Node& dropout) {
  if (OpsetOf(dropout) < 7) return dropout.IntAttribute("is_test", 0) != 0;
  const ir::Value* training_mode = dropout.input(2);
  if (training_mode == nullptr) return true;
  const ir::Tensor constant = training_mode->ConstantTensor();
  if (!constant) return false;
  const StatusOr<bool> training = constant.ScalarValue<bool>();
  return training.ok() && !*training;
}

// The input knows at least as much about itself as the result did.
void KeepType(ir::Rewriter& rewriter, ir::Value& input, const ir::Value& output) {
  const ir::Type& known = input.type();
  const bool says_more = known.kind == ir::Type::Kind::kUnknown ||
                         (known.is_tensor() && !known.has_rank() && output.type().is_tensor());
  // A graph output keeps the type that was declared for it.
  if (output.type().kind != ir::Type::Kind::kUnknown && (says_more || output.is_graph_output())) {
    rewriter.SetType(input, output.type_ref());
  }
  if (output.is_graph_output() && output.notes() != nullptr) {
    rewriter.SetNotes(input, *output.notes());
  }
}

Status HandOn(const Match& match, PassContext& context, std::string_view statistic) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Value& input = match[kInput];
  KeepType(rewriter, input, *match.root().output());
  rewriter.ReplaceValue(*match.root().output(), input);
  rewriter.Erase(match.root());
  context.Count(statistic);
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  const RewriteRule rules[] = {
      {"drop-identity",
       Op("Identity", {Any(kInput)})
           .WhereMatch("no graph output loses its producer", OutputCanMove),
       [](const Match& match, PassContext& inner) { return HandOn(match, inner, "identities"); }},
      {"drop-dropout",
       Op("Dropout", {Any(kInput), Optional(Any()), Optional(Any())})
           .Where("the mask is not used", MaskIsUnused)
           .Where("is in inference form", IsInference)
           .WhereMatch("no graph output loses its producer", OutputCanMove),
       [](const Match& match, PassContext& inner) { return HandOn(match, inner, "dropouts"); }},
  };
  LATHE_ASSIGN_OR_RETURN(const RewriteResult result, ApplyRules(rules, context));
  return result.changed();
}

}  // namespace

const PassDescriptor& EliminateIdentityPass() {
  static const PassDescriptor kPass = {
      .name = "eliminate-identity",
      .summary = "Remove Identity, and Dropout in inference form",
      .description = kDescription,
      .options = {},
      .statistics = {{"identities", "Identity nodes removed"}, {"dropouts", "Dropouts removed"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a BatchNormalization may move next to its convolution.
      // Not weights-folded: two layers that had an Identity each of one initializer now share it.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
      .scope = PassScope::kGraphs,
  };
  return kPass;
}

}  // namespace lathe::passes
