// Patterns: small values that describe a piece of a graph, from its last node (the root) towards
// its operands.
//
//     constexpr NodeHandle kBatchNorm{"bn"}, kConv{"conv"};
//     constexpr ValueHandle kWeight{"weight"}, kBias{"bias"};
//     const Pattern pattern =
//         Op("BatchNormalization",
//            {Op("Conv", {Any(), Constant(kWeight), Optional(Constant(kBias))})
//                 .Bind(kConv)
//                 .OnlyConsumerIsMatch(),
//             Constant(), Constant(), Constant(), Constant()})
//             .Bind(kBatchNorm)
//             .Where("is in inference form", IsInference);
//
// Conditions belong into the pattern and carry a name, which is printed when they refuse. Copying a
// pattern costs O(1): parts are shared and immutable.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/rewrite/match.h"

namespace lathe::passes {

class Pattern;

// What stands in an operand slot.
class Operand {
 public:
  // The first output of a node that fits the pattern.
  Operand(Pattern producer);  // NOLINT(google-explicit-constructor): operands read as patterns

  // A condition on the value, in addition to those there.
  Operand Where(std::string_view name, std::function<bool(const ir::Value&)> holds) const;

 private:
  friend class Matcher;
  friend class Pattern;
  friend class RuleSet;
  friend Operand Any();
  friend Operand Any(ValueHandle handle);
  friend Operand Constant();
  friend Operand Constant(ValueHandle handle);
  friend Operand Optional(Operand operand);

  struct Condition {
    std::string name;
    std::function<bool(const ir::Value&)> holds;
  };
  Operand() = default;

  std::shared_ptr<const Pattern> producer_;
  std::string_view bind_;
  bool constant_ = false;
  bool optional_ = false;
  std::vector<Condition> conditions_;
};

// Any value; not an omitted operand.
Operand Any();
Operand Any(ValueHandle handle);
// A value that is always the same tensor, looked for through Identity, Constant and captures.
Operand Constant();
Operand Constant(ValueHandle handle);
// The operand, or an omitted one: then nothing in it is bound.
Operand Optional(Operand operand);

// A node.
class Pattern {
 public:
  // Operators of ONNX's own domain, whatever the operands.
  explicit Pattern(std::vector<std::string> operators);
  // The same with an operand for each input; what is not listed must be omitted.
  Pattern(std::vector<std::string> operators, std::vector<Operand> operands);

  // Operators of another domain.
  Pattern InDomain(std::string_view domain) const;
  Pattern Bind(NodeHandle handle) const;
  // Nothing but the matched user reads the node's results: the rewrite may take the node away.
  // Only for nodes that are operands.
  Pattern OnlyConsumerIsMatch() const;
  // Conditions on the node alone.
  Pattern Where(std::string_view name, std::function<bool(const ir::Node&)> holds) const;
  // Conditions on the whole match, asked when everything else fits. Only on the root.
  Pattern WhereMatch(std::string_view name, std::function<bool(const Match&)> holds) const;

  const std::vector<std::string>& operators() const { return operators_; }
  // Nodes on the longest way from the root to a leaf: 1 for a pattern of one node.
  int depth() const;

 private:
  friend class Matcher;
  friend class RuleSet;
  struct NodeCondition {
    std::string name;
    std::function<bool(const ir::Node&)> holds;
  };
  struct MatchCondition {
    std::string name;
    std::function<bool(const Match&)> holds;
  };

  std::vector<std::string> operators_;
  std::string domain_;
  std::optional<std::vector<Operand>> operands_;
  std::string_view bind_;
  bool only_consumer_ = false;
  std::vector<NodeCondition> node_conditions_;
  std::vector<MatchCondition> match_conditions_;
};

// "Conv" with any operands, "Conv" with these, one of several operators.
Pattern Op(std::string_view op);
Pattern Op(std::string_view op, std::vector<Operand> operands);
Pattern Op(std::initializer_list<std::string_view> ops, std::vector<Operand> operands);

// Whether the pattern fits with `root` as its last node. On failure `refusal` (may be null) says
// why. O(size of the pattern) and what its conditions cost.
std::optional<Match> FindMatch(const Pattern& pattern, ir::Node& root, Refusal* refusal = nullptr);

}  // namespace lathe::passes
