// Short ways to build models in tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::ir {

inline const Type* F32(const Model& model, const std::vector<int64_t>& extents) {
  return model.Intern(Type::Tensor(ElementType::kFloat32, extents));
}

inline Value& Input(Rewriter& rewriter, Graph& graph, std::string_view name) {
  return rewriter.AddGraphInput(graph, rewriter.model().Intern(name),
                                F32(rewriter.model(), {2, 3}));
}

// A node with one output of its name.
inline Node& Op(Rewriter& rewriter, Graph& graph, const std::string& op, const std::string& name,
                std::vector<Value*> inputs) {
  NodeSpec spec;
  spec.op = op;
  spec.name = name;
  spec.inputs = std::move(inputs);
  spec.outputs = {name + ".out"};
  return rewriter.CreateNode(graph, nullptr, std::move(spec));
}

inline std::vector<std::string> NodeNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.emplace_back(node.name_text());
  return names;
}

inline std::vector<const Node*> Users(const Value& value) {
  std::vector<const Node*> users;
  for (const Use& use : value.uses()) users.push_back(use.user());
  return users;
}

}  // namespace lathe::ir
