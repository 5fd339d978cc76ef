// Short ways to build small models for tests of passes, and to look at the result.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

class GraphBuilder {
 public:
  GraphBuilder() : model_(std::make_unique<ir::Model>()), rewriter_(*model_) {
    rewriter_.MutableInfo().opset_imports = {{"", 13}};
  }

  ir::Model& model() { return *model_; }
  ir::Graph& graph() { return model_->graph(); }
  ir::Rewriter& rewriter() { return rewriter_; }

  ir::Value* Input(const std::string& name, const std::vector<int64_t>& extents = {1, 2, 4, 4}) {
    return Input(graph(), name, extents);
  }
  ir::Value* Input(ir::Graph& in, const std::string& name, const std::vector<int64_t>& extents) {
    return &rewriter_.AddGraphInput(
        in, model_->Intern(name),
        model_->Intern(ir::Type::Tensor(ir::ElementType::kFloat32, extents)));
  }

  ir::Value* Init(const std::string& name, const std::vector<int64_t>& dims, float fill = 1) {
    return Init(graph(), name, dims, fill);
  }
  ir::Value* Init(ir::Graph& in, const std::string& name, const std::vector<int64_t>& dims,
                  float fill = 1) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    const std::vector<float> values(static_cast<size_t>(count), fill);
    return &rewriter_.AddInitializer(in, model_->Intern(name), ir::Tensor::Of(dims, values));
  }

  // A node named after its first output, with its results unknown in type.
  ir::Node* Node(const std::string& op, const std::string& name, std::vector<ir::Value*> inputs,
                 std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {},
                 int outputs = 1) {
    return Node(graph(), op, name, std::move(inputs), std::move(attributes), outputs);
  }
  ir::Node* Node(ir::Graph& in, const std::string& op, const std::string& name,
                 std::vector<ir::Value*> inputs,
                 std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {},
                 int outputs = 1) {
    ir::NodeSpec spec;
    spec.op = op;
    spec.name = name;
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    spec.outputs.clear();
    for (int i = 0; i < outputs; ++i) {
      spec.outputs.push_back(i == 0 ? name : name + ".output" + std::to_string(i));
    }
    ir::Node& node = rewriter_.CreateNode(in, nullptr, std::move(spec));
    rewriter_.SetOrigin(node, model_->OriginOf(node.name()));
    return &node;
  }
  // The node's first result.
  ir::Value* Op(const std::string& op, const std::string& name, std::vector<ir::Value*> inputs,
                std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    return Node(op, name, std::move(inputs), std::move(attributes))->output();
  }

  void Output(ir::Value* value) { rewriter_.AddGraphOutput(graph(), value); }

 private:
  std::unique_ptr<ir::Model> model_;
  ir::Rewriter rewriter_;
};

// One line a node, bodies indented, then the outputs: "y = Conv(x, w)", "return y".
inline std::string Listing(const ir::Graph& graph, const std::string& indent = "") {
  const auto names = [](auto&& uses) {
    std::string text;
    for (const ir::Use& use : uses) {
      if (&use != &uses[0]) text += ", ";
      text += use.value() == nullptr ? "-" : std::string(use.value()->name_text());
    }
    return text;
  };
  std::string text;
  for (const ir::Node& node : graph.nodes()) {
    text += indent;
    for (const ir::Value* output : node.outputs()) {
      text += (output == node.output() ? "" : ", ") + std::string(output->name_text());
    }
    text += (node.num_outputs() == 0 ? "" : " = ") + std::string(node.op_text()) + "(" +
            names(node.inputs()) + ")\n";
    for (const ir::Graph* body : node.bodies()) text += Listing(*body, indent + "  ");
  }
  return text + indent + "return " + names(graph.outputs()) + "\n";
}

inline std::vector<std::string> InitializerNames(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Value* value : graph.initializers()) names.emplace_back(value->name_text());
  return names;
}

}  // namespace lathe::passes
