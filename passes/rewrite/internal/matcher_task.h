// What the parts of the matcher share: the tasks, and the refusal of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "lathe/passes/rewrite/internal/matcher.h"

namespace lathe::passes {

// A named part of the pattern, and the one around it.
struct Matcher::Part {
  std::string_view name;
  const Part* outer;
};

struct Matcher::Task {
  enum class Kind {
    kNode,       // `node` fits `pattern`
    kNodeDone,   // its operands do
    kParts,      // its results, bodies and other users from `index` on are left
    kNodeBound,  // and all that is left is to note it
    kOperands,   // the operands of `node` from `index` on fit `list`
    kAnyOrder,   // the same in any order; `taken` leads to the operands given away
    kValue,      // `value` fits `operand`
    kValueDone,  // its producer does
    kEnd,        // everything fits
  };
  Kind kind;
  const Task* next = nullptr;
  const Part* part = nullptr;
  const Pattern* pattern = nullptr;
  ir::Node* node = nullptr;
  const std::vector<Operand>* list = nullptr;
  const Operand* operand = nullptr;
  // Of kNode: the operand through which the node was reached.
  ir::Value* value = nullptr;
  // What the value was before Captured looked outside.
  ir::Value* inner = nullptr;
  Place place = {};
  size_t index = 0;
  const Task* taken = nullptr;
};

// All that is tried for one root; more means that alternatives multiply.
inline constexpr size_t kMostSteps = 20000;

template <typename MakeText>
bool Matcher::Refuse(const ir::Node* node, const Part* part, bool by_condition, MakeText text) {
  const size_t matched = match_.nodes_.size();
  if (refused_) {
    const bool further = matched != refusal_.matched_nodes ? matched > refusal_.matched_nodes
                                                           : by_condition && !refusal_.by_condition;
    if (!further) return false;
  }
  refused_ = true;
  // The outputs of a body are those of its owner.
  refusal_.node = node != nullptr && node->is_return() ? node->graph()->owner() : node;
  refusal_.by_condition = by_condition;
  refusal_.matched_nodes = matched;
  if (!explain_) return false;
  refusal_.reason = text();
  if (part == nullptr) return false;
  std::string names(part->name);
  for (part = part->outer; part != nullptr; part = part->outer) {
    names = fmt::format("{}, {}", part->name, names);
  }
  refusal_.reason = fmt::format("in {}: {}", names, refusal_.reason);
  return false;
}

}  // namespace lathe::passes
