#include "lathe/passes/lowering/insert_ascend_dequant.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/quant/dequant_word.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Brings the integer result of each marked layer back to real numbers:

    %y = Conv(%q, ...)        %acc = Conv(%q, ...)
                              %y = AscendDequant(%acc, %param) {dtype = 0}

The parameter `<layer>.dequant.param` holds one 64-bit word a channel, or one: the float32 bits of
scale_w[c] * scale_d in the low half (the reference's 5.2), cut to 10 mantissa bits when the record asks for
FORCE_FP16_QUANT; where the record has shift_bit, bits 32 to 39 hold it (the ONNX flavour's 2.4). A MatMul with
a bias is followed by AscendDequant after its Add. A graph output keeps its name: the layer's own output is
then called `<node>_output0`. Layers of type LSTM and GRU are left to their own lowering.
)";

ir::Tensor DequantParam(const LayerFactors& factors) {
  const bool truncate = factors.record->fakequant_precision_mode == "FORCE_FP16_QUANT";
  const std::vector<uint32_t>& shifts = factors.record->shift_bit;
  std::vector<uint64_t> words;
  for (size_t i = 0; i < factors.record->scale_w.size(); ++i) {
    quant::DequantParam param;
    param.deq_scale = quant::DequantScale(factors.record->scale_w[i], factors.scale_d);
    if (truncate) param.deq_scale = quant::TruncateDequantScale(param.deq_scale);
    // As many as scales, and small (CheckRecord).
    if (i < shifts.size()) param.shift = static_cast<uint8_t>(shifts[i]);
    words.push_back(quant::EncodeDequantWord(param));
  }
  ir::TensorNotes notes;
  notes.typed_field = true;  // uint64_data, where the reference writes it
  return ir::Tensor::Of({static_cast<int64_t>(words.size())}, words).WithNotes(std::move(notes));
}

void Insert(ir::Rewriter& rewriter, const QuantLayer& layer, const LayerFactors& factors) {
  ir::Value& accumulator = *layer.result();
  ir::Node& producer = *accumulator.producer();
  ir::Graph& graph = *producer.graph();
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  ir::Value& param =
      rewriter.CreateInitializer(graph, layer.name + ".dequant.param", DequantParam(factors));
  ir::NodeSpec spec;
  spec.op = "AscendDequant";
  spec.name = layer.name + ".dequant";
  spec.inputs = {&accumulator, &param};
  spec.attributes = {{"dtype", int64_t{0}}};
  ir::Node& node = rewriter.CreateNode(graph, producer.next(), std::move(spec));
  ir::Value& result = *node.output();
  rewriter.SetType(result, accumulator.type_ref());
  if (accumulator.is_graph_output()) {
    const ir::Name output_name = accumulator.name();
    rewriter.Rename(accumulator,
                    rewriter.model().UniqueValueName(producer.display_name() + "_output0"));
    rewriter.Rename(result, output_name);
    if (accumulator.notes() != nullptr) rewriter.SetNotes(result, *accumulator.notes());
  }
  for (ir::Use* use = accumulator.first_use(); use != nullptr;) {
    ir::Use* next = use->next_use();
    if (use->user() != &node) rewriter.ReplaceUse(*use, &result);
    use = next;
  }
  if (accumulator.type().is_tensor()) {
    rewriter.SetType(accumulator, rewriter.model().Intern(ir::Type::Tensor(
                                      ir::ElementType::kInt32, accumulator.type().shape)));
  }
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    Insert(context.rewriter(), layer, factors);
    context.Count("inserted");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& InsertAscendDequantPass() {
  static const PassDescriptor kPass = {
      .name = "insert-ascend-dequant",
      .summary = "Bring the integer results of marked layers back to reals with AscendDequant",
      .description = kDescription,
      .options = {},
      .statistics = {{"inserted", "AscendDequant nodes inserted"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {facts::kAscendLowered},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
