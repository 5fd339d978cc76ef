#include "lathe/passes/rewrite/internal/check_pattern.h"

#include <set>

#include "lathe/support/quoted.h"

namespace lathe::passes {

class PatternChecker {
 public:
  Status Check(const Pattern& root) {
    LATHE_RETURN_IF_ERROR(CheckNode(root, /*is_root=*/true));
    for (const std::string_view name : shared_) {
      if (!values_.contains(name)) {
        return InvalidInput("AlsoUser asks for readers of {}, which no operand binds",
                            Quoted(name));
      }
    }
    return OkStatus();
  }

 private:
  Status CheckNode(const Pattern& pattern, bool is_root) {
    if (pattern.operators_.empty()) return InvalidInput("a node has no operator");
    for (const std::string& op : pattern.operators_) {
      if (op.empty()) return InvalidInput("an operator has no name");
    }
    const std::string place = fmt::format("{}", fmt::join(pattern.operators_, " or "));
    if (pattern.first_opset_ > pattern.last_opset_) {
      return InvalidInput("{}: no opset is in {} to {}", place, pattern.first_opset_,
                          pattern.last_opset_);
    }
    if (pattern.any_order_ && !pattern.operands_) {
      return InvalidInput("{}: AnyOrder needs operands", place);
    }
    if (!pattern.alternatives_.empty() && (pattern.operands_ || !pattern.domain_.empty())) {
      return InvalidInput("{}: operands and domain belong to the alternatives of OneOf", place);
    }
    if (is_root && pattern.only_consumer_) {
      return InvalidInput("{}: OnlyConsumerIsMatch is for operands, not for the root", place);
    }
    if (!is_root && (pattern.no_escape_ || !pattern.other_users_.empty())) {
      return InvalidInput("{}: {} is for the root", place,
                          pattern.no_escape_ ? "NoEscape" : "AlsoUser");
    }
    for (const Pattern& alternative : pattern.alternatives_) {
      LATHE_RETURN_IF_ERROR(CheckNode(alternative, is_root));
    }
    if (pattern.operands_) LATHE_RETURN_IF_ERROR(CheckList(*pattern.operands_, place));
    for (const auto& result : pattern.results_) {
      LATHE_RETURN_IF_ERROR(CheckOperand(result.value, place));
      if (result.value.rest_) return InvalidInput("{}: a result cannot be a Rest", place);
    }
    for (const auto& body : pattern.bodies_) {
      LATHE_RETURN_IF_ERROR(CheckList(body.outputs, place));
    }
    for (const auto& user : pattern.other_users_) {
      shared_.insert(user.shared);
      LATHE_RETURN_IF_ERROR(CheckNode(user.pattern, /*is_root=*/false));
    }
    return OkStatus();
  }

  Status CheckList(const std::vector<Operand>& operands, std::string_view place) {
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i].rest_ && i + 1 != operands.size()) {
        return InvalidInput("{}: operand {} is a Rest, and not the last", place, i);
      }
      LATHE_RETURN_IF_ERROR(CheckOperand(operands[i], place));
    }
    return OkStatus();
  }

  Status CheckOperand(const Operand& operand, std::string_view place) {
    if (!operand.bind_.empty() && !operand.rest_) values_.insert(operand.bind_);
    if (operand.shape_) {
      for (const DimPattern& dim : *operand.shape_) {
        if (dim.extent_ && *dim.extent_ < 0) {
          return InvalidInput("{}: a shape has the extent {}", place, *dim.extent_);
        }
      }
    }
    if (operand.producer_ != nullptr) {
      LATHE_RETURN_IF_ERROR(CheckNode(*operand.producer_, /*is_root=*/false));
    }
    for (const Operand& alternative : operand.alternatives_) {
      if (alternative.rest_) return InvalidInput("{}: an alternative is a Rest", place);
      LATHE_RETURN_IF_ERROR(CheckOperand(alternative, place));
    }
    if (operand.each_ == nullptr) return OkStatus();
    if (operand.each_->rest_) return InvalidInput("{}: a Rest of a Rest", place);
    return CheckOperand(*operand.each_, place);
  }

  std::set<std::string_view> values_;
  std::set<std::string_view> shared_;
};

Status CheckPattern(const Pattern& pattern) { return PatternChecker().Check(pattern); }

}  // namespace lathe::passes
