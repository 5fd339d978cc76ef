#include "lathe/passes/rewrite/rule_set.h"

#include <algorithm>

namespace lathe::passes {
namespace {

uint64_t KeyOf(ir::Name domain, ir::Name op) {
  return (static_cast<uint64_t>(domain.id) << 32) | op.id;
}

}  // namespace

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

RuleSet::RuleSet(std::span<const RewriteRule> rules) : rules_(rules.begin(), rules.end()) {
  // Every class first: the masks have a row for each.
  std::vector<std::vector<uint32_t>> roots;
  for (const RewriteRule& rule : rules_) {
    reach_ = std::max(reach_, rule.pattern.depth() - 1);
    std::vector<uint32_t>& own = roots.emplace_back();
    for (const std::string& op : rule.pattern.operators_) {
      own.push_back(ClassOf(rule.pattern.domain_, op));
    }
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

uint32_t RuleSet::ClassOf(const std::string& domain, const std::string& op) {
  std::pair<std::string, std::string> key(domain == "ai.onnx" ? std::string() : domain, op);
  const auto [it, inserted] =
      class_ids_.try_emplace(key, static_cast<uint32_t>(classes_.size()) + 1);
  if (inserted) classes_.push_back(std::move(key));
  return it->second;
}

RuleSet::Accepted RuleSet::AcceptedBy(const Operand& operand) {
  Accepted result;
  result.omitted = operand.optional_;
  if (operand.producer_ != nullptr) {
    for (const std::string& op : operand.producer_->operators_) {
      result.results_of.push_back(ClassOf(operand.producer_->domain_, op));
    }
    return result;
  }
  result.initializer = result.capture = true;
  if (operand.constant_) {
    // What Value::ConstantTensor looks through.
    result.results_of = {ClassOf("", "Constant"), ClassOf("", "Identity")};
  } else {
    result.graph_input = result.any_result = true;
  }
  return result;
}

RuleSet::Accepted RuleSet::AcceptedAt(const Pattern& pattern, size_t index) {
  static const Accepted kAnything = {true, true, true, true, true, {}};
  static const Accepted kNothing = {true, false, false, false, false, {}};
  if (!pattern.operands_) return kAnything;
  return index < pattern.operands_->size() ? AcceptedBy((*pattern.operands_)[index]) : kNothing;
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
