#include "lathe/passes/fusion/fuse_conv_bn.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
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
- the convolution is not listed in `skip`;
- weight, bias and the four parameters are constants (also behind Identity) of fitting shape;
- the folded weight and bias are finite.
A weight or bias that others use as well is copied first; the others keep theirs.
)";

struct Match {
  ir::Node* bn;
  ir::Node* conv;
  // Float32 values.
  std::vector<float> weight, bias, gamma, beta, mean, var;
  ir::Tensor weight_tensor;
  quant::WeightLayout layout;
};

bool IsInference(const ir::Node& bn) { return bn.IntAttribute("training_mode", 0) == 0; }

bool HasOneUsedOutput(const ir::Node& bn) {
  return std::ranges::all_of(bn.outputs().subspan(1), [](const ir::Value* output) {
    return output->name().empty() || !output->has_uses();
  });
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

// Why the BatchNormalization is left alone, or nothing and `match` filled in.
StatusOr<std::optional<std::string>> Refusal(ir::Node& bn, const OptionValues& options,
                                             Match* match) {
  using Reason = std::optional<std::string>;
  if (bn.num_inputs() != 5) {
    return Reason(fmt::format("BatchNormalization has {} inputs, not 5", bn.num_inputs()));
  }
  if (!IsInference(bn)) return Reason("BatchNormalization is in training mode");
  if (!HasOneUsedOutput(bn)) return Reason("statistics outputs of BatchNormalization are used");
  ir::Value* input = bn.input(0);
  ir::Node* conv = input == nullptr ? nullptr : input->producer();
  if (conv == nullptr) return Reason("no operator feeds BatchNormalization");
  const bool transposed = conv->Is("ConvTranspose");
  if (!conv->Is("Conv") && !(transposed && options.Get<bool>("transposed"))) {
    return Reason(fmt::format("{} feeds BatchNormalization", conv->op_text()));
  }
  if (!input->has_one_use()) {
    return Reason(
        fmt::format("the output of '{}' has {} uses", conv->display_name(), input->use_count()));
  }
  if (std::ranges::count(options.Get<std::vector<std::string>>("skip"), conv->display_name()) > 0) {
    return Reason(fmt::format("'{}' is listed in skip", conv->display_name()));
  }
  match->bn = &bn;
  match->conv = conv;

  const auto constant = [](const ir::Node& node, size_t i) {
    return node.input(i) == nullptr ? ir::Tensor() : node.input(i)->ConstantTensor();
  };
  match->weight_tensor = constant(*conv, 1);
  if (!match->weight_tensor)
    return Reason(fmt::format("the weight of '{}' is computed", conv->display_name()));
  const auto type = match->weight_tensor.element_type();
  if (type != ir::ElementType::kFloat32 && type != ir::ElementType::kFloat16) {
    return Reason(
        fmt::format("the weight of '{}' is {}", conv->display_name(), ir::ElementTypeName(type)));
  }
  const std::optional<quant::WeightLayout> layout = LayoutOf(*conv, match->weight_tensor);
  if (!layout)
    return Reason(fmt::format("the weight of '{}' has no channels", conv->display_name()));
  match->layout = *layout;
  const auto channels = static_cast<size_t>(layout->channels());

  LATHE_ASSIGN_OR_RETURN(match->weight, match->weight_tensor.ValuesAsFloat());
  if (conv->input(2) == nullptr) {
    match->bias.assign(channels, 0.0f);
  } else {
    const ir::Tensor bias = constant(*conv, 2);
    if (!bias) return Reason(fmt::format("the bias of '{}' is computed", conv->display_name()));
    LATHE_ASSIGN_OR_RETURN(match->bias, bias.ValuesAsFloat());
  }
  std::vector<float>* const parameters[] = {&match->gamma, &match->beta, &match->mean, &match->var};
  static constexpr std::string_view kNames[] = {"scale", "B", "mean", "var"};
  for (size_t i = 0; i < 4; ++i) {
    const ir::Tensor tensor = constant(bn, i + 1);
    if (!tensor)
      return Reason(fmt::format("input {} of BatchNormalization is computed", kNames[i]));
    if (!ir::IsFloatingPoint(tensor.element_type())) {
      return Reason(fmt::format("input {} of BatchNormalization is {}", kNames[i],
                                ir::ElementTypeName(tensor.element_type())));
    }
    LATHE_ASSIGN_OR_RETURN(*parameters[i], tensor.ValuesAsFloat());
    if (parameters[i]->size() != channels) {
      return Reason(fmt::format("input {} of BatchNormalization has {} values for {} channels",
                                kNames[i], parameters[i]->size(), channels));
    }
  }
  if (match->bias.size() != channels) {
    return Reason(fmt::format("the bias of '{}' has {} values for {} channels",
                              conv->display_name(), match->bias.size(), channels));
  }
  return Reason();
}

// The reference's 3.4, in its order of float32 operations.
void Fold(Match& match) {
  const float epsilon = match.bn->FloatAttribute("epsilon", 1e-5f);
  std::vector<float> factor(match.bias.size());
  for (size_t c = 0; c < factor.size(); ++c) {
    const float r = 1.0f / std::sqrt(match.var[c] + epsilon);
    factor[c] = match.gamma[c] * r;
    match.bias[c] = ((match.bias[c] - match.mean[c]) * r) * match.gamma[c] + match.beta[c];
  }
  quant::ForEachRun(match.layout, [&](size_t channel, size_t begin, size_t length) {
    for (size_t i = begin; i < begin + length; ++i) match.weight[i] *= factor[channel];
  });
}

bool AllFinite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Status Rewrite(PassContext& context, Match& match) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Node& conv = *match.conv;
  const ir::ElementType type = match.weight_tensor.element_type();
  SetConstantInput(rewriter, conv, 1, FloatTensor(type, match.weight_tensor.dims(), match.weight));
  const int64_t channels = static_cast<int64_t>(match.bias.size());
  const ir::Tensor bias = FloatTensor(type, std::vector<int64_t>{channels}, match.bias);
  if (conv.input(2) != nullptr) {
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
  ir::Node& bn = *match.bn;
  context.Applied(conv, fmt::format("folded '{}'", bn.display_name()));
  const std::vector<ir::Origin> origins = {conv.origin(), bn.origin()};
  rewriter.SetOrigin(conv, context.model().MergeOrigins(origins));
  std::vector<ir::Value*> parameters;
  for (size_t i = 1; i < 5; ++i) parameters.push_back(bn.input(i));
  rewriter.ReplaceNode(bn, *conv.output());
  for (ir::Value* parameter : parameters) EraseIfUnused(rewriter, *parameter);
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  for (ir::Graph* graph : context.model().AllGraphs()) {
    for (ir::Node* node = graph->first_node(); node != nullptr;) {
      ir::Node* next = node->next();
      if (node->Is("BatchNormalization")) {
        Match match;
        LATHE_ASSIGN_OR_RETURN(std::optional<std::string> refusal,
                               Refusal(*node, context.options(), &match));
        if (!refusal) {
          Fold(match);
          if (!AllFinite(match.weight) || !AllFinite(match.bias)) {
            refusal = "the folded weight or bias would not be finite";
          }
        }
        if (refusal) {
          context.Missed(*node, *refusal);
          context.Count("left");
        } else {
          LATHE_RETURN_IF_ERROR(Rewrite(context, match));
          context.Count("folded");
          changed = true;
        }
      }
      node = next;
    }
  }
  return changed;
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
                     {"left", "BatchNormalization nodes left as they are"}},
      .requires_facts = {},
      .establishes = {facts::kConvBnFused},
      .preserves = {facts::kShapesInferred, facts::kWeightsFolded, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
