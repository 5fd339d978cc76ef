// Rules, compiled once into an index by the operator at the root. Most rules of a set are rejected
// for a node without looking at their patterns: each set of rules with one root operator keeps, for
// the first operands, a bit set for every kind of value that can stand there (omitted, graph input,
// initializer, capture, result of operator X), with a bit for each rule that could take it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/rewrite/pattern_reach.h"
#include "lathe/passes/rewrite/rule.h"

namespace lathe::passes {

class RuleSet {
 public:
  // Keeps copies of the rules. Errors: a rule without a name or with nothing to build; a pattern
  // that makes no sense. O(rules · operators that their patterns name).
  static StatusOr<RuleSet> Compile(std::span<const RewriteRule> rules);

  std::span<const RewriteRule> rules() const { return rules_; }
  // How far from an edit a root can be that the edit helps.
  const PatternReach& reach() const { return reach_; }

 private:
  friend class RuleIndex;
  explicit RuleSet(std::span<const RewriteRule> rules);

  // Kinds of values; results of the operator with class c are kResultOf + c.
  enum ValueKind : uint32_t { kOmitted, kGraphInput, kInitializer, kCapture, kResultOf };
  // The class of operators that no rule names.
  static constexpr uint32_t kOther = 0;
  // Operands beyond are left to the matcher.
  static constexpr size_t kIndexedOperands = 4;

  // What can stand in an operand slot, as far as the index asks.
  struct Accepted {
    bool omitted = false;
    bool graph_input = false;
    bool initializer = false;
    bool capture = false;
    bool any_result = false;
    std::vector<uint32_t> results_of;

    bool Takes(uint32_t kind) const;
    void Add(const Accepted& other);
  };
  // Everything but an omitted operand.
  static const Accepted& AnyValue();

  // The rules with one root operator.
  struct Bucket {
    // In the order of the set.
    std::vector<uint32_t> rules;
    size_t words = 0;
    struct Slot {
      uint32_t operand;
      // `words` words a kind of value.
      std::vector<uint64_t> masks;
    };
    // Operands that tell rules apart or reject a node.
    std::vector<Slot> slots;
    // For rules whose operands stand in any order: by kind of value, those that need an operand of
    // this kind somewhere; and those that need none. Empty when every rule needs none.
    std::vector<uint64_t> needing;
    std::vector<uint64_t> not_needing;
  };

  uint32_t ClassOf(const std::string& domain, const std::string& op);
  void AddRoots(const Pattern& pattern, std::vector<uint32_t>& classes);
  Accepted AcceptedBy(const Operand& operand);
  Accepted AcceptedAt(const Pattern& pattern, size_t index);
  void AddReach(const Pattern& pattern);
  void FillBucket(Bucket& bucket);
  void FillNeeds(Bucket& bucket, size_t kinds);

  std::vector<RewriteRule> rules_;
  PatternReach reach_;
  // Domain ("" for ONNX's own) and operator. Class c + 1 is classes_[c].
  std::vector<std::pair<std::string, std::string>> classes_;
  absl::flat_hash_map<std::pair<std::string, std::string>, uint32_t> class_ids_;
  // By class; empty where no rule has its root.
  std::vector<Bucket> buckets_;
};

// A rule set as seen from one model: its operators in the model's names.
class RuleIndex {
 public:
  // `rules` must outlive the index. O(operators).
  RuleIndex(const RuleSet& rules, const ir::Model& model);

  // Calls `visit` with each rule that may fit the node, in the order of the set, until it returns
  // false. O(1) and what `visit` costs.
  template <typename Visit>
  void ForEachCandidate(const ir::Node& node, Visit visit) const;
  // The rules whose root has the node's operator, whatever its operands, in order.
  std::span<const uint32_t> RulesAt(const ir::Node& node) const;

 private:
  uint32_t ClassOf(const ir::Node& node) const;
  uint32_t KindOf(const ir::Value* value) const;
  // The rules in a word of the bucket that find what they need among the node's operands.
  uint64_t Satisfied(const RuleSet::Bucket& bucket, const ir::Node& node, size_t word) const;

  const RuleSet& rules_;
  // By domain and operator name.
  absl::flat_hash_map<uint64_t, uint32_t> classes_;
};

template <typename Visit>
void RuleIndex::ForEachCandidate(const ir::Node& node, Visit visit) const {
  const uint32_t root = ClassOf(node);
  if (root == RuleSet::kOther) return;
  const RuleSet::Bucket& bucket = rules_.buckets_[root];
  if (bucket.rules.empty()) return;
  std::array<uint32_t, RuleSet::kIndexedOperands> kinds{};
  for (size_t i = 0; i < bucket.slots.size(); ++i) {
    kinds[i] = KindOf(node.input(bucket.slots[i].operand));
  }
  for (size_t word = 0; word < bucket.words; ++word) {
    uint64_t candidates = ~uint64_t{0};
    const size_t left = bucket.rules.size() - word * 64;
    if (left < 64) candidates = (uint64_t{1} << left) - 1;
    for (size_t i = 0; i < bucket.slots.size(); ++i) {
      candidates &= bucket.slots[i].masks[kinds[i] * bucket.words + word];
    }
    if (candidates != 0 && !bucket.needing.empty()) candidates &= Satisfied(bucket, node, word);
    for (; candidates != 0; candidates &= candidates - 1) {
      const auto bit = static_cast<size_t>(__builtin_ctzll(candidates));
      if (!visit(rules_.rules_[bucket.rules[word * 64 + bit]])) return;
    }
  }
}

}  // namespace lathe::passes
