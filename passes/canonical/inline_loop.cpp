#include "lathe/passes/canonical/inline_loop.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/canonical/copy_graph.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
A Loop that always runs once is replaced by its body, one that never runs by what it was given:

    %y, %s = Loop(1, true, %x)             %a = Neg(%x)            (%y is %a)
      (%i, %c, %v):                        %s = Unsqueeze(%a, [0])
        %a = Neg(%v)
        return %c, %a, %a

    %y, %s = Loop(0, true, %x)             (%y is %x, %s is an empty constant)

Names, origins and types move as inline-if does it. In the body the iteration number is 0 and the condition true.

Conditions:
- it never runs: the trip count is a constant of at most 0, or the condition is constant and false; a scanned
  result that is used has a known element type and known extents;
- it runs once: the trip count is the constant 1 and the condition is omitted or constant and true; or the
  condition is constant and true, the body's is constant and false, and the trip count is omitted or a constant
  of at least 1;
- operands and results are as many as the body's, a variable that is used has an initial value, and the body has no
  quantization_annotation entries.
)";

// How often a Loop runs, where that is 0 or 1.
std::optional<int> Trips(const ir::Node& node, const ir::Graph& body) {
  const auto constant = [](const ir::Value* value) {
    return value == nullptr ? ir::Tensor() : value->ConstantTensor();
  };
  const auto truth = [&](const ir::Value* value) -> std::optional<bool> {
    const ir::Tensor tensor = constant(value);
    if (!tensor) return std::nullopt;
    const StatusOr<bool> scalar = tensor.ScalarValue<bool>();
    return scalar.ok() ? std::optional(*scalar) : std::nullopt;
  };
  std::optional<int64_t> count;
  if (const ir::Tensor tensor = constant(node.input(0))) {
    const StatusOr<int64_t> scalar = tensor.ScalarValue<int64_t>();
    if (!scalar.ok()) return std::nullopt;
    count = *scalar;
  }
  const std::optional<bool> before = truth(node.input(1));
  if ((count && *count <= 0) || before == false) return 0;
  if (node.input(1) != nullptr && before != true) return std::nullopt;
  if (count == 1) return 1;
  // Without a condition what the body says about it is ignored.
  const bool stops = before == true && truth(body.outputs()[0].value()) == false;
  const bool starts = node.input(0) == nullptr || (count && *count >= 1);
  return stops && starts ? std::optional(1) : std::nullopt;
}

// Operands, results and the body's inputs and outputs belong together.
bool Fits(const ir::Node& node, const ir::Graph& body) {
  return node.num_inputs() >= 2 && body.inputs().size() == node.num_inputs() &&
         body.outputs().size() >= node.num_inputs() - 1 &&
         node.num_outputs() <= body.outputs().size() - 1;
}

// No elements of the type that the body gives, along a new first axis.
std::optional<ir::Tensor> EmptyScan(const ir::Type& type) {
  const std::optional<std::vector<int64_t>> extents = type.StaticShape();
  if (!type.is_tensor() || type.element == ir::ElementType::kUndefined || !extents) {
    return std::nullopt;
  }
  std::vector<int64_t> dims = {0};
  dims.insert(dims.end(), extents->begin(), extents->end());
  if (type.element == ir::ElementType::kString) return ir::Tensor::OfStrings(dims, {});
  StatusOr<ir::Tensor> tensor = ir::Tensor::FromVector(type.element, dims, {});
  return tensor.ok() ? std::optional(*std::move(tensor)) : std::nullopt;
}

class Inliner {
 public:
  explicit Inliner(PassContext& context) : context_(context), names_(context.model()) {}

  void Run() {
    VisitNodesInnerFirst(context_.model(), [this](ir::Node& node) {
      if (node.Is("Loop")) Visit(node);
    });
  }

  bool changed() const { return changed_; }

 private:
  void Visit(ir::Node& node) {
    const ir::Attribute* attribute = node.FindAttribute("body");
    const ir::GraphPtr* owned = attribute == nullptr ? nullptr : attribute->get_if<ir::GraphPtr>();
    if (owned == nullptr || !Fits(node, **owned)) return;
    const ir::Graph& body = **owned;
    const std::optional<int> trips = Trips(node, body);
    if (!trips) return;
    const size_t variables = node.num_inputs() - 2;
    for (size_t i = 0; i < variables; ++i) {
      const bool is_used = *trips == 0 ? i < node.num_outputs() && node.output(i)->has_uses()
                                       : body.inputs()[2 + i]->has_uses();
      if (is_used && node.input(2 + i) == nullptr) {
        return Leave(node, fmt::format("variable {} has no initial value", i));
      }
    }
    if (*trips == 0) {
      RemoveLoop(node, body);
    } else if (!body.quantization_annotations().empty()) {
      Leave(node, "the body has quantisation annotations");
    } else {
      InlineBody(node, body);
    }
  }

  void Leave(const ir::Node& node, std::string_view why) {
    context_.Missed(node, fmt::format("stays although its trips are known: {}", why));
    context_.Count("left");
  }

  void RemoveLoop(ir::Node& node, const ir::Graph& body) {
    const size_t variables = node.num_inputs() - 2;
    std::vector<std::pair<ir::Value*, ir::Tensor>> empty;
    for (size_t i = variables; i < node.num_outputs(); ++i) {
      if (!node.output(i)->has_uses()) continue;
      std::optional<ir::Tensor> tensor = EmptyScan(body.outputs()[1 + i].value()->type());
      if (!tensor) {
        return Leave(node, fmt::format("type or extents of its empty result '{}' are not known",
                                       node.output(i)->name_text()));
      }
      empty.emplace_back(node.output(i), *std::move(tensor));
    }
    ir::Rewriter& rewriter = context_.rewriter();
    context_.Applied(node, "never runs");
    context_.Count("removed");
    changed_ = true;
    names_.Forget(body);
    for (size_t i = 0; i < variables && i < node.num_outputs(); ++i) {
      if (!node.output(i)->has_uses()) continue;
      ReplaceResult(rewriter, node, *node.output(i), *node.input(2 + i));
    }
    for (auto& [result, tensor] : empty) {
      ir::Value& constant = MakeConstant(rewriter, node, result->name_text(), std::move(tensor));
      ReplaceResult(rewriter, node, *result, constant);
    }
    EraseWithOperands(rewriter, node);
  }

  void InlineBody(ir::Node& node, const ir::Graph& body) {
    ir::Rewriter& rewriter = context_.rewriter();
    context_.Applied(node, fmt::format("runs once; replaced by its {} nodes", body.num_nodes()));
    context_.Count("inlined");
    changed_ = true;
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
    ir::Value* number = MapInput(copier, node, *body.inputs()[0], ir::Tensor::Scalar<int64_t>(0));
    ir::Value* condition =
        MapInput(copier, node, *body.inputs()[1], ir::Tensor::Scalar<bool>(true));
    const size_t variables = node.num_inputs() - 2;
    for (size_t i = 0; i < variables; ++i) {
      copier.Map(*body.inputs()[2 + i], node.input(2 + i));
    }
    copier.Copy(body);
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      ir::Value& result = *node.output(i);
      if (!result.has_uses()) continue;
      ir::Value* value = copier.Mapped(*body.outputs()[1 + i].value());
      if (i >= variables) {
        value = &Unsqueeze(node, *value, result);
      } else if (value->type().kind == ir::Type::Kind::kUnknown) {
        rewriter.SetType(*value, result.type_ref());
      }
      ReplaceResult(rewriter, node, result, *value);
    }
    // The body's condition may have been their only use.
    for (ir::Value* constant : {number, condition}) {
      if (constant != nullptr) EraseIfUnused(rewriter, *constant);
    }
    EraseWithOperands(rewriter, node);
  }

  // What the body is told is a constant now, of one dimension where the body says so. Null when it
  // does not ask.
  ir::Value* MapInput(GraphCopier& copier, ir::Node& node, const ir::Value& input,
                      ir::Tensor constant) {
    ir::Value* value = nullptr;
    if (input.has_uses()) {
      if (input.type().rank() == 1) constant = constant.WithDims({1});
      value = &MakeConstant(context_.rewriter(), node, input.name_text(), std::move(constant));
    }
    copier.Map(input, value);
    return value;
  }

  // One trip's part of a scanned result is all of it.
  ir::Value& Unsqueeze(ir::Node& node, ir::Value& part, const ir::Value& result) {
    ir::Rewriter& rewriter = context_.rewriter();
    const ir::Rewriter::OriginScope scope(rewriter, node);
    const std::vector<int64_t> axes = {0};
    ir::NodeSpec spec;
    spec.op = "Unsqueeze";
    spec.domain = node.domain_text();
    spec.inputs = {&part};
    spec.outputs = {std::string(result.name_text())};
    if (OpsetOf(node) < 13) {
      spec.attributes = {{"axes", axes}};
    } else {
      spec.inputs.push_back(&MakeConstant(rewriter, node, "axes", axes));
    }
    ir::Value& value = *rewriter.CreateNode(*node.graph(), &node, std::move(spec)).output();
    rewriter.SetType(value, result.type_ref());
    return value;
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

const PassDescriptor& InlineLoopPass() {
  static const PassDescriptor kPass = {
      .name = "inline-loop",
      .summary = "Replace a Loop that runs once or never",
      .description = kDescription,
      .options = {},
      .statistics = {{"inlined", "Loop nodes that run once, replaced by their body"},
                     {"removed", "Loop nodes that never run"},
                     {"left", "such Loop nodes that stay"}},
      .requires_facts = {},
      .establishes = {},
      // Not shapes-inferred, conv-bn-fused or weights-folded: a variable of the loop may be
      // constant now, or have a shape of its own.
      .preserves = {facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
