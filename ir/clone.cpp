#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/clone_body.h"
#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"

namespace lathe::ir {
namespace {

// Copies graphs from one model into another. Names are interned in the same order, so a Name means
// the same text in both.
class Cloner {
 public:
  Cloner(const Model& from, Model& to) : from_(from), to_(to), rewriter_(to) {}

  // `main` becomes the main graph.
  void Run(const Graph& main) {
    for (uint32_t id = 1; id < from_.names().size(); ++id) to_.Intern(from_.Text(Name{id}));
    rewriter_.MutableInfo() = from_.info();
    CloneGraph(main, to_.graph());
    for (const auto& function : from_.functions()) CloneFunction(*function);
  }

 private:
  const Type* MapType(const Type* type) {
    if (type == nullptr) return nullptr;
    if (const auto it = types_.find(type); it != types_.end()) return it->second;
    Type copy = *type;
    copy.nested = MapType(type->nested);
    const Type* mapped = to_.Intern(std::move(copy));
    types_.emplace(type, mapped);
    return mapped;
  }

  Value* Map(const Value* value) const { return value == nullptr ? nullptr : values_.at(value); }

  void MapNew(const Value& from, Value& to) {
    values_.emplace(&from, &to);
    if (from.kind() != Value::Kind::kCapture) rewriter_.SetType(to, MapType(from.type_ref()));
    if (from.notes() != nullptr) rewriter_.SetNotes(to, *from.notes());
  }

  // The value of an attribute, bodies left out.
  AttributeValue CloneValue(const AttributeValue& value) {
    return std::visit(
        [this](const auto& member) -> AttributeValue {
          using Member = std::decay_t<decltype(member)>;
          if constexpr (std::is_same_v<Member, const Type*>) {
            return MapType(member);
          } else if constexpr (std::is_same_v<Member, std::vector<const Type*>>) {
            std::vector<const Type*> mapped;
            mapped.reserve(member.size());
            for (const Type* type : member) mapped.push_back(MapType(type));
            return mapped;
          } else if constexpr (std::is_same_v<Member, GraphPtr> ||
                               std::is_same_v<Member, std::vector<GraphPtr>>) {
            return Member();
          } else {
            return member;
          }
        },
        value);
  }

  Attribute CloneAttribute(const Attribute& attribute) {
    Attribute copy;
    copy.name = attribute.name;
    copy.reference = attribute.reference;
    copy.reference_kind = attribute.reference_kind;
    copy.doc = attribute.doc;
    copy.spelling = attribute.spelling;
    copy.value = CloneValue(attribute.value);
    return copy;
  }

  void CloneNode(const Node& node, Graph& graph) {
    Node& copy = rewriter_.InsertNode(graph, nullptr, node.op(), node.domain(), node.name());
    rewriter_.SetOverload(copy, node.overload());
    rewriter_.SetOrigin(copy, to_.MergeOrigins(MapOrigin(node.origin())));
    if (node.notes() != nullptr) rewriter_.SetNotes(copy, *node.notes());
    std::vector<Value*> inputs;
    for (const Use& use : node.inputs()) inputs.push_back(Map(use.value()));
    rewriter_.SetInputs(copy, inputs);
    std::vector<std::pair<const Graph*, Graph*>> bodies;
    for (const Attribute& attribute : node.attributes()) {
      rewriter_.AddAttribute(copy, CloneAttribute(attribute));
      if (const auto* body = attribute.get_if<GraphPtr>()) {
        bodies.emplace_back(body->get(), &rewriter_.AddBody(copy, attribute.name, false));
      } else if (const auto* several = attribute.get_if<std::vector<GraphPtr>>()) {
        for (const GraphPtr& each : *several) {
          bodies.emplace_back(each.get(), &rewriter_.AddBody(copy, attribute.name, true));
        }
      }
    }
    absl::flat_hash_map<const Graph*, Graph*> clones(bodies.begin(), bodies.end());
    for (size_t i = 0; i < node.captures().size(); ++i) {
      const Value* inner = node.capture_value(i);
      Value& made =
          rewriter_.AddCapture(*clones.at(inner->graph()), *Map(node.captures()[i].value()));
      MapNew(*inner, made);
    }
    CopyAnnotations(node, copy);
    for (const auto& [body, clone] : bodies) CloneGraph(*body, *clone);
    for (const Value* output : node.outputs()) {
      MapNew(*output, rewriter_.AddOutput(copy, output->name(), MapType(output->type_ref())));
    }
  }

  std::vector<Origin> MapOrigin(Origin origin) const {
    std::vector<Origin> result;
    for (const Name name : from_.OriginNames(origin)) result.push_back(to_.OriginOf(name));
    return result;
  }

  void CopyAnnotations(const Node& node, Node& copy) {
    for (size_t i = 0; i < node.operands().size(); ++i) {
      rewriter_.SetAnnotation(copy.operands()[i], node.operands()[i].annotation());
    }
  }

  void CloneGraph(const Graph& graph, Graph& copy) {
    rewriter_.SetGraphText(copy, graph.name(), graph.doc(), graph.metadata(), graph.spelling());
    for (const Value* input : graph.inputs()) {
      MapNew(*input, rewriter_.AddGraphInput(copy, input->name(), MapType(input->type_ref())));
    }
    if (&copy == &to_.graph()) AddCaptured(graph, copy);
    for (const Value* value : graph.initializers()) {
      if (value->kind() == Value::Kind::kGraphInput) {
        if (value->sparse_tensor() != nullptr) {
          rewriter_.SetDefault(*Map(value), *value->sparse_tensor());
        } else {
          rewriter_.SetDefault(*Map(value), value->tensor());
        }
      } else if (value->sparse_tensor() != nullptr) {
        MapNew(*value,
               rewriter_.AddSparseInitializer(copy, value->name(), *value->sparse_tensor()));
      } else {
        MapNew(*value, rewriter_.AddInitializer(copy, value->name(), value->tensor()));
      }
    }
    for (const Node& node : graph.nodes()) CloneNode(node, copy);
    for (const Use& output : graph.outputs()) rewriter_.AddGraphOutput(copy, Map(output.value()));
    CopyAnnotations(*graph.return_node(), *copy.return_node());
    for (ValueInfo info : graph.value_info()) {
      if (info.value != nullptr && info.value->erased()) continue;
      info.type = MapType(info.type);
      if (info.value != nullptr) {
        info.value = Map(info.value);
      }
      rewriter_.AddValueInfo(copy, info);
    }
    for (const std::string& text : graph.quantization_annotations()) {
      rewriter_.AddQuantizationAnnotation(copy, text);
    }
  }

  // What a body that becomes the main graph takes from the graphs around it.
  void AddCaptured(const Graph& body, Graph& copy) {
    for (const Value* capture : body.captures()) {
      const Type* type = MapType(capture->type_ref());
      Tensor constant = capture->ConstantTensor();
      Value& made = constant ? rewriter_.AddInitializer(copy, capture->name(), std::move(constant))
                             : rewriter_.AddGraphInput(copy, capture->name(), type);
      rewriter_.SetType(made, type);
      values_.emplace(capture, &made);
    }
  }

  void CloneFunction(const Function& function) {
    Function& copy = rewriter_.AddFunction(function.domain(), function.name(), function.overload());
    std::vector<Attribute> defaults;
    for (const Attribute& attribute : function.attribute_defaults()) {
      defaults.push_back(CloneAttribute(attribute));
    }
    rewriter_.SetFunctionInterface(copy, function.attributes(), std::move(defaults),
                                   function.opset_imports());
    CloneGraph(function.body(), copy.body());
  }

  const Model& from_;
  Model& to_;
  Rewriter rewriter_;
  absl::flat_hash_map<const Value*, Value*> values_;
  absl::flat_hash_map<const Type*, const Type*> types_;
};

}  // namespace

std::unique_ptr<Model> Model::Clone() const {
  auto copy = std::make_unique<Model>();
  Cloner(*this, *copy).Run(*graph_);
  return copy;
}

std::unique_ptr<Model> CloneBody(const Graph& body) {
  auto copy = std::make_unique<Model>();
  Cloner(body.model(), *copy).Run(body);
  return copy;
}

}  // namespace lathe::ir
