// Runs small models node by node with the evaluator, for tests that compare a graph before and
// after a pass: bodies of If and Loop and calls of local functions included.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lathe/eval/evaluate.h"
#include "lathe/ir/model.h"

namespace lathe::passes {

class Interpreter {
 public:
  explicit Interpreter(const ir::Model& model) : model_(model) {}

  // The outputs of the main graph. Errors: the evaluator's; a value that is missing.
  StatusOr<std::vector<ir::Tensor>> Run(const std::vector<ir::Tensor>& inputs) {
    values_.clear();
    return RunGraph(model_.graph(), inputs);
  }

  // The value in the last run; empty when it was not computed.
  ir::Tensor Find(const ir::Value& value) const {
    const ir::Value* resolved = value.Resolve();
    if (resolved->kind() == ir::Value::Kind::kInitializer) return resolved->tensor();
    const auto it = values_.find(resolved);
    return it == values_.end() ? ir::Tensor() : it->second;
  }

  void Set(const ir::Value& value, ir::Tensor tensor) { values_[&value] = std::move(tensor); }

  Status RunNode(const ir::Node& node) {
    std::vector<ir::Tensor> inputs;
    for (const ir::Use& use : node.inputs()) {
      inputs.push_back(use.value() == nullptr ? ir::Tensor() : Find(*use.value()));
      if (use.value() != nullptr && !inputs.back()) {
        return NotFound("'{}' has no value", use.value()->name_text());
      }
    }
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> results, Results(node, inputs));
    for (size_t i = 0; i < std::min(results.size(), node.num_outputs()); ++i) {
      values_[node.output(i)] = results[i];
    }
    return OkStatus();
  }

 private:
  StatusOr<std::vector<ir::Tensor>> RunGraph(const ir::Graph& graph,
                                             const std::vector<ir::Tensor>& inputs) {
    for (size_t i = 0; i < graph.inputs().size(); ++i) {
      values_[graph.inputs()[i]] = i < inputs.size() ? inputs[i] : ir::Tensor();
    }
    for (const ir::Node& node : graph.nodes()) LATHE_RETURN_IF_ERROR(RunNode(node));
    std::vector<ir::Tensor> outputs;
    for (const ir::Use& use : graph.outputs()) {
      outputs.push_back(Find(*use.value()));
      if (!outputs.back()) return NotFound("output '{}' has no value", use.value()->name_text());
    }
    return outputs;
  }

  StatusOr<std::vector<ir::Tensor>> Results(const ir::Node& node,
                                            const std::vector<ir::Tensor>& inputs) {
    if (const ir::Function* f = model_.FindFunction(node.domain(), node.op(), node.overload())) {
      return RunGraph(f->body(), inputs);
    }
    if (node.Is("If")) {
      LATHE_ASSIGN_OR_RETURN(const bool condition, inputs[0].ScalarValue<bool>());
      const ir::Attribute* branch = node.FindAttribute(condition ? "then_branch" : "else_branch");
      return RunGraph(**branch->get_if<ir::GraphPtr>(), {});
    }
    if (node.Is("Loop")) return RunLoop(node, inputs);
    return eval::Evaluate(node, inputs);
  }

  StatusOr<std::vector<ir::Tensor>> RunLoop(const ir::Node& node,
                                            const std::vector<ir::Tensor>& inputs) {
    const ir::Graph& body = **node.FindAttribute("body")->get_if<ir::GraphPtr>();
    int64_t count = INT64_MAX;
    bool go = true;
    if (inputs[0]) {
      LATHE_ASSIGN_OR_RETURN(count, inputs[0].ScalarValue<int64_t>());
    }
    if (inputs[1]) {
      LATHE_ASSIGN_OR_RETURN(go, inputs[1].ScalarValue<bool>());
    }
    std::vector<ir::Tensor> variables(inputs.begin() + 2, inputs.end());
    if (body.outputs().size() != variables.size() + 1) {
      return Unsupported("scanned results are not run");
    }
    for (int64_t i = 0; i < count && go; ++i) {
      std::vector<ir::Tensor> given = {ir::Tensor::Scalar<int64_t>(i), ir::Tensor::Scalar(true)};
      given.insert(given.end(), variables.begin(), variables.end());
      LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> outputs, RunGraph(body, given));
      if (inputs[1]) {
        LATHE_ASSIGN_OR_RETURN(go, outputs[0].ScalarValue<bool>());
      }
      variables.assign(outputs.begin() + 1, outputs.end());
    }
    return variables;
  }

  const ir::Model& model_;
  std::unordered_map<const ir::Value*, ir::Tensor> values_;
};

}  // namespace lathe::passes
