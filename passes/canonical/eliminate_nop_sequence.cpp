#include "lathe/passes/canonical/eliminate_nop_sequence.h"

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes what takes out of a sequence or an optional what was just put in:

    %s = SequenceConstruct(%a, %b)         %y = Relu(%b)
    %c = SequenceAt(%s, 1)                 %z = Abs(%a)
    %y = Relu(%c)
    %o = Optional(%a)
    %d = OptionalGetElement(%o)
    %z = Abs(%d)

What it was put into goes with the dead nodes.

Conditions, one of:
- SequenceAt: the operand is the result of SequenceConstruct, and the position is constant and in range;
- OptionalGetElement: the operand is the result of Optional of a value, or is no optional but a tensor or sequence.
)";

ir::Value* ElementOfSequence(const ir::Node& at) {
  const ir::Node* sequence = at.input(0) == nullptr ? nullptr : at.input(0)->producer();
  if (sequence == nullptr || !sequence->Is("SequenceConstruct")) return nullptr;
  const auto position = ConstantInts(at.input(1));
  if (!position || position->size() != 1) return nullptr;
  const auto count = static_cast<int64_t>(sequence->num_inputs());
  const int64_t index = position->front() < 0 ? position->front() + count : position->front();
  return index >= 0 && index < count ? sequence->input(static_cast<size_t>(index)) : nullptr;
}

ir::Value* ElementOfOptional(const ir::Node& get) {
  ir::Value* input = get.input(0);
  if (input == nullptr) return nullptr;
  const ir::Node* optional = input->producer();
  if (optional != nullptr && optional->Is("Optional") && optional->num_inputs() == 1) {
    return optional->input(0);
  }
  const ir::Type::Kind kind = input->type().kind;
  return kind == ir::Type::Kind::kTensor || kind == ir::Type::Kind::kSequence ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopSequenceRules() {
  return {NoOpRule("drop-sequence-at", {"SequenceAt"}, "takes an operand of SequenceConstruct",
                   ElementOfSequence),
          NoOpRule("drop-optional-get", {"OptionalGetElement"}, "takes what is there",
                   ElementOfOptional)};
}

const PassDescriptor& EliminateNopSequencePass() {
  static const PassDescriptor kPass = NoOpPass<NopSequenceRules>(
      "eliminate-nop-sequence", "Remove taking out of a sequence what was just put in",
      kDescription);
  return kPass;
}

}  // namespace lathe::passes
