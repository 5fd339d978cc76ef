#include "lathe/passes/rewrite/pattern.h"

#include <algorithm>

#include "lathe/support/quoted.h"

namespace lathe::passes {

// --- Match

ir::Node* Match::Find(NodeHandle handle) const {
  for (const auto& [name, node] : bound_nodes_) {
    if (name == handle.name) return node;
  }
  return nullptr;
}

ir::Value* Match::Find(ValueHandle handle) const {
  for (const auto& [name, value] : bound_values_) {
    if (name == handle.name) return value;
  }
  return nullptr;
}

ir::Tensor Match::Constant(ValueHandle handle) const {
  const ir::Value* value = Find(handle);
  return value == nullptr ? ir::Tensor() : value->ConstantTensor();
}

std::string Refusal::ToText() const {
  if (node == nullptr) return reason;
  return fmt::format("node {}: {}", Quoted(node->display_name()), reason);
}

// --- Operand

Operand::Operand(Pattern producer)
    : producer_(std::make_shared<const Pattern>(std::move(producer))) {}

Operand Operand::Where(std::string_view name, std::function<bool(const ir::Value&)> holds) const {
  Operand result = *this;
  result.conditions_.push_back({std::string(name), std::move(holds)});
  return result;
}

Operand Any() { return {}; }

Operand Any(ValueHandle handle) {
  Operand result;
  result.bind_ = handle.name;
  return result;
}

Operand Constant() {
  Operand result;
  result.constant_ = true;
  return result;
}

Operand Constant(ValueHandle handle) {
  Operand result = Constant();
  result.bind_ = handle.name;
  return result;
}

Operand Optional(Operand operand) {
  operand.optional_ = true;
  return operand;
}

// --- Pattern

Pattern::Pattern(std::vector<std::string> operators) : operators_(std::move(operators)) {}

Pattern::Pattern(std::vector<std::string> operators, std::vector<Operand> operands)
    : operators_(std::move(operators)), operands_(std::move(operands)) {}

Pattern Pattern::InDomain(std::string_view domain) const {
  Pattern result = *this;
  result.domain_ = domain;
  return result;
}

Pattern Pattern::Bind(NodeHandle handle) const {
  Pattern result = *this;
  result.bind_ = handle.name;
  return result;
}

Pattern Pattern::OnlyConsumerIsMatch() const {
  Pattern result = *this;
  result.only_consumer_ = true;
  return result;
}

Pattern Pattern::Where(std::string_view name, std::function<bool(const ir::Node&)> holds) const {
  Pattern result = *this;
  result.node_conditions_.push_back({std::string(name), std::move(holds)});
  return result;
}

Pattern Pattern::WhereMatch(std::string_view name, std::function<bool(const Match&)> holds) const {
  Pattern result = *this;
  result.match_conditions_.push_back({std::string(name), std::move(holds)});
  return result;
}

int Pattern::depth() const {
  int deepest = 0;
  if (!operands_) return 1;
  for (const Operand& operand : *operands_) {
    if (operand.producer_ != nullptr) deepest = std::max(deepest, operand.producer_->depth());
  }
  return deepest + 1;
}

Pattern Op(std::string_view op) { return Pattern({std::string(op)}); }

Pattern Op(std::string_view op, std::vector<Operand> operands) {
  return Pattern({std::string(op)}, std::move(operands));
}

Pattern Op(std::initializer_list<std::string_view> ops, std::vector<Operand> operands) {
  return Pattern(std::vector<std::string>(ops.begin(), ops.end()), std::move(operands));
}

// --- Matching

class Matcher {
 public:
  explicit Matcher(Refusal* refusal) : refusal_(refusal) {}

  std::optional<Match> Run(const Pattern& pattern, ir::Node& root) {
    if (!FitsNode(pattern, root)) return std::nullopt;
    for (const auto& condition : pattern.match_conditions_) {
      if (condition.holds(match_)) continue;
      RefuseCondition(root, condition.name);
      return std::nullopt;
    }
    return std::move(match_);
  }

 private:
  bool FitsNode(const Pattern& pattern, ir::Node& node) {
    if (!HasOperator(pattern, node)) {
      return Refuse(&node, [&] {
        return fmt::format("{} is not {}", node.op_text(), fmt::join(pattern.operators_, " or "));
      });
    }
    if (pattern.operands_ && !FitOperands(*pattern.operands_, node)) return false;
    // After the operands: a condition is worth a remark only where the operators fit.
    for (const auto& condition : pattern.node_conditions_) {
      if (!condition.holds(node)) return RefuseCondition(node, condition.name);
    }
    match_.nodes_.push_back(&node);
    if (pattern.bind_.empty()) return true;
    if (const ir::Node* bound = match_.Find(NodeHandle{pattern.bind_})) {
      return bound == &node ||
             Refuse(&node, [&] { return fmt::format("is not the other {}", pattern.bind_); });
    }
    match_.bound_nodes_.emplace_back(pattern.bind_, &node);
    return true;
  }

  static bool HasOperator(const Pattern& pattern, const ir::Node& node) {
    const bool same_domain = pattern.domain_.empty()
                                 ? node.domain().empty() || node.domain_text() == "ai.onnx"
                                 : node.domain_text() == pattern.domain_;
    return same_domain &&
           std::ranges::find(pattern.operators_, node.op_text()) != pattern.operators_.end();
  }

  bool FitOperands(const std::vector<Operand>& operands, ir::Node& node) {
    for (size_t i = 0; i < operands.size(); ++i) {
      if (!FitsOperand(operands[i], node, i)) return false;
    }
    for (size_t i = operands.size(); i < node.num_inputs(); ++i) {
      if (node.input(i) == nullptr) continue;
      return Refuse(&node, [&] {
        return fmt::format("has an operand {}, the pattern only {}", i, operands.size());
      });
    }
    return true;
  }

  bool FitsOperand(const Operand& operand, ir::Node& node, size_t index) {
    ir::Value* value = node.input(index);
    if (value == nullptr) {
      return operand.optional_ ||
             Refuse(&node, [&] { return fmt::format("operand {} is omitted", index); });
    }
    if (operand.producer_ != nullptr && !FitsProducer(*operand.producer_, node, *value, index)) {
      return false;
    }
    if (operand.constant_ && !value->ConstantTensor()) {
      return Refuse(&node, [&] { return fmt::format("operand {} is not constant", index); });
    }
    for (const auto& condition : operand.conditions_) {
      if (!condition.holds(*value)) {
        return RefuseCondition(node, condition.name, fmt::format("operand {}: ", index));
      }
    }
    if (operand.bind_.empty()) return true;
    if (const ir::Value* bound = match_.Find(ValueHandle{operand.bind_})) {
      return bound == value || Refuse(&node, [&] {
               return fmt::format("operand {} is not the other {}", index, operand.bind_);
             });
    }
    match_.bound_values_.emplace_back(operand.bind_, value);
    return true;
  }

  bool FitsProducer(const Pattern& pattern, const ir::Node& user, const ir::Value& value,
                    size_t index) {
    ir::Node* producer = value.producer();
    if (producer == nullptr || value.index() != 0) {
      return Refuse(&user, [&] {
        return fmt::format("operand {} is not the result of {}", index,
                           fmt::join(pattern.operators_, " or "));
      });
    }
    if (!FitsNode(pattern, *producer)) return false;
    if (!pattern.only_consumer_) return true;
    for (const ir::Value* output : producer->outputs()) {
      if (output->use_count() != (output == &value ? 1u : 0u)) {
        return RefuseCondition(*producer, "has no other consumer");
      }
    }
    return true;
  }

  // The text is only made when somebody asks for it: most refusals are thrown away.
  template <typename MakeText>
  bool Refuse(const ir::Node* node, MakeText text) {
    if (refusal_ != nullptr) *refusal_ = {node, text(), false, match_.nodes_.size()};
    return false;
  }
  bool RefuseCondition(const ir::Node& node, std::string_view name, std::string_view where = "") {
    if (refusal_ != nullptr) {
      *refusal_ = {&node, fmt::format("{}condition {} does not hold", where, Quoted(name)), true,
                   match_.nodes_.size()};
    }
    return false;
  }

  Match match_;
  Refusal* refusal_;
};

std::optional<Match> FindMatch(const Pattern& pattern, ir::Node& root, Refusal* refusal) {
  return Matcher(refusal).Run(pattern, root);
}

}  // namespace lathe::passes
