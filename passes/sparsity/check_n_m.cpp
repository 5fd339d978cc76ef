#include "lathe/passes/sparsity/check_n_m.h"

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/sparsity/sparse_weight.h"
#include "lathe/quant/config/prune_settings.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Proves that the weights of layers follow an N:M pattern, and changes nothing: of every `m` weights along the input
channels (of each group), at least `n` are zero. It is an error where they do not, with the layer and the weight.

    %w = [0, -0.9, 0.5, 0, 0.3, 0.3]      m=4, n=2: [0, -0.9, 0.5, 0] holds, and so does [0.3, 0.3, (0, 0)]

The last group of an axis is filled up with zeros, as where the mask is made (the reference's 8.6): an axis of two
asks for none.

Conditions:
- `layers` names Conv or ConvTranspose layers of two spatial axes, Gemm or MatMul; none named: nothing is proved;
- weights are floats: it comes before quantisation, which keeps zeros.
)";

StatusOr<bool> Run(PassContext& context) {
  const quant::NmPattern pattern = {context.options().Get<int64_t>("m"),
                                    context.options().Get<int64_t>("n")};
  if (pattern.pruned < 1 || pattern.group <= pattern.pruned) {
    return InvalidInput("n is {} and m is {}: n is above 0 and below m", pattern.pruned,
                        pattern.group);
  }
  const auto& names = context.options().Get<std::vector<std::string>>("layers");
  absl::flat_hash_set<std::string_view> wanted(names.begin(), names.end());
  for (const QuantLayer& layer : ScanLayers(context.model()).layers) {
    if (wanted.erase(layer.name) == 0) continue;
    if (const auto reason = quant::WhyNotSelectivePrune(layer.type)) {
      return InvalidInput("layer {}: {}", Quoted(layer.name), *reason);
    }
    LATHE_ASSIGN_OR_RETURN(const std::vector<float> weight,
                           layer.weight->value()->ConstantTensor().ValuesAsFloat());
    if (const auto at = quant::FindNmViolation(weight, InputAxis(layer), pattern)) {
      return WithContext(InvalidInput("the group of weights that begins at element {} has fewer "
                                      "than {} zeros of {}",
                                      *at, pattern.pruned, pattern.group),
                         ErrorContext::kNode, layer.name);
    }
    context.Count("proved");
  }
  for (const std::string& name : names) {
    if (wanted.contains(name)) return InvalidInput("the model has no layer {}", Quoted(name));
  }
  return false;
}

}  // namespace

const PassDescriptor& CheckNmPass() {
  static const PassDescriptor kPass = {
      .name = "check-n-m",
      .summary = "Prove that weights follow an N:M pattern",
      .description = kDescription,
      .options = {{"layers", "names of the layers to look at", std::vector<std::string>()},
                  {"m", "weights in a group", int64_t{4}},
                  {"n", "zeros among them, at least", int64_t{2}}},
      .statistics = {{"proved", "layers whose weights follow the pattern"}},
      .requires_facts = {facts::kSparsityApplied},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kChannelsPruned, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
