#include "lathe/passes/canonical/inline_if.h"

#include <optional>

#include "lathe/passes/canonical/copy_graph.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
An If whose condition is constant is replaced by the branch that it always takes:

    %y = If(true)                          %t = Neg(%x)
      then: %t = Neg(%x); return %t        %z = Abs(%t)
      else: return %x
    %z = Abs(%y)

Engines run straight graphs faster, and other passes do not look across the border of a branch. Nodes, constants
and types of the branch move into the graph around with their names (a number is appended where a name is
taken) and origins; what only the other branch needed goes. Bodies and local functions are visited, inner ones
first.

Conditions:
- the condition is one element of an initializer or Constant node, also of a graph around; not an input's default;
- the branch has no quantization_annotation entries, which call values by name.
)";

// What the condition always is.
std::optional<bool> ConstantCondition(const ir::Node& node) {
  const ir::Value* condition = node.input(0);
  const ir::Tensor constant = condition == nullptr ? ir::Tensor() : condition->ConstantTensor();
  if (!constant) return std::nullopt;
  const StatusOr<bool> value = constant.ScalarValue<bool>();
  return value.ok() ? std::optional(*value) : std::nullopt;
}

const ir::Graph* Branch(const ir::Node& node, std::string_view name) {
  const ir::Attribute* attribute = node.FindAttribute(name);
  const ir::GraphPtr* body = attribute == nullptr ? nullptr : attribute->get_if<ir::GraphPtr>();
  return body == nullptr ? nullptr : body->get();
}

class Inliner {
 public:
  explicit Inliner(PassContext& context) : context_(context), names_(context.model()) {}

  void Run() {
    VisitNodesInnerFirst(context_.model(), [this](ir::Node& node) {
      if (node.Is("If")) Visit(node);
    });
  }

  bool changed() const { return changed_; }

 private:
  void Visit(ir::Node& node) {
    const std::optional<bool> condition = ConstantCondition(node);
    if (!condition) return;
    const ir::Graph* taken = Branch(node, *condition ? "then_branch" : "else_branch");
    const ir::Graph* other = Branch(node, *condition ? "else_branch" : "then_branch");
    if (taken == nullptr || taken->outputs().size() < node.num_outputs()) {
      return Leave(node, "the branch has fewer results than the node");
    }
    if (!taken->quantization_annotations().empty()) {
      return Leave(node, "the branch has quantisation annotations");
    }
    if (other != nullptr) names_.Forget(*other);
    Inline(node, *taken);
    changed_ = true;
  }

  void Leave(const ir::Node& node, std::string_view why) {
    context_.Missed(node, fmt::format("stays although its condition is constant: {}", why));
    context_.Count("left");
  }

  void Inline(ir::Node& node, const ir::Graph& body) {
    ir::Rewriter& rewriter = context_.rewriter();
    context_.Applied(node, fmt::format("replaced by its {} nodes", body.num_nodes()));
    context_.Count("inlined");
    GraphCopier copier(rewriter, node,
                       {.value_name = [&](ir::Name name) { return names_.OfValue(name); },
                        .node_name = [&](ir::Name name) { return names_.OfNode(name); },
                        .origin =
                            [&](const ir::Node& inner) {
                              return inner.origin() == ir::Origin() ? node.origin()
                                                                    : inner.origin();
                            }});
    for (const ir::Value* capture : body.captures()) {
      copier.Map(*capture, capture->captured()->value());
    }
    copier.Copy(body);
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      if (!node.output(i)->has_uses()) continue;
      ir::Value& value = *copier.Mapped(*body.outputs()[i].value());
      if (value.type().kind == ir::Type::Kind::kUnknown) {
        rewriter.SetType(value, node.output(i)->type_ref());
      }
      ReplaceResult(rewriter, node, *node.output(i), value);
    }
    EraseWithOperands(rewriter, node);
  }

  PassContext& context_;
  MovedNames names_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Inliner inliner(context);
  inliner.Run();
  return inliner.changed();
}

}  // namespace

const PassDescriptor& InlineIfPass() {
  static const PassDescriptor kPass = {
      .name = "inline-if",
      .summary = "Replace an If with a constant condition by the branch it takes",
      .description = kDescription,
      .options = {},
      .statistics = {{"inlined", "If nodes replaced by a branch"},
                     {"left", "If nodes with a constant condition that stay"}},
      .requires_facts = {},
      .establishes = {},
      // Not shapes-inferred: a result of the If had the type that both branches share. Not
      // conv-bn-fused: what stood in a branch now stands beside what is around.
      .preserves = {facts::kWeightsFolded, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
