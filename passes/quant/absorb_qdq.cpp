#include "lathe/passes/quant/absorb_qdq.h"

#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/qdq_constant.h"
#include "lathe/passes/quant/qdq_input.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/layer_rules.h"

namespace lathe::passes {
namespace {

using Reason = std::optional<std::string>;

bool IsCandidate(const ir::Node& node) {
  return (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul")) &&
         node.num_inputs() >= 2 && node.input(0) != nullptr && node.input(1) != nullptr;
}

class Absorber {
 public:
  Absorber(ir::Model& model, quant::Record& record, QdqReport& report)
      : model_(model), rewriter_(model), record_(record), report_(report) {}

  void Run() {
    std::vector<ir::Node*> candidates;
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (IsCandidate(node)) candidates.push_back(&node);
    });
    for (ir::Node* node : candidates) Inspect(*node);
    FoldConstants();
  }

 private:
  void Inspect(ir::Node& node) {
    if (!IsRounded(*node.input(0)) && !IsQdqConstant(*node.input(1))) return;
    if (const Reason reason = Absorb(node)) {
      report_.float_layers.push_back({LayerName(node), *reason});
    } else {
      ++report_.layers;
    }
  }

  static bool IsRounded(const ir::Value& value) {
    return value.producer() != nullptr && IsDequantize(*value.producer()) && !IsQdqConstant(value);
  }

  Reason Absorb(ir::Node& node) {
    if (IsQdqConstant(*node.input(0))) return "its input is not quantised";
    const auto found = FindQdqInput(*node.input(0));
    if (const auto* refusal = std::get_if<QdqRefusal>(&found)) return refusal->reason;
    const auto& input = std::get<QdqInput>(found);
    auto read = ReadQdqConstant(*node.input(1));
    if (const auto* refusal = std::get_if<QdqRefusal>(&read)) {
      return "its weight: " + refusal->reason;
    }
    const auto& weight = std::get<QdqConstant>(read);
    if (weight.bits > 8) return fmt::format("its weight has {} bits", weight.bits);
    if (!weight.symmetric()) return "its weight has a zero point";
    // From here on the constants are real ones, whether the layer is taken or not.
    SetReals(node, 1, weight);
    if (node.num_inputs() > 2 && node.input(2) != nullptr) FoldOperand(node, 2);
    auto inspected = InspectLayer(node);
    if (const auto* refusal = std::get_if<NotALayer>(&inspected)) return refusal->reason;
    const auto& layer = std::get<QuantLayer>(inspected);
    quant::LayerRecord entry;
    if (Reason reason = SetWeightScales(layer, weight, entry)) return reason;
    QdqRounding rounding = input.rounding;
    if (Reason reason = SetWidths(layer, weight.bits, rounding, entry)) return reason;
    entry.scale_d = rounding.scale;
    entry.offset_d = rounding.zero;
    record_.entries.push_back({layer.name, std::move(entry), std::nullopt});
    SetSource(layer, input, rounding);
    return std::nullopt;
  }

  // Lets the layer read what it rounds itself.
  void SetSource(const QuantLayer& layer, const QdqInput& input, const QdqRounding& rounding) {
    ir::Value* source = layer.activation->value();
    if (input.between.empty()) {
      source = rounding.clipped() ? ClippedOnce(input.pair, rounding) : input.pair.source();
    } else if (SinkPair(rewriter_, input) && rounding.clipped()) {
      const ir::Rewriter::OriginScope origin(rewriter_, *layer.node);
      source = ClipReals(rewriter_, *layer.node, source, rounding, layer.name + ".clip");
    }
    rewriter_.ReplaceUse(*layer.activation, source);
  }

  // The axis of output channels.
  static int64_t ChannelAxis(const ir::Node& node, const QdqConstant& weight) {
    if (node.Is("ConvTranspose")) return 1;
    if (node.Is("MatMul")) return static_cast<int64_t>(weight.dims.size()) - 1;
    return node.Is("Gemm") && node.IntAttribute("transB", 0) == 0 ? 1 : 0;
  }

  static Reason SetWeightScales(const QuantLayer& layer, const QdqConstant& weight,
                                quant::LayerRecord& entry) {
    if (weight.scales.size() == 1) {
      entry.scale_w = weight.scales;
    } else {
      if (weight.axis != ChannelAxis(*layer.node, weight)) {
        return "its weight's scales lie along another axis";
      }
      const bool transposed = layer.node->Is("ConvTranspose");
      // Each group has the channels of the axis.
      for (int64_t group = 0; group < (transposed ? layer.group : 1); ++group) {
        entry.scale_w.insert(entry.scale_w.end(), weight.scales.begin(), weight.scales.end());
      }
    }
    entry.offset_w.assign(entry.scale_w.size(), 0);
    return std::nullopt;
  }

  // The widths of the operands; `rounding` becomes what the layer's integers are.
  Reason SetWidths(const QuantLayer& layer, int weight_bits, QdqRounding& rounding,
                   quant::LayerRecord& entry) const {
    const LayerScan alone = {.layers = {layer}, .others = {}, .tensors = {}};
    const quant::LayerDescription description = DescribeNetwork(alone).layers.front();
    if (rounding.zero != 0) {
      if (const quant::Reason reason = quant::WhyNotAsymmetric(layer.type)) return *reason;
    }
    if (rounding.bits == 16) {
      if (const quant::Reason reason = quant::WhyNotInt16(description)) return *reason;
    } else {
      rounding = rounding.In8Bits();
    }
    // Integers of 4 bits that cannot be packed are integers of 8 bits.
    const bool packed = weight_bits == 4 && rounding.bits == 8 &&
                        !quant::WhyNotInt4Weights(description).has_value();
    entry.act_type = fmt::format("INT{}", rounding.bits);
    entry.wts_type = packed ? "INT4" : "INT8";
    return std::nullopt;
  }

  ir::Value* ClippedOnce(const QdqPair& pair, const QdqRounding& rounding) {
    ir::Value*& clipped = clipped_[pair.dequantize];
    if (clipped == nullptr) {
      const ir::Rewriter::OriginScope origin(rewriter_, *pair.quantize);
      clipped = ClipReals(rewriter_, *pair.quantize, pair.source(), rounding,
                          pair.dequantize->display_name() + ".clip");
    }
    return clipped;
  }

  void SetReals(ir::Node& node, size_t input, const QdqConstant& constant) {
    ir::Value& old = *node.input(input);
    const std::string name = node.display_name() + (input == 1 ? ".weight" : ".bias");
    ir::Value& reals =
        MakeConstant(rewriter_, node, name, ir::Tensor::Of(constant.dims, constant.Reals()));
    rewriter_.ReplaceUse(node.inputs()[input], &reals);
    EraseIfUnused(rewriter_, old);
  }

  void FoldOperand(ir::Node& node, size_t input) {
    const auto read = ReadQdqConstant(*node.input(input));
    if (const auto* constant = std::get_if<QdqConstant>(&read)) SetReals(node, input, *constant);
  }

  // Nodes go with those that they alone served, so they are looked up again.
  std::vector<ir::NodeId> Dequantizes() const {
    std::vector<ir::NodeId> ids;
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (IsDequantize(node)) ids.push_back(node.id());
    });
    return ids;
  }

  void FoldConstants() {
    for (const ir::NodeId id : Dequantizes()) {
      ir::Node* node = model_.FindNode(id);
      if (node == nullptr || !IsQdqConstant(*node->output())) continue;
      const auto read = ReadQdqConstant(*node->output());
      const auto* constant = std::get_if<QdqConstant>(&read);
      if (constant == nullptr) continue;
      const ir::Rewriter::OriginScope origin(rewriter_, *node);
      ir::Value& reals = MakeConstant(rewriter_, *node, node->display_name() + ".reals",
                                      ir::Tensor::Of(constant->dims, constant->Reals()));
      ir::Value& result = *node->output();
      rewriter_.ReplaceValue(result, reals);
      EraseIfUnused(rewriter_, result);
    }
    // Pairs that only absorbed layers read.
    for (const ir::NodeId id : Dequantizes()) {
      if (ir::Node* node = model_.FindNode(id); node != nullptr) {
        EraseIfUnused(rewriter_, *node->output());
      }
    }
  }

  ir::Model& model_;
  ir::Rewriter rewriter_;
  quant::Record& record_;
  QdqReport& report_;
  // By DequantizeLinear; only looked up.
  absl::flat_hash_map<const ir::Node*, ir::Value*> clipped_;
};

}  // namespace

void AbsorbQdq(ir::Model& model, quant::Record& record, QdqReport& report) {
  Absorber(model, record, report).Run();
}

}  // namespace lathe::passes
