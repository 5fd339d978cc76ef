#include "lathe/passes/canonical/inline_functions.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/ir/schema/operator_schema.h"
#include "lathe/passes/canonical/copy_graph.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
A call of a local function is replaced by the function's nodes, and a function that is not called any more goes:

    own.F(%x) -> %r:                       %call/n = Neg(%x)
      %n = Neg(%x)                         %y = Abs(%call/n)
      %r = Abs(%n)
    %y = own.F(%x)        (node "call")

No other pass looks into a call. What is called F inside becomes CALL/F, where CALL is the call's name, or without
one the function's; a new node stands for the call and for the function's node, so rules for either reach it.
Attributes that the call gives, or the function's defaults, are put in; one that neither gives is left out, as is
an input that the call omits. Types of the function's values are not taken along, since they may be those of
another call. A function's operator sets that the model does not import are imported.

Conditions:
- an operator that the function uses means the same in the operator sets of function and model: equal versions, or
  both versions of the same definition;
- the function does not call itself, directly or through others;
- the call gives no more inputs than the function has, and uses no more results; an input that it omits is neither
  captured by a body nor a result; no attribute that it gives is a graph;
- the function's graph has no quantization_annotation entries;
- no more than `max-nodes` nodes are made in all: functions that call functions may grow without bounds. A call that
  would make more, with all calls inside, stays as it is, and so does the function.
)";

constexpr std::string_view kMaxNodes = "max-nodes";

using Key = std::tuple<ir::Name, ir::Name, ir::Name>;

Key KeyOf(const ir::Node& node) { return {node.domain(), node.op(), node.overload()}; }

std::string FullName(const ir::Model& model, const ir::Function& function) {
  const std::string_view domain = model.Text(function.domain());
  const std::string_view name = model.Text(function.name());
  return domain.empty() ? std::string(name) : fmt::format("{}.{}", domain, name);
}

int64_t AddSaturated(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

template <typename Visit>
void VisitAll(const ir::Graph& graph, const Visit& visit) {
  for (const ir::Node& node : graph.nodes()) {
    visit(node);
    for (const ir::Graph* body : node.bodies()) VisitAll(*body, visit);
  }
}

class Inliner {
 public:
  explicit Inliner(PassContext& context)
      : context_(context),
        model_(context.model()),
        nodes_left_(context.options().Get<int64_t>(kMaxNodes)) {
    for (const auto& function : model_.functions()) {
      Known& known = functions_[{function->domain(), function->name(), function->overload()}];
      known.function = function.get();
    }
    for (const auto& function : model_.functions()) {
      Known& known = functions_[{function->domain(), function->name(), function->overload()}];
      VisitAll(function->body(), [&](const ir::Node& node) {
        ++known.nodes;
        if (const auto it = functions_.find(KeyOf(node)); it != functions_.end()) {
          known.calls.push_back(it->second.function);
        }
      });
    }
  }

  void Run() {
    if (functions_.empty()) return;
    MeasureFunctions();
    Walk(model_.graph(), false);
    for (ir::Value* operand : operands_) EraseIfUnused(context_.rewriter(), *operand);
    EraseUncalled();
  }

  bool changed() const { return changed_; }

 private:
  struct Known {
    const ir::Function* function = nullptr;
    int64_t nodes = 0;
    // Nodes that are made when a call is inlined with all calls inside.
    int64_t nodes_in_all = 0;
    std::vector<const ir::Function*> calls;
    bool is_recursive = false;
  };

  Known& Of(const ir::Function& function) {
    return functions_.at({function.domain(), function.name(), function.overload()});
  }

  // Marks every function from which a cycle of calls is reached: what is left when functions that
  // call only finished ones are finished one by one. Counts the nodes of the finished ones.
  void MeasureFunctions() {
    absl::flat_hash_map<const ir::Function*, std::vector<const ir::Function*>> callers;
    absl::flat_hash_map<const ir::Function*, size_t> open;
    std::vector<const ir::Function*> finished;
    for (const auto& function : model_.functions()) {
      const Known& known = Of(*function);
      open[function.get()] = known.calls.size();
      for (const ir::Function* callee : known.calls) callers[callee].push_back(function.get());
      if (known.calls.empty()) finished.push_back(function.get());
    }
    for (size_t i = 0; i < finished.size(); ++i) {
      Known& known = Of(*finished[i]);
      known.nodes_in_all = known.nodes;
      for (const ir::Function* callee : known.calls) {
        known.nodes_in_all = AddSaturated(known.nodes_in_all, Of(*callee).nodes_in_all);
      }
      for (const ir::Function* caller : callers[finished[i]]) {
        if (--open[caller] == 0) finished.push_back(caller);
      }
    }
    for (const auto& [function, calls] : open) Of(*function).is_recursive = calls != 0;
  }

  // `paid`: the nodes were made by a call whose nodes in all are counted.
  void Walk(ir::Graph& graph, bool paid) {
    bool is_paid = paid;
    const ir::Node* paid_end = nullptr;
    for (ir::Node* node = graph.first_node(); node != nullptr;) {
      if (node == paid_end) is_paid = paid;
      const auto it = functions_.find(KeyOf(*node));
      if (it != functions_.end()) {
        // The nodes that take the call's place come next: they may be calls.
        ir::Node* previous = node->previous();
        ir::Node* next = node->next();
        if (Visit(*node, it->second, is_paid)) {
          if (!is_paid) paid_end = next;
          is_paid = true;
          node = previous == nullptr ? graph.first_node() : previous->next();
          continue;
        }
      }
      for (ir::Graph* body : node->bodies()) Walk(*body, is_paid);
      node = node->next();
    }
  }

  bool Visit(ir::Node& call, const Known& known, bool paid) {
    std::optional<std::string> why = Refusal(call, known);
    if (!why && !paid && known.nodes_in_all > nodes_left_) {
      why = fmt::format("with all calls inside it would make {} nodes, {} of {} are left",
                        known.nodes_in_all, nodes_left_, kMaxNodes);
    }
    if (why) {
      context_.Missed(
          call, fmt::format("stays a call of {}: {}", FullName(model_, *known.function), *why));
      context_.Count("left");
      return false;
    }
    Inline(call, *known.function);
    if (!paid) nodes_left_ -= known.nodes_in_all;
    changed_ = true;
    return true;
  }

  std::optional<std::string> Refusal(const ir::Node& call, const Known& known) const {
    const ir::Function& function = *known.function;
    const ir::Graph& body = function.body();
    if (known.is_recursive) return "the function, or one that it calls, calls itself";
    if (call.num_inputs() > body.inputs().size()) {
      return fmt::format("it has {} inputs, the function {}", call.num_inputs(),
                         body.inputs().size());
    }
    if (call.num_outputs() > body.outputs().size()) {
      return fmt::format("it has {} results, the function {}", call.num_outputs(),
                         body.outputs().size());
    }
    for (size_t i = 0; i < body.inputs().size(); ++i) {
      if (call.input(i) != nullptr) continue;
      for (const ir::Use& use : body.inputs()[i]->uses()) {
        if (use.user()->is_return() || use.index() >= use.user()->num_inputs()) {
          return fmt::format("it omits input '{}', which is captured or a result",
                             body.inputs()[i]->name_text());
        }
      }
    }
    for (const ir::Attribute& attribute : call.attributes()) {
      if (attribute.kind() == ir::AttributeKind::kGraph ||
          attribute.kind() == ir::AttributeKind::kGraphs) {
        return fmt::format("attribute '{}' is a graph", model_.Text(attribute.name));
      }
    }
    if (!body.quantization_annotations().empty()) return "it has quantisation annotations";
    return OtherMeaning(function);
  }

  // An operator that means something else outside of the function.
  std::optional<std::string> OtherMeaning(const ir::Function& function) const {
    std::optional<std::string> why;
    absl::flat_hash_set<std::pair<ir::Name, ir::Name>> seen;
    VisitAll(function.body(), [&](const ir::Node& node) {
      if (why || functions_.contains(KeyOf(node))) return;
      if (!seen.emplace(node.domain(), node.op()).second) return;
      const std::string_view domain = node.domain_text();
      const int64_t inside = ImportedVersion(function, domain);
      const int64_t outside = model_.OpsetVersion(domain);
      if (outside == 0 || inside == outside) return;
      const auto schema = ir::LookupSchema(domain, node.op_text(), inside);
      const auto other = ir::LookupSchema(domain, node.op_text(), outside);
      if (schema && other && schema->since_version == other->since_version) return;
      why = fmt::format("operator {} is of version {} there and of version {} in the model",
                        node.op_text(), inside, outside);
    });
    return why;
  }

  static int64_t ImportedVersion(const ir::Function& function, std::string_view domain) {
    const auto plain = [](std::string_view text) { return text == "ai.onnx" ? "" : text; };
    for (const ir::OpsetImport& import : function.opset_imports()) {
      if (plain(import.domain) == plain(domain)) return import.version;
    }
    return 0;
  }

  void Inline(ir::Node& call, const ir::Function& function) {
    ir::Rewriter& rewriter = context_.rewriter();
    const ir::Graph& body = function.body();
    context_.Applied(call, fmt::format("the call of {} is replaced by its {} nodes",
                                       FullName(model_, function), body.num_nodes()));
    context_.Count("inlined");
    ImportOpsets(function);
    const std::string prefix =
        fmt::format("{}/", call.name().empty() ? call.op_text() : call.name_text());
    GraphCopier copier(
        rewriter, call,
        {.value_name =
             [&](ir::Name name) {
               return model_.UniqueValueName(prefix + std::string(model_.Text(name)));
             },
         .node_name =
             [&](ir::Name name) {
               if (name.empty()) return name;
               return model_.UniqueNodeName(prefix + std::string(model_.Text(name)));
             },
         .origin =
             [&](const ir::Node& node) {
               const std::vector<ir::Origin> both = {call.origin(), node.origin()};
               return model_.MergeOrigins(both);
             },
         .attribute = [&](ir::Name name) { return AttributeOf(call, function, name); },
         .types = false});
    for (size_t i = 0; i < body.inputs().size(); ++i) {
      copier.Map(*body.inputs()[i], call.input(i));
    }
    copier.Copy(body);
    for (size_t i = 0; i < call.num_outputs(); ++i) {
      ir::Value& result = *call.output(i);
      if (!result.has_uses()) continue;
      ir::Value& value = *copier.Mapped(*body.outputs()[i].value());
      if (value.type().kind == ir::Type::Kind::kUnknown) {
        rewriter.SetType(value, result.type_ref());
      }
      ReplaceResult(rewriter, call, result, value);
    }
    for (const ir::Use& operand : call.operands()) {
      if (operand.value() != nullptr) operands_.push_back(operand.value());
    }
    rewriter.Erase(call);
  }

  static const ir::AttributeValue* AttributeOf(const ir::Node& call, const ir::Function& function,
                                               ir::Name name) {
    for (const ir::Attribute& attribute : call.attributes()) {
      if (attribute.name == name) return &attribute.value;
    }
    for (const ir::Attribute& attribute : function.attribute_defaults()) {
      if (attribute.name == name) return &attribute.value;
    }
    return nullptr;
  }

  void ImportOpsets(const ir::Function& function) {
    for (const ir::OpsetImport& import : function.opset_imports()) {
      if (model_.OpsetVersion(import.domain) == 0) {
        context_.rewriter().MutableInfo().opset_imports.push_back(import);
      }
    }
  }

  // Functions that the main graph does not reach, through other functions either.
  void EraseUncalled() {
    absl::flat_hash_set<const ir::Function*> called;
    std::vector<const ir::Function*> open;
    const auto reach = [&](const ir::Function* function) {
      if (called.insert(function).second) open.push_back(function);
    };
    VisitAll(model_.graph(), [&](const ir::Node& node) {
      if (const auto it = functions_.find(KeyOf(node)); it != functions_.end()) {
        reach(it->second.function);
      }
    });
    while (!open.empty()) {
      const ir::Function* function = open.back();
      open.pop_back();
      for (const ir::Function* callee : Of(*function).calls) reach(callee);
    }
    std::vector<const ir::Function*> uncalled;
    for (const auto& function : model_.functions()) {
      if (!called.contains(function.get())) uncalled.push_back(function.get());
    }
    for (const ir::Function* function : uncalled) {
      context_.rewriter().EraseFunction(*function);
      context_.Count("erased");
      changed_ = true;
    }
  }

  PassContext& context_;
  ir::Model& model_;
  absl::flat_hash_map<Key, Known> functions_;
  int64_t nodes_left_;
  // Of calls that are gone. What nothing uses any more goes after the walk, which stands on nodes.
  std::vector<ir::Value*> operands_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Inliner inliner(context);
  inliner.Run();
  return inliner.changed();
}

}  // namespace

const PassDescriptor& InlineFunctionsPass() {
  static const PassDescriptor kPass = {
      .name = "inline-functions",
      .summary = "Replace calls of local functions by the functions' nodes",
      .description = kDescription,
      .options = {{kMaxNodes, "nodes to make in all", int64_t{1} << 17}},
      .statistics = {{"inlined", "calls that were replaced"},
                     {"erased", "functions that nothing calls any more"},
                     {"left", "calls that stay"}},
      .requires_facts = {},
      .establishes = {},
      // Layers come to light that no pass has seen.
      .preserves = {},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
