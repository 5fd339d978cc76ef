#include "lathe/passes/quant/folded_activation.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace lathe::passes {
namespace {

using quant::AdaActivation;

// The only element of a constant.
std::optional<float> Scalar(const ir::Value* value) {
  const ir::Tensor tensor = value == nullptr ? ir::Tensor() : value->ConstantTensor();
  if (!tensor || tensor.num_elements() != 1) return std::nullopt;
  const auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return std::nullopt;
  return values->front();
}

bool IsAbout(const ir::Value* value, float wanted) {
  const std::optional<float> scalar = Scalar(value);
  return scalar && std::abs(*scalar - wanted) <= 1e-3f * std::abs(wanted);
}

// The node that alone reads the value.
ir::Node* OnlyUser(const ir::Value* value) {
  if (!value->has_one_use()) return nullptr;
  ir::Node* user = value->first_use()->user();
  return user->is_return() ? nullptr : user;
}

// The other operand of a node with two.
ir::Value* Other(const ir::Node& node, const ir::Value* value) {
  return node.input(0) == value ? node.input(1) : node.input(0);
}

// The only user of the value, if it is this operator with a constant operand about `constant`.
ir::Node* Next(const ir::Value* value, std::string_view op, float constant) {
  ir::Node* user = OnlyUser(value);
  if (user == nullptr || !user->Is(op) || user->num_inputs() != 2) return nullptr;
  return IsAbout(Other(*user, value), constant) ? user : nullptr;
}

// x * [value] * 0.5 or the same in another order: the node at the end.
ir::Node* TimesHalfX(const ir::Value* value, const ir::Value* x) {
  ir::Node* first = OnlyUser(value);
  if (first == nullptr || !first->Is("Mul")) return nullptr;
  if (Other(*first, value) == x) return Next(first->output(), "Mul", 0.5f);
  // (0.5 * x) * [value]
  const ir::Node* half = Other(*first, value)->producer();
  const bool matches = half != nullptr && half->Is("Mul") &&
                       ((half->input(0) == x && IsAbout(half->input(1), 0.5f)) ||
                        (half->input(1) == x && IsAbout(half->input(0), 0.5f)));
  return matches ? first : nullptr;
}

// x / sqrt(2) -> Erf -> + 1 -> * x -> * 0.5
ir::Value* MatchErfGelu(const ir::Value* x) {
  for (const ir::Use& use : x->uses()) {
    const ir::Node* div = use.user();
    if (div->is_return() || !div->Is("Div") || use.index() != 0) continue;
    if (!IsAbout(div->input(1), 1.41421354f)) continue;
    const ir::Node* erf = OnlyUser(div->output());
    if (erf == nullptr || !erf->Is("Erf")) continue;
    const ir::Node* add = Next(erf->output(), "Add", 1.0f);
    const ir::Node* end = add == nullptr ? nullptr : TimesHalfX(add->output(), x);
    if (end != nullptr && x->use_count() == 2) return end->output();
  }
  return nullptr;
}

bool IsCube(const ir::Value* value, const ir::Value* x) {
  const ir::Node* node = value->producer();
  if (node == nullptr) return false;
  if (node->Is("Pow")) return node->input(0) == x && IsAbout(node->input(1), 3.0f);
  if (!node->Is("Mul")) return false;
  const ir::Value* rest = node->input(0) == x ? node->input(1) : node->input(0);
  const ir::Node* square = rest->producer();
  return (node->input(0) == x || node->input(1) == x) && square != nullptr && square->Is("Mul") &&
         square->input(0) == x && square->input(1) == x;
}

// 0.79788458 * (x + 0.044715 * x^3) -> Tanh -> + 1 -> * x -> * 0.5
ir::Value* MatchTanhGelu(const ir::Value* x) {
  for (const ir::Use& use : x->uses()) {
    const ir::Node* sum = use.user();
    if (sum->is_return() || !sum->Is("Add")) continue;
    const ir::Node* cubic = Other(*sum, x)->producer();
    if (cubic == nullptr || !cubic->Is("Mul")) continue;
    const bool first = IsAbout(cubic->input(0), 0.044715f);
    if (!first && !IsAbout(cubic->input(1), 0.044715f)) continue;
    if (!IsCube(cubic->input(first ? 1 : 0), x)) continue;
    const ir::Node* scaled = Next(sum->output(), "Mul", 0.79788458f);
    const ir::Node* tanh = scaled == nullptr ? nullptr : OnlyUser(scaled->output());
    if (tanh == nullptr || !tanh->Is("Tanh")) continue;
    const ir::Node* add = Next(tanh->output(), "Add", 1.0f);
    const ir::Node* end = add == nullptr ? nullptr : TimesHalfX(add->output(), x);
    if (end != nullptr) return end->output();
  }
  return nullptr;
}

// The slopes of a PRelu behind the layer: one, or one an output channel on the channels' axis.
std::optional<std::vector<float>> Slopes(const QuantLayer& layer, const ir::Value* slope,
                                         int64_t channels) {
  const ir::Tensor tensor = slope == nullptr ? ir::Tensor() : slope->ConstantTensor();
  if (!tensor) return std::nullopt;
  // From the last axis of the result: 0 for matrix products, else behind the spatial axes.
  const size_t from_end =
      layer.type == quant::LayerType::kLinear
          ? 0
          : static_cast<size_t>(layer.weight->value()->ConstantTensor().rank()) - 2;
  const auto dims = tensor.dims();
  const bool per_channel = dims.size() > from_end && dims[dims.size() - 1 - from_end] == channels &&
                           tensor.num_elements() == channels;
  if (!per_channel && tensor.num_elements() != 1) return std::nullopt;
  auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return std::nullopt;
  return *std::move(values);
}

void MatchActivation(const QuantLayer& layer, int64_t channels, FoldedActivation& folded) {
  const ir::Value* x = folded.result;
  const auto take = [&](AdaActivation activation, ir::Value* result) {
    folded.activation = activation;
    folded.result = result;
  };
  if (ir::Value* gelu = MatchErfGelu(x)) return take(AdaActivation::kGelu, gelu);
  if (ir::Value* gelu = MatchTanhGelu(x)) return take(AdaActivation::kTanhGelu, gelu);
  ir::Node* user = OnlyUser(x);
  if (user == nullptr || user->input(0) != x) return;
  if (user->Is("Relu")) return take(AdaActivation::kRelu, user->output());
  if (user->Is("Sigmoid")) return take(AdaActivation::kSigmoid, user->output());
  if (user->Is("Tanh")) return take(AdaActivation::kTanh, user->output());
  if (user->Is("Clip")) {
    if (Scalar(user->input(1)) == 0.0f && Scalar(user->input(2)) == 6.0f) {
      take(AdaActivation::kClip6, user->output());
    }
  } else if (user->Is("LeakyRelu")) {
    folded.slopes = {user->FloatAttribute("alpha", 0.01f)};
    take(AdaActivation::kLeakyRelu, user->output());
  } else if (user->Is("PRelu")) {
    if (auto slopes = Slopes(layer, user->input(1), channels)) {
      folded.slopes = *std::move(slopes);
      take(AdaActivation::kLeakyRelu, user->output());
    }
  } else if (user->Is("Gelu")) {
    const bool tanh = user->StringAttribute("approximate", "none") == "tanh";
    take(tanh ? AdaActivation::kTanhGelu : AdaActivation::kGelu, user->output());
  }
}

// One value a channel, or nothing when the constant is something else.
StatusOr<std::optional<std::vector<float>>> BiasValues(const ir::Value* value, int64_t channels) {
  const ir::Tensor tensor = value == nullptr ? ir::Tensor() : value->ConstantTensor();
  if (!tensor) return std::nullopt;
  const bool one = tensor.num_elements() == 1;
  const bool fits =
      tensor.rank() > 0 && tensor.dims().back() == channels && tensor.num_elements() == channels;
  if (!one && !fits) return std::nullopt;
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, tensor.ValuesAsFloat());
  if (one) values.resize(static_cast<size_t>(channels), values.front());
  return values;
}

}  // namespace

StatusOr<FoldedActivation> FoldActivation(const QuantLayer& layer) {
  FoldedActivation folded;
  folded.result = layer.node->output();
  const auto dims = layer.weight->value()->ConstantTensor().dims();
  const bool linear = layer.type == quant::LayerType::kLinear;
  const bool transposed_weight = layer.node->IntAttribute("transB", 0) != 0;
  const int64_t channels = !linear             ? layer.channels
                           : transposed_weight ? dims[dims.size() - 2]
                                               : dims.back();
  if (layer.node->Is("MatMul")) {
    ir::Node* add = OnlyUser(folded.result);
    if (add != nullptr && add->Is("Add")) {
      LATHE_ASSIGN_OR_RETURN(auto bias, BiasValues(Other(*add, folded.result), channels));
      if (bias) {
        folded.bias = *std::move(bias);
        folded.result = add->output();
      }
    }
  } else if (layer.bias != nullptr) {
    LATHE_ASSIGN_OR_RETURN(auto bias, BiasValues(layer.bias->value(), channels));
    if (!bias) return InvalidInput("its bias is not one value a channel");
    folded.bias = *std::move(bias);
  }
  MatchActivation(layer, channels, folded);
  return folded;
}

}  // namespace lathe::passes
