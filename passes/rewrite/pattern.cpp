#include "lathe/passes/rewrite/pattern.h"

#include <algorithm>

#include "lathe/passes/rewrite/attribute_equals.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {

Pattern::Pattern(std::vector<std::string> operators) : operators_(std::move(operators)) {}

Pattern::Pattern(std::vector<std::string> operators, std::vector<Operand> operands)
    : operators_(std::move(operators)), operands_(std::move(operands)) {}

Pattern Pattern::InDomain(std::string_view domain) const {
  Pattern result = *this;
  result.domain_ = domain;
  return result;
}

Pattern Pattern::Opset(int64_t first, int64_t last) const {
  Pattern result = *this;
  result.first_opset_ = first;
  result.last_opset_ = last;
  return result;
}

Pattern Pattern::Attr(std::string_view name, const ir::PlainAttribute& value) const {
  Pattern result = *this;
  const auto holds = [key = std::string(name), value](const ir::Node& node) {
    const ir::Attribute* attribute = node.FindAttribute(key);
    return attribute != nullptr && AttributeEquals(*attribute, value);
  };
  const auto says = [key = std::string(name), value](const ir::Node& node) {
    return AttributeDiffers(key, node.FindAttribute(key), value);
  };
  result.attributes_.push_back({std::string(name), holds, says});
  return result;
}

Pattern Pattern::AttrOrAbsent(std::string_view name, const ir::PlainAttribute& value) const {
  Pattern result = Attr(name, value);
  NamedCondition<ir::Node>& condition = result.attributes_.back();
  condition.holds = [key = std::string(name), equals = condition.holds](const ir::Node& node) {
    return node.FindAttribute(key) == nullptr || equals(node);
  };
  return result;
}

Pattern Pattern::AttrWhere(std::string_view name, std::string_view condition,
                           std::function<bool(const ir::Attribute*)> holds) const {
  return Where(fmt::format("attribute {} {}", name, condition),
               [key = std::string(name), holds = std::move(holds)](const ir::Node& node) {
                 return holds(node.FindAttribute(key));
               });
}

Pattern Pattern::AnyOrder() const {
  Pattern result = *this;
  result.any_order_ = true;
  return result;
}

Pattern Pattern::Bind(NodeHandle handle) const {
  Pattern result = *this;
  result.bind_ = handle.name;
  return result;
}

Pattern Pattern::Returns(size_t index, Operand value) const {
  Pattern result = *this;
  result.results_.push_back({index, std::move(value)});
  return result;
}

Pattern Pattern::Body(std::string_view attribute, std::vector<Operand> outputs) const {
  Pattern result = *this;
  result.bodies_.push_back({std::string(attribute), std::move(outputs)});
  return result;
}

Pattern Pattern::AlsoUser(ValueHandle shared, Pattern other) const {
  Pattern result = *this;
  result.other_users_.push_back({shared.name, std::move(other)});
  return result;
}

Pattern Pattern::OnlyConsumerIsMatch() const {
  Pattern result = *this;
  result.only_consumer_ = true;
  return result;
}

Pattern Pattern::NoEscape() const {
  Pattern result = *this;
  result.no_escape_ = true;
  return result;
}

Pattern Pattern::Named(std::string_view part) const {
  Pattern result = *this;
  result.part_ = part;
  return result;
}

Pattern Pattern::Where(std::string_view name, std::function<bool(const ir::Node&)> holds) const {
  Pattern result = *this;
  result.node_conditions_.push_back({std::string(name), std::move(holds), {}});
  return result;
}

Pattern Pattern::WhereMatch(std::string_view name, std::function<bool(const Match&)> holds) const {
  Pattern result = *this;
  result.match_conditions_.push_back({std::string(name), std::move(holds), {}});
  return result;
}

int Pattern::depth() const {
  int deepest = 1;
  for (const Pattern& alternative : alternatives_) {
    deepest = std::max(deepest, alternative.depth());
  }
  const auto add = [&](const Operand& operand) {
    deepest = std::max(deepest, operand.depth() + 1);
  };
  if (operands_) std::ranges::for_each(*operands_, add);
  for (const ResultPattern& result : results_) add(result.value);
  for (const BodyPattern& body : bodies_) std::ranges::for_each(body.outputs, add);
  for (const OtherUser& user : other_users_) deepest = std::max(deepest, user.pattern.depth());
  return deepest;
}

size_t Pattern::num_operands() const {
  size_t count = 0;
  for (const Pattern& alternative : alternatives_) count += alternative.num_operands();
  const auto add = [&](const Operand& operand) { count += operand.num_operands(); };
  if (operands_) std::ranges::for_each(*operands_, add);
  for (const ResultPattern& result : results_) add(result.value);
  for (const BodyPattern& body : bodies_) std::ranges::for_each(body.outputs, add);
  for (const OtherUser& user : other_users_) count += user.pattern.num_operands();
  return count;
}

bool Pattern::looks_at_siblings() const {
  return !other_users_.empty() || std::ranges::any_of(alternatives_, &Pattern::looks_at_siblings);
}

bool Pattern::looks_into_bodies() const {
  return !bodies_.empty() || std::ranges::any_of(alternatives_, &Pattern::looks_into_bodies) ||
         (operands_ && std::ranges::any_of(*operands_, &Operand::looks_into_bodies)) ||
         std::ranges::any_of(
             other_users_, [](const OtherUser& user) { return user.pattern.looks_into_bodies(); });
}

Pattern Op(std::string_view op) { return Pattern({std::string(op)}); }

Pattern Op(std::string_view op, std::vector<Operand> operands) {
  return Pattern({std::string(op)}, std::move(operands));
}

Pattern Op(std::initializer_list<std::string_view> ops, std::vector<Operand> operands) {
  return Pattern(std::vector<std::string>(ops.begin(), ops.end()), std::move(operands));
}

Pattern OneOf(std::initializer_list<Pattern> alternatives) {
  std::vector<std::string> operators;
  for (const Pattern& alternative : alternatives) {
    for (const std::string& op : alternative.operators_) {
      if (std::ranges::find(operators, op) == operators.end()) operators.push_back(op);
    }
  }
  Pattern result(std::move(operators));
  result.alternatives_ = alternatives;
  return result;
}

}  // namespace lathe::passes
