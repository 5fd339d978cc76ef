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
// Conditions belong into the pattern and carry a name, which is printed when they refuse. They must
// give the same answer when asked twice, and look at nothing beyond the matched nodes, their
// operands, results and readers. Where a pattern has alternatives (OneOf, AnyOrder, AlsoUser), they
// are tried in order until everything fits, conditions on the whole match included.
#pragma once

#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/rewrite/match.h"

namespace lathe::passes {

class Pattern;

// An extent in a shape pattern: a number, any known or named extent bound to a handle, or anything.
class DimPattern {
 public:
  DimPattern(int64_t extent) : extent_(extent) {}         // NOLINT(google-explicit-constructor)
  DimPattern(DimHandle handle) : handle_(handle.name) {}  // NOLINT(google-explicit-constructor)
  static DimPattern Any() { return DimPattern(DimHandle{}); }

 private:
  friend class Matcher;
  friend class PatternChecker;
  std::optional<int64_t> extent_;
  // Empty: anything.
  std::string_view handle_;
};
inline DimPattern AnyDim() { return DimPattern::Any(); }

// A condition on a T. `says` is the refusal's text; empty: "condition 'NAME' does not hold".
template <typename T>
struct NamedCondition {
  std::string name;
  std::function<bool(const T&)> holds;
  std::function<std::string(const T&)> says;
};

// What stands in an operand slot.
class Operand {
 public:
  // The first output of a node that fits the pattern.
  Operand(Pattern producer);  // NOLINT(google-explicit-constructor): operands read as patterns

  // Conditions on the value, in addition to those there.
  Operand Where(std::string_view name, std::function<bool(const ir::Value&)> holds) const;
  Operand OfElementType(ir::ElementType type) const;
  Operand OfElementType(const std::vector<ir::ElementType>& one_of) const;
  Operand OfRank(int rank) const;
  // Handles of one name stand for one extent in the whole match. An extent that the graph does not
  // know fits AnyDim() only.
  Operand OfShape(std::vector<DimPattern> dims) const;

  // Conditions on a constant; the value must be one (and a tensor of a plain number type).
  // Numbers are compared as the element type has them, bit by bit: 0.0 is not -0.0.
  // One element, equal to this. O(1).
  Operand ScalarEquals(double number) const;
  // At least one element, and all equal to this. O(elements).
  Operand AllEqual(double number) const;
  // Integers: exactly these, in any shape. O(elements).
  Operand EqualsInts(std::vector<int64_t> numbers) const;
  Operand WhereConstant(std::string_view name, std::function<bool(const ir::Tensor&)> holds) const;

  // Names the value, also where a pattern describes it.
  Operand Bind(ValueHandle handle) const;

 private:
  friend class Matcher;
  friend class Pattern;
  friend class PatternChecker;
  friend class RuleSet;
  friend Operand Any();
  friend Operand Any(ValueHandle handle);
  friend Operand Constant();
  friend Operand Constant(ValueHandle handle);
  friend Operand Optional(Operand operand);
  friend Operand Result(Pattern producer, size_t index);
  friend Operand Captured(Operand operand);
  friend Operand OneOf(std::initializer_list<Operand> alternatives);
  friend Operand Rest();
  friend Operand Rest(ValuesHandle handle);
  friend Operand Rest(Operand each);
  friend Operand Rest(ValuesHandle handle, Operand each);

  Operand() = default;
  Operand WithCondition(NamedCondition<ir::Value> condition) const;
  int depth() const;
  size_t num_operands() const;
  bool looks_into_bodies() const;

  std::shared_ptr<const Pattern> producer_;
  size_t result_ = 0;
  std::vector<Operand> alternatives_;
  // Of a Rest.
  std::shared_ptr<const Operand> each_;
  std::string_view bind_;
  bool constant_ = false;
  bool optional_ = false;
  bool captured_ = false;
  bool rest_ = false;
  std::vector<NamedCondition<ir::Value>> conditions_;
  std::optional<std::vector<DimPattern>> shape_;
};

// Any value; not an omitted operand.
Operand Any();
Operand Any(ValueHandle handle);
// A value that is always the same tensor, looked for through Identity, Constant and captures.
Operand Constant();
Operand Constant(ValueHandle handle);
// The operand, or an omitted one: then nothing in it is bound.
Operand Optional(Operand operand);
// A result other than the first.
Operand Result(Pattern producer, size_t index);
// In a body: a value of an enclosing graph that fits the operand there. Without this, patterns do
// not look through the walls of a body, except for constants.
Operand Captured(Operand operand);
// The first alternative with which everything fits.
Operand OneOf(std::initializer_list<Operand> alternatives);
// As the last operand: all further ones, each of which must fit `each`. Choices that `each` offers
// are made for one operand after the other and not taken back.
Operand Rest();
Operand Rest(ValuesHandle handle);
Operand Rest(Operand each);
Operand Rest(ValuesHandle handle, Operand each);

// A node.
class Pattern {
 public:
  // Operators of ONNX's own domain, whatever the operands.
  explicit Pattern(std::vector<std::string> operators);
  // The same with an operand for each input; what is not listed must be omitted.
  Pattern(std::vector<std::string> operators, std::vector<Operand> operands);

  // Operators of another domain.
  Pattern InDomain(std::string_view domain) const;
  // The version of the domain that the node's model or function imports.
  Pattern Opset(int64_t first, int64_t last = std::numeric_limits<int64_t>::max()) const;
  // The attribute is there and has this value.
  Pattern Attr(std::string_view name, const ir::PlainAttribute& value) const;
  // The same, or it is absent: for values that are the default.
  Pattern AttrOrAbsent(std::string_view name, const ir::PlainAttribute& value) const;
  // A named condition on an attribute; it is given null when there is none.
  Pattern AttrWhere(std::string_view name, std::string_view condition,
                    std::function<bool(const ir::Attribute*)> holds) const;
  // The operands may stand in any order (but Rest takes what the others leave).
  Pattern AnyOrder() const;
  Pattern Bind(NodeHandle handle) const;
  // What result `index` is like.
  Pattern Returns(size_t index, Operand value) const;
  // What the outputs of a body (an attribute like "then_branch") are like.
  Pattern Body(std::string_view attribute, std::vector<Operand> outputs) const;
  // Another node that reads a bound value fits `other`, and is not yet part of the match: for
  // matches with several last nodes. Only the value's first 64 uses are looked at. Only on the
  // root.
  Pattern AlsoUser(ValueHandle shared, Pattern other) const;
  // Nothing but the matched user reads the node's results: the rewrite may take the node away.
  // Only for nodes that are operands.
  Pattern OnlyConsumerIsMatch() const;
  // Nothing outside the match reads the results of a matched node, except those of the root and of
  // nodes found by AlsoUser. Only on the root.
  Pattern NoEscape() const;
  // A name for refusals inside this part of the pattern.
  Pattern Named(std::string_view part) const;
  // Conditions on the node alone.
  Pattern Where(std::string_view name, std::function<bool(const ir::Node&)> holds) const;
  // Conditions on the whole match, asked when everything else fits.
  Pattern WhereMatch(std::string_view name, std::function<bool(const Match&)> holds) const;

  const std::vector<std::string>& operators() const { return operators_; }
  // Nodes on the longest way from the root to a leaf: 1 for a pattern of one node.
  int depth() const;
  // Some part has an AlsoUser, or a Body.
  bool looks_at_siblings() const;
  bool looks_into_bodies() const;

 private:
  friend class Matcher;
  friend class Operand;
  friend class PatternChecker;
  friend class RuleSet;
  friend Pattern OneOf(std::initializer_list<Pattern> alternatives);

  struct ResultPattern {
    size_t index;
    Operand value;
  };
  struct BodyPattern {
    std::string attribute;
    std::vector<Operand> outputs;
  };
  struct OtherUser;

  size_t num_operands() const;

  // Of all alternatives, if there are any.
  std::vector<std::string> operators_;
  std::string domain_;
  std::vector<Pattern> alternatives_;
  std::optional<std::vector<Operand>> operands_;
  bool any_order_ = false;
  std::vector<ResultPattern> results_;
  std::vector<BodyPattern> bodies_;
  std::vector<OtherUser> other_users_;
  std::string_view bind_;
  std::string part_;
  bool only_consumer_ = false;
  bool no_escape_ = false;
  int64_t first_opset_ = 0;
  int64_t last_opset_ = std::numeric_limits<int64_t>::max();
  // Asked before the operands; they refuse like another operator does.
  std::vector<NamedCondition<ir::Node>> attributes_;
  std::vector<NamedCondition<ir::Node>> node_conditions_;
  std::vector<NamedCondition<Match>> match_conditions_;
};

struct Pattern::OtherUser {
  std::string_view shared;
  Pattern pattern;
};

// "Conv" with any operands, "Conv" with these, one of several operators.
Pattern Op(std::string_view op);
Pattern Op(std::string_view op, std::vector<Operand> operands);
Pattern Op(std::initializer_list<std::string_view> ops, std::vector<Operand> operands);
// The first alternative with which everything fits.
Pattern OneOf(std::initializer_list<Pattern> alternatives);

// Whether the pattern fits with `root` as its last node. On failure `refusal` (may be null) says
// why. O(size of the pattern · alternatives) and what its conditions cost; gives up, with a
// refusal, after 20,000 steps.
std::optional<Match> FindMatch(const Pattern& pattern, ir::Node& root, Refusal* refusal = nullptr);

}  // namespace lathe::passes
