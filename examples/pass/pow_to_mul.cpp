#include "pow_to_mul.h"

#include <algorithm>

#include <lathe/passes/core/facts.h>
#include <lathe/passes/rewrite/rewrite.h>

namespace example {
namespace {

using namespace lathe;
using namespace lathe::passes;

constexpr std::string_view kDescription = R"(
Squares that exporters write as a power become a multiplication, which is one instruction where a power is
dozens:

    %p = Pow(%x, 2)        %p = Mul(%x, %x)

Pow(x, 2) is x·x rounded once, and so is Mul(x, x): results stay the same to the last bit.

A Pow is replaced when
- its exponent is a constant scalar (an exponent with dimensions could broadcast), and
- the exponent is 2, and
- its base is float32, and
- its name is not listed in the option `skip`.
)";

constexpr ValueHandle kBase{"base"};
constexpr ValueHandle kExponent{"exponent"};

bool IsScalar(const ir::Value& value) { return value.ConstantTensor().rank() == 0; }

bool IsTwo(const ir::Value& value) {
  const ir::Tensor tensor = value.ConstantTensor();
  if (const StatusOr<std::vector<float>> floats = tensor.ValuesAsFloat(); floats.ok()) {
    return floats->size() == 1 && floats->front() == 2.0F;
  }
  const StatusOr<std::vector<int64_t>> integers = tensor.ValuesAsInt64();
  return integers.ok() && integers->size() == 1 && integers->front() == 2;
}

bool IsFloat(const ir::Value& value) {
  return value.type().is_tensor() && value.type().element == ir::ElementType::kFloat32;
}

Status BuildMul(const Match& match, PassContext& context) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Node& pow = match.root();
  ir::Value& base = match[kBase];
  ir::NodeSpec spec;
  spec.op = "Mul";
  spec.name = pow.name_text();
  spec.inputs = {&base, &base};
  ir::Node& mul = rewriter.CreateNode(*pow.graph(), &pow, std::move(spec));
  rewriter.SetType(*mul.output(), pow.output()->type_ref());
  rewriter.ReplaceNode(pow, *mul.output());
  context.Count("squares");
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  const auto& skip = context.options().Get<std::vector<std::string>>("skip");
  const auto not_skipped = [&](const ir::Node& node) {
    return std::ranges::find(skip, node.display_name()) == skip.end();
  };
  const RewriteRule rules[] = {
      {"square",
       Op("Pow", {Any(kBase).Where("the base is float32", IsFloat),
                  Constant(kExponent)
                      .Where("the exponent is a scalar", IsScalar)
                      .Where("the exponent is 2", IsTwo)})
           .Where("the node is not to be skipped", not_skipped),
       BuildMul},
  };
  LATHE_ASSIGN_OR_RETURN(const RewriteResult result, ApplyRules(rules, context));
  return result.changed();
}

}  // namespace

const PassDescriptor& PowToMulPass() {
  static const PassDescriptor kPass = {
      .name = "pow-to-mul",
      .summary = "Replace Pow(x, 2) by Mul(x, x)",
      .description = kDescription,
      .options = {{"skip", "names of nodes to leave alone", std::vector<std::string>()}},
      .statistics = {{"squares", "powers replaced"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused},
      .run = Run,
      .scope = PassScope::kGraphs,
  };
  return kPass;
}

}  // namespace example
