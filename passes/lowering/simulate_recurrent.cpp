#include "lathe/passes/lowering/simulate_recurrent.h"

#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/recurrent_factors.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Lets each marked LSTM and GRU, whose weights are integers by now, compute on the real values that its
integers stand for, since standard operators have no integer form of it (the reference's 6.2):

    LSTM(%x, %w, %r, %b, %lens, %h, %c)
        ->  LSTM(AscendAntiQuant(AscendQuant(%x)), %w', %r', %b', %lens,
                 AscendAntiQuant(AscendQuant(%h)), %c)

    w' = w * scale_w[c]    b' = (b * (scale_w[c] * scale_d), b * (scale_r[c] * scale_h))

The nodes are called `<layer>.quant` and `<layer>.anti_quant`, those of the hidden state `<layer>.quant1` and
`<layer>.anti_quant1`. Only the first hidden state is rounded; the accelerator rounds that of every step.
Direction and everything else stay as they are; an initial_h that is left out is zero, which no rounding changes.
)";

// One multiplication in float32 each, rounded to the layer's element type.
Status ToReal(ir::Rewriter& rewriter, const ir::Use& use, ir::ElementType element,
              const quant::WeightLayout& layout, const std::vector<float>& scales) {
  const ir::Tensor tensor = use.value()->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> integers, tensor.ValuesAsInt64());
  std::vector<float> values(integers.begin(), integers.end());
  quant::ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    for (size_t i = begin; i < begin + length; ++i) values[i] *= scales[channel];
  });
  SetConstantInput(rewriter, *use.user(), use.index(), FloatTensor(element, tensor.dims(), values));
  return OkStatus();
}

struct Rounding {
  float scale = 1.0f;
  int32_t offset = 0;
  int bits = 8;
  // Of node names: "" or "1".
  std::string suffix;
};

void RoundOperand(ir::Rewriter& rewriter, const QuantLayer& layer, ir::Use& use,
                  ir::ElementType element, const Rounding& rounding) {
  ir::Node& node = *layer.node;
  const std::string type = fmt::format("INT{}", rounding.bits);
  const auto offset = static_cast<float>(rounding.offset);
  ir::NodeSpec quant;
  quant.op = "AscendQuant";
  quant.name = layer.name + ".quant" + rounding.suffix;
  quant.inputs = {use.value()};
  quant.attributes = {
      {"scale", quant::Reciprocal(rounding.scale)}, {"offset", offset}, {"dst_type", type}};
  ir::Value* integer = rewriter.CreateNode(*node.graph(), &node, std::move(quant)).output();
  ir::NodeSpec back;
  back.op = "AscendAntiQuant";
  back.name = layer.name + ".anti_quant" + rounding.suffix;
  back.inputs = {integer};
  back.attributes = {{"scale", rounding.scale}, {"offset", offset}, {"dst_type", type}};
  ir::Value* real = rewriter.CreateNode(*node.graph(), &node, std::move(back)).output();
  const ir::Type& shape = use.value()->type();
  if (shape.is_tensor()) {
    const auto width = rounding.bits == 16 ? ir::ElementType::kInt16 : ir::ElementType::kInt8;
    rewriter.SetType(*integer, rewriter.model().Intern(ir::Type::Tensor(width, shape.shape)));
    rewriter.SetType(*real, rewriter.model().Intern(ir::Type::Tensor(element, shape.shape)));
  }
  rewriter.ReplaceUse(use, real);
}

Status Simulate(ir::Rewriter& rewriter, const QuantLayer& layer, const RecurrentFactors& factors) {
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  const auto element = layer.node->StringAttribute("op_data_type", "") == "float16"
                           ? ir::ElementType::kFloat16
                           : ir::ElementType::kFloat32;
  const quant::LayerRecord& record = *factors.layer.record;
  LATHE_RETURN_IF_ERROR(ToReal(rewriter, *layer.weight, element,
                               layer.Layout(*layer.weight, record.scale_w.size()), record.scale_w));
  LATHE_RETURN_IF_ERROR(ToReal(rewriter, *layer.recurrence, element,
                               layer.Layout(*layer.recurrence, record.scale_r.size()),
                               record.scale_r));
  if (layer.bias != nullptr) {
    LATHE_RETURN_IF_ERROR(ToReal(rewriter, *layer.bias, element,
                                 quant::WeightLayout::AlongAxis(1, 2 * layer.channels, 1),
                                 PerBias(layer, factors.InputScales(), factors.HiddenScales())));
  }
  const int bits = factors.layer.bits.activation;
  RoundOperand(rewriter, layer, *layer.activation, element,
               {factors.layer.scale_d, factors.layer.offset_d, bits, ""});
  if (layer.hidden != nullptr) {
    RoundOperand(rewriter, layer, *layer.hidden, element,
                 {factors.scale_h, factors.offset_h, bits, "1"});
  }
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (!layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(const RecurrentFactors factors, RecurrentFactorsOf(*record, layer.name));
    const Status status = Simulate(context.rewriter(), layer, factors);
    if (!status.ok()) return WithContext(status, ErrorContext::kNode, layer.name);
    context.Count("simulated");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& SimulateRecurrentPass() {
  static const PassDescriptor kPass = {
      .name = "simulate-recurrent",
      .summary = "Let marked LSTM and GRU layers compute on the real values of their integers",
      .description = kDescription,
      .options = {},
      .statistics = {{"simulated", "LSTM and GRU nodes on rounded values"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
