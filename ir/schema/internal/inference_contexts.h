// What onnx's inference functions see of a model.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <onnx/defs/schema.h>

#include "lathe/ir/schema/internal/attribute_proto.h"
#include "lathe/ir/schema/internal/inferencer.h"
#include "lathe/ir/schema/internal/type_proto.h"

namespace lathe::ir {

// onnx's view of a body: gives types to its inputs, infers it, reports the types of its outputs.
class BodyInferencer : public onnx::GraphInferencer {
 public:
  BodyInferencer(Inferencer& inferencer, Scope& scope, const Node& node, const Graph& body)
      : inferencer_(inferencer), scope_(scope), node_(node), body_(body) {}

  std::vector<const onnx::TypeProto*> doInferencing(
      const std::vector<const onnx::TypeProto*>& types,
      const std::vector<const onnx::TensorProto*>& data) override {
    if (types.size() != body_.inputs().size()) {
      fail_type_inference("the body has ", body_.inputs().size(), " inputs and gets ",
                          types.size());
    }
    for (size_t i = 0; i < types.size(); ++i) {
      const Value& input = *body_.inputs()[i];
      if (types[i] != nullptr) {
        inferencer_.Refine(scope_, input, FromTypeProto(inferencer_.model(), *types[i]), node_);
      }
      if (i < data.size() && data[i] != nullptr) scope_.data.emplace(input.id(), *data[i]);
    }
    inferencer_.InferGraph(body_, scope_);
    ran_ = true;
    std::vector<const onnx::TypeProto*> result;
    for (const Use& output : std::as_const(*body_.return_node()).inputs()) {
      const onnx::TypeProto* type =
          inferencer_.Message(inferencer_.TypeOf(scope_, *output.value()));
      unknown_ |= type == nullptr;
      result.push_back(type == nullptr ? &onnx::TypeProto::default_instance() : type);
    }
    return result;
  }

  bool ran() const { return ran_; }
  // Some output's type is unknown; what onnx says about the node then is no contradiction.
  bool unknown() const { return unknown_; }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  const Graph& body_;
  bool ran_ = false;
  bool unknown_ = false;
};

// Attributes of one node as messages, made when asked for.
class AttributeMessages {
 public:
  AttributeMessages(const Inferencer& inferencer, const Scope& scope, const Node& node)
      : inferencer_(inferencer), scope_(scope), node_(node) {}

  const onnx::AttributeProto* Find(const std::string& name) const {
    if (const auto it = made_.find(name); it != made_.end()) return it->second.get();
    const AttributeValue* value = inferencer_.Resolve(scope_, node_, name);
    if (value == nullptr) return nullptr;
    auto message = std::make_unique<onnx::AttributeProto>(ToAttributeProto(name, *value));
    return made_.emplace(name, std::move(message)).first->second.get();
  }

 private:
  const Inferencer& inferencer_;
  const Scope& scope_;
  const Node& node_;
  mutable absl::flat_hash_map<std::string, std::unique_ptr<onnx::AttributeProto>> made_;
};

// onnx's view of a node.
class NodeContext : public onnx::InferenceContext {
 public:
  NodeContext(Inferencer& inferencer, Scope& scope, const Node& node)
      : inferencer_(inferencer),
        scope_(scope),
        node_(node),
        attributes_(inferencer, scope, node),
        outputs_(node.num_outputs()) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.Find(name);
  }
  size_t getNumInputs() const override { return node_.num_inputs(); }
  bool hasInput(size_t index) const override {
    const Value* value = node_.input(index);
    return value != nullptr && !scope_.absent.contains(value->Resolve()->id());
  }
  const onnx::TypeProto* getInputType(size_t index) const override {
    if (!hasInput(index)) return nullptr;
    return inferencer_.Message(inferencer_.TypeOf(scope_, *node_.input(index)));
  }
  const onnx::TensorProto* getInputData(size_t index) const override {
    asked_for_values_ = true;
    return hasInput(index) ? inferencer_.Data(scope_, *node_.input(index)) : nullptr;
  }
  const onnx::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getSymbolicInput(size_t index) const override {
    asked_for_values_ = true;
    return hasInput(index) ? inferencer_.Propagated(scope_, *node_.input(index)) : nullptr;
  }
  size_t getNumOutputs() const override { return outputs_.size(); }
  onnx::TypeProto* getOutputType(size_t index) override { return &outputs_.at(index); }
  bool hasOutput(size_t index) override {
    return index < outputs_.size() && !node_.output(index)->name().empty();
  }
  onnx::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override {
    const Attribute* attribute = node_.FindAttribute(name);
    const GraphPtr* body = attribute == nullptr ? nullptr : attribute->get_if<GraphPtr>();
    if (body == nullptr) fail_type_inference("attribute '", name, "' is no graph");
    auto& inferencer = bodies_[body->get()];
    if (inferencer == nullptr) {
      inferencer = std::make_unique<BodyInferencer>(inferencer_, scope_, node_, **body);
    }
    return inferencer.get();
  }
  std::string getDisplayName() const override { return node_.display_name(); }

  bool Inferred(const Graph* body) const {
    const auto it = bodies_.find(body);
    return it != bodies_.end() && it->second->ran();
  }
  // Some input or some output of a body is unknown.
  bool sees_unknown() const {
    for (size_t i = 0; i < node_.num_inputs(); ++i) {
      if (!hasInput(i)) continue;
      const Type& type = *inferencer_.TypeOf(scope_, *node_.input(i));
      if (type.kind == Type::Kind::kUnknown ||
          (type.is_tensor() && (!type.shape || type.element == ElementType::kUndefined))) {
        return true;
      }
    }
    return std::ranges::any_of(bodies_, [](const auto& body) { return body.second->unknown(); });
  }
  // The types of the results follow from more than those of the inputs.
  bool asked_for_values() const { return asked_for_values_; }
  const onnx::TypeProto& output(size_t i) const { return outputs_[i]; }
  void ForgetOutputs() {
    for (onnx::TypeProto& output : outputs_) output.Clear();
  }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  AttributeMessages attributes_;
  std::vector<onnx::TypeProto> outputs_;
  mutable bool asked_for_values_ = false;
  absl::flat_hash_map<const Graph*, std::unique_ptr<BodyInferencer>> bodies_;
};

// onnx's view of a node whose integers are followed.
class PropagationContext : public onnx::DataPropagationContext {
 public:
  PropagationContext(Inferencer& inferencer, Scope& scope, const Node& node)
      : inferencer_(inferencer), scope_(scope), node_(node), attributes_(inferencer, scope, node) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.Find(name);
  }
  size_t getNumInputs() const override { return node_.num_inputs(); }
  const onnx::TypeProto* getInputType(size_t index) const override {
    const Value* value = node_.input(index);
    return value == nullptr ? nullptr : inferencer_.Message(inferencer_.TypeOf(scope_, *value));
  }
  size_t getNumOutputs() const override { return node_.num_outputs(); }
  const onnx::TypeProto* getOutputType(size_t index) const override {
    const Value* value = node_.output(index);
    return value == nullptr ? nullptr : inferencer_.Message(inferencer_.TypeOf(scope_, *value));
  }
  const onnx::TensorShapeProto* getInputData(size_t index) override {
    const Value* value = node_.input(index);
    return value == nullptr ? nullptr : inferencer_.ShapeData(scope_, *value);
  }
  void addOutputData(size_t index, onnx::TensorShapeProto&& data) override {
    const Value* value = node_.output(index);
    if (value == nullptr || data.dim_size() > kMaxPropagatedElements) return;
    scope_.propagated[value->id()] = std::move(data);
  }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  AttributeMessages attributes_;
};

}  // namespace lathe::ir
