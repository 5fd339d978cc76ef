#include "lathe/passes/rewrite/rule_set.h"

#include <algorithm>

#include "lathe/passes/rewrite/internal/check_pattern.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

uint64_t KeyOf(ir::Name domain, ir::Name op) {
  return (static_cast<uint64_t>(domain.id) << 32) | op.id;
}

}  // namespace

const RuleSet::Accepted& RuleSet::AnyValue() {
  static const Accepted kAnyValue = {false, true, true, true, true, {}};
  return kAnyValue;
}

bool RuleSet::Accepted::Takes(uint32_t kind) const {
  switch (kind) {
    case kOmitted:
      return omitted;
    case kGraphInput:
      return graph_input;
    case kInitializer:
      return initializer;
    case kCapture:
      return capture;
    default:
      return any_result || std::ranges::find(results_of, kind - kResultOf) != results_of.end();
  }
}

void RuleSet::Accepted::Add(const Accepted& other) {
  omitted |= other.omitted;
  graph_input |= other.graph_input;
  initializer |= other.initializer;
  capture |= other.capture;
  any_result |= other.any_result;
  results_of.insert(results_of.end(), other.results_of.begin(), other.results_of.end());
}

StatusOr<RuleSet> RuleSet::Compile(std::span<const RewriteRule> rules) {
  for (size_t i = 0; i < rules.size(); ++i) {
    const RewriteRule& rule = rules[i];
    if (rule.name.empty()) return InvalidInput("rule {} has no name", i);
    if (!rule.build) return InvalidInput("rule {} has nothing to build", Quoted(rule.name));
    LATHE_RETURN_IF_ERROR(
        AtPlace(CheckPattern(rule.pattern), fmt::format("rule {}", Quoted(rule.name))));
  }
  return RuleSet(rules);
}

RuleSet::RuleSet(std::span<const RewriteRule> rules) : rules_(rules.begin(), rules.end()) {
  // Every class first: the masks have a row for each.
  std::vector<std::vector<uint32_t>> roots;
  for (const RewriteRule& rule : rules_) {
    AddReach(rule.pattern);
    AddRoots(rule.pattern, roots.emplace_back());
    for (size_t i = 0; i < kIndexedOperands; ++i) AcceptedAt(rule.pattern, i);
  }
  buckets_.resize(classes_.size() + 1);
  for (uint32_t i = 0; i < rules_.size(); ++i) {
    for (const uint32_t root : roots[i]) {
      std::vector<uint32_t>& bucket = buckets_[root].rules;
      if (bucket.empty() || bucket.back() != i) bucket.push_back(i);
    }
  }
  for (Bucket& bucket : buckets_) FillBucket(bucket);
}

void RuleSet::AddReach(const Pattern& pattern) {
  reach_.users = std::max(reach_.users, pattern.depth() - 1);
  if (pattern.no_escape_) {
    reach_.inner_uses = std::max(reach_.inner_uses, static_cast<uint32_t>(pattern.num_operands()));
  }
  reach_.siblings |= pattern.looks_at_siblings();
  reach_.bodies |= pattern.looks_into_bodies();
  for (const Pattern& alternative : pattern.alternatives_) AddReach(alternative);
}

void RuleSet::AddRoots(const Pattern& pattern, std::vector<uint32_t>& classes) {
  for (const Pattern& alternative : pattern.alternatives_) AddRoots(alternative, classes);
  if (!pattern.alternatives_.empty()) return;
  for (const std::string& op : pattern.operators_) classes.push_back(ClassOf(pattern.domain_, op));
}

uint32_t RuleSet::ClassOf(const std::string& domain, const std::string& op) {
  std::pair<std::string, std::string> key(domain == "ai.onnx" ? std::string() : domain, op);
  const auto [it, inserted] =
      class_ids_.try_emplace(key, static_cast<uint32_t>(classes_.size()) + 1);
  if (inserted) classes_.push_back(std::move(key));
  return it->second;
}

RuleSet::Accepted RuleSet::AcceptedBy(const Operand& operand) {
  Accepted result;
  if (operand.captured_) {
    result.capture = true;
  } else if (!operand.alternatives_.empty()) {
    for (const Operand& alternative : operand.alternatives_) result.Add(AcceptedBy(alternative));
  } else if (operand.rest_) {
    if (operand.each_ != nullptr) {
      result = AcceptedBy(*operand.each_);
    } else {
      result = AnyValue();
    }
    result.omitted = true;
  } else if (operand.producer_ != nullptr) {
    AddRoots(*operand.producer_, result.results_of);
  } else if (operand.constant_) {
    result.initializer = result.capture = true;
    // What Value::ConstantTensor looks through.
    result.results_of = {ClassOf("", "Constant"), ClassOf("", "Identity")};
  } else {
    result = AnyValue();
  }
  result.omitted |= operand.optional_;
  return result;
}

RuleSet::Accepted RuleSet::AcceptedAt(const Pattern& pattern, size_t index) {
  Accepted result;
  if (!pattern.alternatives_.empty()) {
    for (const Pattern& alternative : pattern.alternatives_) {
      result.Add(AcceptedAt(alternative, index));
    }
    return result;
  }
  if (!pattern.operands_) {
    result = AnyValue();
    result.omitted = true;
    return result;
  }
  const std::vector<Operand>& operands = *pattern.operands_;
  if (pattern.any_order_) {
    // Whichever operand; omitted ones may stand between.
    for (const Operand& operand : operands) result.Add(AcceptedBy(operand));
    result.omitted = true;
    return result;
  }
  if (index < operands.size()) return AcceptedBy(operands[index]);
  if (!operands.empty() && operands.back().rest_) return AcceptedBy(operands.back());
  result.omitted = true;
  return result;
}

void RuleSet::FillBucket(Bucket& bucket) {
  bucket.words = (bucket.rules.size() + 63) / 64;
  const size_t kinds = kResultOf + classes_.size() + 1;
  for (uint32_t operand = 0; operand < kIndexedOperands; ++operand) {
    std::vector<uint64_t> masks(kinds * bucket.words);
    bool rejects = false;
    for (size_t i = 0; i < bucket.rules.size(); ++i) {
      const Accepted accepted = AcceptedAt(rules_[bucket.rules[i]].pattern, operand);
      for (uint32_t kind = 0; kind < kinds; ++kind) {
        if (accepted.Takes(kind)) {
          masks[kind * bucket.words + i / 64] |= uint64_t{1} << (i % 64);
        } else {
          rejects = true;
        }
      }
    }
    if (rejects) bucket.slots.push_back({operand, std::move(masks)});
  }
  FillNeeds(bucket, kinds);
}

void RuleSet::FillNeeds(Bucket& bucket, size_t kinds) {
  std::vector<uint64_t> needing(kinds * bucket.words);
  std::vector<uint64_t> not_needing(bucket.words);
  bool some = false;
  for (size_t i = 0; i < bucket.rules.size(); ++i) {
    const uint64_t bit = uint64_t{1} << (i % 64);
    const Pattern& pattern = rules_[bucket.rules[i]].pattern;
    const auto is_choosy = [&](const Operand& operand) {
      return !operand.optional_ && !operand.rest_ && !AcceptedBy(operand).any_result;
    };
    const Operand* needed = nullptr;
    if (pattern.any_order_ && pattern.alternatives_.empty()) {
      const auto found = std::ranges::find_if(*pattern.operands_, is_choosy);
      if (found != pattern.operands_->end()) needed = &*found;
    }
    if (needed == nullptr) {
      not_needing[i / 64] |= bit;
      continue;
    }
    some = true;
    const Accepted accepted = AcceptedBy(*needed);
    for (uint32_t kind = 0; kind < kinds; ++kind) {
      if (accepted.Takes(kind)) needing[kind * bucket.words + i / 64] |= bit;
    }
  }
  if (!some) return;
  bucket.needing = std::move(needing);
  bucket.not_needing = std::move(not_needing);
}

RuleIndex::RuleIndex(const RuleSet& rules, const ir::Model& model) : rules_(rules) {
  for (uint32_t i = 0; i < rules.classes_.size(); ++i) {
    const auto& [domain, op] = rules.classes_[i];
    const ir::Name name = model.Intern(op);
    classes_[KeyOf(model.Intern(domain), name)] = i + 1;
    if (domain.empty()) classes_[KeyOf(model.Intern("ai.onnx"), name)] = i + 1;
  }
}

std::span<const uint32_t> RuleIndex::RulesAt(const ir::Node& node) const {
  return rules_.buckets_[ClassOf(node)].rules;
}

uint32_t RuleIndex::ClassOf(const ir::Node& node) const {
  const auto it = classes_.find(KeyOf(node.domain(), node.op()));
  return it == classes_.end() ? RuleSet::kOther : it->second;
}

uint64_t RuleIndex::Satisfied(const RuleSet::Bucket& bucket, const ir::Node& node,
                              size_t word) const {
  if (node.num_inputs() > RuleSet::kIndexedOperands) return ~uint64_t{0};
  uint64_t satisfied = bucket.not_needing[word];
  for (size_t i = 0; i < node.num_inputs(); ++i) {
    satisfied |= bucket.needing[KindOf(node.input(i)) * bucket.words + word];
  }
  return satisfied;
}

uint32_t RuleIndex::KindOf(const ir::Value* value) const {
  if (value == nullptr) return RuleSet::kOmitted;
  switch (value->kind()) {
    case ir::Value::Kind::kGraphInput:
      return RuleSet::kGraphInput;
    case ir::Value::Kind::kInitializer:
      return RuleSet::kInitializer;
    case ir::Value::Kind::kCapture:
      return RuleSet::kCapture;
    case ir::Value::Kind::kNodeOutput:
      break;
  }
  return RuleSet::kResultOf + ClassOf(*value->producer());
}

}  // namespace lathe::passes
