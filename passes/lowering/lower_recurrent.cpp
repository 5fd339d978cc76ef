#include "lathe/passes/lowering/lower_recurrent.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/pack_int4.h"
#include "lathe/passes/lowering/recurrent_factors.h"
#include "lathe/quant/affine.h"
#include "lathe/quant/dequant_word.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Replaces each marked LSTM and GRU, whose weights are integers by now, by the accelerator's operator, which
quantises its input and hidden state itself (the reference's 5.8):

    LSTM(%x, %w, %r, %b, %lens, %h, %c)
        ->  BasicLSTMInplaceFillWindowCache(%x, %w, %r, %h, %c, %b, %lens, -, %param)
    GRU(%x, %w, %r, %b, %lens, %h)
        ->  BasicGRUInplaceFillWindowCache(%x, %w, %r, %h, %b, %lens, -, %param)

under the same name, with the same outputs. `<layer>.dequant.param` holds the words of scale_w[c] * scale_d,
then those of scale_r[c] * scale_h; attributes that the float operator leaves out are written with their
defaults, and quant_scale_x, quant_offset_x, quant_scale_h, quant_offset_h and quant_dtype (2 int8, 6 int16)
say how x and h are quantised. 4-bit weights are packed as lower-to-deploy packs those of other layers.
)";

ir::Tensor DequantParam(const RecurrentFactors& factors) {
  const bool truncate = factors.layer.record->fakequant_precision_mode == "FORCE_FP16_QUANT";
  std::vector<uint64_t> words;
  for (const std::vector<float>& scales : {factors.InputScales(), factors.HiddenScales()}) {
    for (const float scale : scales) {
      words.push_back(quant::EncodeDequantWord(
          {.deq_scale = truncate ? quant::TruncateDequantScale(scale) : scale}));
    }
  }
  ir::TensorNotes notes;
  notes.typed_field = true;  // uint64_data, where the reference writes it
  return ir::Tensor::Of({static_cast<int64_t>(words.size())}, words).WithNotes(std::move(notes));
}

// What the float operator leaves out.
void SetDefaults(ir::Rewriter& rewriter, ir::Node& node, bool lstm) {
  const auto set = [&](std::string_view name, ir::AttributeValue value) {
    if (node.FindAttribute(name) == nullptr) rewriter.SetAttribute(node, name, std::move(value));
  };
  set("activation_alpha", std::vector<float>());
  set("activation_beta", std::vector<float>());
  set("activations", std::vector<std::string>());
  set("clip", -1.0f);
  set("direction", std::string("forward"));
  if (lstm) {
    set("input_forget", int64_t{0});
  } else {
    set("linear_before_reset", int64_t{1});
  }
}

void Lower(ir::Rewriter& rewriter, const QuantLayer& layer, const RecurrentFactors& factors) {
  ir::Node& node = *layer.node;
  const bool lstm = node.Is("LSTM");
  const ir::Rewriter::OriginScope origin(rewriter, node);
  ir::Value& param = rewriter.CreateInitializer(*node.graph(), layer.name + ".dequant.param",
                                                DequantParam(factors));
  std::vector<ir::Value*> inputs = {node.input(0), node.input(1), node.input(2), node.input(5)};
  if (lstm) inputs.push_back(node.input(6));
  inputs.insert(inputs.end(), {node.input(3), node.input(4), nullptr, &param});
  // Marks belong to the operands of the float operator.
  for (ir::Use& use : node.inputs()) rewriter.SetAnnotation(use, {});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i < node.num_inputs()) {
      rewriter.SetInput(node, i, inputs[i]);
    } else {
      rewriter.AddInput(node, inputs[i]);
    }
  }
  rewriter.SetOperator(
      node, lstm ? "BasicLSTMInplaceFillWindowCache" : "BasicGRUInplaceFillWindowCache", "");
  if (node.FindAttribute("hidden_size") == nullptr) {
    rewriter.SetAttribute(node, "hidden_size", layer.channels / (lstm ? 4 : 3));
  }
  // Batch-first data was refused: the operator knows no other layout than 0.
  rewriter.RemoveAttribute(node, "layout");
  SetDefaults(rewriter, node, lstm);
  rewriter.SetAttribute(node, "quant_sqrt_mode_x", int64_t{0});
  rewriter.SetAttribute(node, "quant_sqrt_mode_h", int64_t{0});
  rewriter.SetAttribute(node, "quant_scale_x", quant::Reciprocal(factors.layer.scale_d));
  rewriter.SetAttribute(node, "quant_offset_x", static_cast<float>(factors.layer.offset_d));
  rewriter.SetAttribute(node, "quant_scale_h", quant::Reciprocal(factors.scale_h));
  rewriter.SetAttribute(node, "quant_offset_h", static_cast<float>(factors.offset_h));
  rewriter.SetAttribute(node, "quant_dtype", int64_t{factors.layer.bits.activation == 16 ? 6 : 2});
}

// 4-bit weights in pairs along the input features of W and the hidden ones of R.
Status PackWeights(ir::Rewriter& rewriter, const QuantLayer& layer) {
  for (const ir::Use* weight : {layer.weight, layer.recurrence}) {
    LATHE_ASSIGN_OR_RETURN(ir::Tensor packed, PackInt4(weight->value()->ConstantTensor(), 2));
    SetConstantInput(rewriter, *layer.node, weight->index(), std::move(packed));
  }
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (!layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(const RecurrentFactors factors, RecurrentFactorsOf(*record, layer.name));
    if (factors.layer.bits.activation == 4) {
      return WithContext(
          InvalidInput("the accelerator has no {} with 4-bit activations", layer.node->op_text()),
          ErrorContext::kNode, layer.name);
    }
    if (factors.layer.bits.weight == 4) {
      const Status status = PackWeights(context.rewriter(), layer);
      if (!status.ok()) return WithContext(status, ErrorContext::kNode, layer.name);
    }
    Lower(context.rewriter(), layer, factors);
    context.Count("lowered");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& LowerRecurrentPass() {
  static const PassDescriptor kPass = {
      .name = "lower-recurrent",
      .summary = "Replace marked LSTM and GRU layers by the accelerator's operators",
      .description = kDescription,
      .options = {},
      .statistics = {{"lowered", "LSTM and GRU nodes replaced"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
