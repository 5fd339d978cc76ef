#include "lathe/passes/fusion/fuse_conv_bn.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "lathe/ir/float_values.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/rewrite/rewrite.h"
#include "lathe/quant/weight_layout.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Folds an inference BatchNormalization into the weight and bias of the convolution that feeds it:

    %c = Conv(%x, %w, %b)                                  %c = Conv(%x, %w', %b')
    %y = BatchNormalization(%c, %gamma, %beta, %mean, %var)      (uses of %y become uses of %c)

    r = 1 / sqrt(var + epsilon)      w'[c] = w[c] * (gamma[c] * r[c])
                                     b'[c] = ((b[c] - mean[c]) * r[c]) * gamma[c] + beta[c]

per output channel c, in float32, in this order (the reference's 3.4); a missing bias is 0 and becomes the
initializer `<conv>.bias`. The result is the same function with one operator less, and the weights become
those that are quantised. Weights of float16 are computed in float32 and rounded back once.

Conditions:
- the node is a BatchNormalization with exactly five inputs, one used output, and not in training mode;
- it is fed by a Conv of any rank and group (with `transposed=true` also by a ConvTranspose);
- nothing else uses the convolution's output;
- the convolution is not listed in `skip`, and stands in no local function;
- weight, bias and the four parameters are constants (also behind Identity) of fitting shape;
- the folded weight and bias are finite.
A weight or bias that others use as well is copied first; the others keep theirs.
)";

constexpr NodeHandle kConv{"conv"};
constexpr ValueHandle kWeight{"weight"}, kBias{"bias"}, kScale{"scale"}, kShift{"B"}, kMean{"mean"},
    kVar{"var"};

bool IsInference(const ir::Node& bn) { return bn.IntAttribute("training_mode", 0) == 0; }

bool OnlyFirstResultIsUsed(const ir::Node& bn) {
  return std::ranges::none_of(bn.outputs().subspan(1), &ir::Value::has_uses);
}

// Channels of the output and how the weight maps to them; nothing when the weight's shape makes no
// sense.
std::optional<quant::WeightLayout> LayoutOf(const ir::Node& conv, const ir::Tensor& weight) {
  const auto dims = weight.dims();
  if (dims.size() < 3 || weight.num_elements() == 0) return std::nullopt;
  int64_t inner = 1;
  for (const int64_t dim : dims.subspan(2)) inner *= dim;
  if (conv.Is("Conv")) return quant::WeightLayout::AlongAxis(1, dims[0], dims[1] * inner);
  const int64_t group = conv.IntAttribute("group", 1);
  if (group < 1 || dims[0] % group != 0) return std::nullopt;
  return quant::WeightLayout::ConvTranspose(dims[0], dims[1], inner, group);
}

bool ChannelsFit(const Match& match) {
  const auto layout = LayoutOf(match[kConv], match.Constant(kWeight));
  if (!layout) return false;
  return std::ranges::all_of(std::array{kBias, kScale, kShift, kMean, kVar}, [&](auto handle) {
    const ir::Tensor tensor = match.Constant(handle);
    return !tensor || tensor.num_elements() == layout->channels();
  });
}

// Float32 values.
struct Folded {
  std::vector<float> weight;
  std::vector<float> bias;
};

// The reference's 3.4, in its order of float32 operations. Errors: a weight file was shortened.
StatusOr<Folded> Fold(const Match& match) {
  const ir::Tensor weight = match.Constant(kWeight);
  Folded folded;
  LATHE_ASSIGN_OR_RETURN(folded.weight, weight.ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> gamma, match.Constant(kScale).ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> beta, match.Constant(kShift).ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> mean, match.Constant(kMean).ValuesAsFloat());
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> var, match.Constant(kVar).ValuesAsFloat());
  folded.bias.assign(gamma.size(), 0.0f);
  if (match.Find(kBias) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(folded.bias, match.Constant(kBias).ValuesAsFloat());
  }
  const float epsilon = match.root().FloatAttribute("epsilon", 1e-5f);
  std::vector<float> factor(gamma.size());
  for (size_t c = 0; c < factor.size(); ++c) {
    const float r = 1.0f / std::sqrt(var[c] + epsilon);
    factor[c] = gamma[c] * r;
    folded.bias[c] = ((folded.bias[c] - mean[c]) * r) * gamma[c] + beta[c];
  }
  quant::ForEachRun(*LayoutOf(match[kConv], weight),
                    [&](size_t channel, size_t begin, size_t length) {
                      for (size_t i = begin; i < begin + length; ++i) {
                        folded.weight[i] *= factor[channel];
                      }
                    });
  return folded;
}

// What cannot be read is an error of the rewrite, and no refusal.
bool FoldsToFiniteValues(const Match& match) {
  const StatusOr<Folded> folded = Fold(match);
  const auto is_finite = [](float value) { return std::isfinite(value); };
  return !folded.ok() || (std::ranges::all_of(folded->weight, is_finite) &&
                          std::ranges::all_of(folded->bias, is_finite));
}

Status Rewrite(const Match& match, PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(Folded folded, Fold(match));
  ir::Rewriter& rewriter = context.rewriter();
  ir::Node& bn = match.root();
  ir::Node& conv = match[kConv];
  const ir::Tensor weight = match.Constant(kWeight);
  const std::vector<int64_t> dims(weight.dims().begin(), weight.dims().end());
  SetConstantInput(rewriter, conv, 1,
                   weight.element_type() == ir::ElementType::kFloat32
                       ? ir::TakeFloats(dims, std::move(folded.weight))
                       : FloatTensor(weight.element_type(), dims, folded.weight));
  const int64_t channels[] = {static_cast<int64_t>(folded.bias.size())};
  const ir::Tensor bias = FloatTensor(weight.element_type(), channels, folded.bias);
  if (match.Find(kBias) != nullptr) {
    SetConstantInput(rewriter, conv, 2, bias);
  } else {
    ir::Value& value =
        rewriter.CreateInitializer(*conv.graph(), conv.display_name() + ".bias", bias);
    if (conv.num_inputs() > 2) {
      rewriter.SetInput(conv, 2, &value);
    } else {
      rewriter.AddInput(conv, &value);
    }
  }
  const std::vector<ir::Origin> origins = {conv.origin(), bn.origin()};
  rewriter.SetOrigin(conv, context.model().MergeOrigins(origins));
  std::vector<ir::Value*> parameters;
  for (size_t i = 1; i < 5; ++i) parameters.push_back(bn.input(i));
  rewriter.ReplaceNode(bn, *conv.output());
  for (ir::Value* parameter : parameters) EraseIfUnused(rewriter, *parameter);
  context.Count("folded");
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  const auto& skip = context.options().Get<std::vector<std::string>>("skip");
  const auto parameter = [](ValueHandle handle) {
    return Any(handle).Where("it is a constant of real numbers", [](const ir::Value& value) {
      const ir::Tensor tensor = value.ConstantTensor();
      return tensor && ir::IsFloatingPoint(tensor.element_type());
    });
  };
  const Operand weight =
      Any(kWeight).Where("it is a constant of float32 or float16", [](const ir::Value& value) {
        const ir::Tensor tensor = value.ConstantTensor();
        return tensor && (tensor.element_type() == ir::ElementType::kFloat32 ||
                          tensor.element_type() == ir::ElementType::kFloat16);
      });
  std::vector<std::string> operators = {"Conv"};
  if (context.options().Get<bool>("transposed")) operators.emplace_back("ConvTranspose");
  const Pattern conv =
      Pattern(operators, {Any(), weight, Optional(parameter(kBias))})
          .Bind(kConv)
          .OnlyConsumerIsMatch()
          .Where("it is not listed in skip",
                 [&](const ir::Node& node) {
                   return std::ranges::find(skip, node.display_name()) == skip.end();
                 })
          // Functions have no initializers.
          .Where("it is in no local function",
                 [](const ir::Node& node) { return !InFunction(*node.graph()); });
  const Pattern norm = Op("BatchNormalization", {conv, parameter(kScale), parameter(kShift),
                                                 parameter(kMean), parameter(kVar)})
                           .Where("it is in inference form", IsInference)
                           .Where("its statistics are not used", OnlyFirstResultIsUsed)
                           .WhereMatch("all have as many channels as the weight", ChannelsFit)
                           .WhereMatch("what is folded is finite", FoldsToFiniteValues);
  const RewriteRule rules[] = {{"fold-batch-norm", norm, Rewrite}};
  LATHE_ASSIGN_OR_RETURN(const RewriteResult result, ApplyRules(rules, context));
  context.Count("left", result.refused);
  return result.changed();
}

}  // namespace

const PassDescriptor& FuseConvBnPass() {
  static const PassDescriptor kPass = {
      .name = "fuse-conv-bn",
      .summary = "Fold BatchNormalization into the convolution before it",
      .description = kDescription,
      .options = {{"transposed", "also fold into ConvTranspose, which the reference does not",
                   false},
                  {"skip", "names of convolutions to leave alone", std::vector<std::string>()}},
      .statistics = {{"folded", "BatchNormalization nodes folded"},
                     {"left",
                      "BatchNormalization nodes behind a convolution that a condition left"}},
      .requires_facts = {},
      .establishes = {facts::kConvBnFused},
      .preserves = {facts::kShapesInferred, facts::kWeightsFolded, facts::kSparsityApplied},
      .run = Run,
      .scope = PassScope::kGraphs,
  };
  return kPass;
}

}  // namespace lathe::passes
