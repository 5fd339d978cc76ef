#include "lathe/passes/quant/absorb_qdq.h"

#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/qdq.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/layer_rules.h"

namespace lathe::passes {
namespace {

using Reason = std::optional<std::string>;

bool IsCandidate(const ir::Node& node) {
  return (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul")) &&
         node.num_inputs() >= 2 && node.input(0) != nullptr && node.input(1) != nullptr;
}

bool ComesFromDequantize(const ir::Value& value) {
  return value.producer() != nullptr && IsDequantize(*value.producer());
}

// The range of a rounding that Ascend's integer types cannot say, in front of it: Clip in reals,
// whose bounds are whole steps.
ir::Value* Clipped(ir::Rewriter& rewriter, ir::Node& before, ir::Value* value,
                   const QdqRounding& rounding, const std::string& name) {
  const float low = static_cast<float>(rounding.low - rounding.zero) * rounding.scale;
  const float high = static_cast<float>(rounding.high - rounding.zero) * rounding.scale;
  ir::NodeSpec spec;
  spec.op = "Clip";
  spec.name = name;
  constexpr int64_t kBoundsAreInputs = 11;
  if (OpsetOf(before) < kBoundsAreInputs) {
    spec.inputs = {value};
    spec.attributes = {{"min", low}, {"max", high}};
  } else {
    spec.inputs = {value, &MakeConstant(rewriter, before, name + ".min", ir::Tensor::Scalar(low)),
                   &MakeConstant(rewriter, before, name + ".max", ir::Tensor::Scalar(high))};
  }
  ir::Node& node = rewriter.CreateNode(*before.graph(), &before, std::move(spec));
  rewriter.SetType(*node.output(), value->type_ref());
  return node.output();
}

// A rounding in 8 bits, of which 4-bit integers and narrowed ranges are a part.
QdqRounding In8Bits(QdqRounding rounding) {
  if (rounding.bits < 8) rounding.bits = 8;
  return rounding;
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
    const bool input = ComesFromDequantize(*node.input(0)) && !IsQdqConstant(*node.input(0));
    const bool weight = IsQdqConstant(*node.input(1));
    if (!input && !weight) return;
    if (const Reason reason = Absorb(node)) {
      report_.float_layers.push_back({LayerName(node), *reason});
    } else {
      ++report_.layers;
    }
  }

  Reason Absorb(ir::Node& node) {
    if (!ComesFromDequantize(*node.input(0)) || IsQdqConstant(*node.input(0))) {
      return "its input is not quantised";
    }
    auto found = FindQdqPair(*node.input(0)->producer());
    if (const auto* refusal = std::get_if<QdqRefusal>(&found))
      return "its input: " + refusal->reason;
    const auto& pair = std::get<QdqPair>(found);
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
    QdqRounding rounding = pair.rounding;
    if (Reason reason = SetWidths(layer, weight.bits, rounding, entry)) return reason;
    entry.scale_d = rounding.scale;
    entry.offset_d = rounding.zero;
    record_.entries.push_back({layer.name, std::move(entry), std::nullopt});
    ir::Value* source = pair.source();
    if (rounding.clipped()) source = ClippedOnce(pair, rounding);
    rewriter_.ReplaceUse(*layer.activation, source);
    return std::nullopt;
  }

  static Reason SetWeightScales(const QuantLayer& layer, const QdqConstant& weight,
                                quant::LayerRecord& entry) {
    if (weight.scales.size() == 1) {
      entry.scale_w = weight.scales;
    } else if (layer.type == quant::LayerType::kLinear) {
      return "its weight has a scale a channel, a matrix has one";
    } else {
      const bool transposed = layer.node->Is("ConvTranspose");
      if (weight.axis != (transposed ? 1 : 0)) return "its weight's scales lie along another axis";
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
      rounding = In8Bits(rounding);
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
      clipped = Clipped(rewriter_, *pair.quantize, pair.source(), rounding,
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

  void FoldConstants() {
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (!IsDequantize(node) || !IsQdqConstant(*node.output())) return;
      const auto read = ReadQdqConstant(*node.output());
      const auto* constant = std::get_if<QdqConstant>(&read);
      if (constant == nullptr) return;
      const ir::Rewriter::OriginScope origin(rewriter_, node);
      ir::Value& reals = MakeConstant(rewriter_, node, node.display_name() + ".reals",
                                      ir::Tensor::Of(constant->dims, constant->Reals()));
      ir::Value& result = *node.output();
      rewriter_.ReplaceValue(result, reals);
      EraseIfUnused(rewriter_, result);
    });
    // Pairs that only absorbed layers read.
    std::vector<ir::Value*> results;
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (IsDequantize(node)) results.push_back(node.output());
    });
    for (ir::Value* result : results) EraseIfUnused(rewriter_, *result);
  }

  ir::Model& model_;
  ir::Rewriter rewriter_;
  quant::Record& record_;
  QdqReport& report_;
  // By DequantizeLinear; only looked up.
  absl::flat_hash_map<const ir::Node*, ir::Value*> clipped_;
};

class PairLowering {
 public:
  PairLowering(ir::Model& model, QdqReport& report)
      : model_(model), rewriter_(model), report_(report) {}

  void Run() {
    std::vector<ir::Node*> dequantizes;
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (IsDequantize(node)) dequantizes.push_back(&node);
    });
    for (ir::Node* node : dequantizes) {
      const auto found = FindQdqPair(*node);
      if (const auto* refusal = std::get_if<QdqRefusal>(&found)) {
        report_.kept.push_back({node->display_name(), refusal->reason});
      } else {
        Lower(std::get<QdqPair>(found));
        ++report_.pairs;
      }
    }
    VisitNodes(model_.graph(), [&](ir::Node& node) {
      if (IsQuantize(node) && !FeedsDequantize(node)) {
        report_.kept.push_back({node.display_name(),
                                "its integers are used by other operators than DequantizeLinear"});
      }
    });
  }

 private:
  static bool IsReadByDequantize(const ir::Node& node) {
    for (const ir::Use& use : node.output()->uses()) {
      if (!use.user()->is_return() && IsDequantize(*use.user())) return true;
    }
    return false;
  }

  // Then the note is DequantizeLinear's.
  static bool FeedsDequantize(const ir::Node& node) {
    if (IsReadByDequantize(node)) return true;
    for (const ir::Use& use : node.output()->uses()) {
      const ir::Node& user = *use.user();
      if (!user.is_return() && user.Is("Clip") && IsReadByDequantize(user)) return true;
    }
    return false;
  }

  ir::Node& Insert(ir::Node& before, std::string_view op, std::string name, ir::Value* input,
                   float scale, const QdqRounding& rounding, ir::ElementType element) {
    ir::NodeSpec spec;
    spec.op = op;
    spec.name = std::move(name);
    spec.inputs = {input};
    spec.attributes = {{"scale", scale},
                       {"offset", static_cast<float>(rounding.zero)},
                       {"dst_type", fmt::format("INT{}", rounding.bits)}};
    ir::Node& node = rewriter_.CreateNode(*before.graph(), &before, std::move(spec));
    const ir::Type& from = input->type();
    if (from.is_tensor()) {
      rewriter_.SetType(*node.output(), model_.Intern(ir::Type::Tensor(element, from.shape)));
    }
    return node;
  }

  void Lower(const QdqPair& pair) {
    const ir::Rewriter::OriginScope origin(rewriter_, *pair.quantize);
    const QdqRounding rounding = In8Bits(pair.rounding);
    ir::Value* integers = nullptr;
    // One AscendQuant for all pairs that begin with one QuantizeLinear, unless Clips differ.
    auto& known = quantized_[pair.quantize];
    for (const auto& [done, value] : known) {
      if (done == rounding) integers = value;
    }
    if (integers == nullptr) {
      const std::string name = pair.quantize->display_name();
      ir::Value* source = pair.source();
      if (rounding.clipped()) {
        source = Clipped(rewriter_, *pair.quantize, source, rounding, name + ".clip");
      }
      const auto element = rounding.bits == 16 ? ir::ElementType::kInt16 : ir::ElementType::kInt8;
      integers = Insert(*pair.quantize, "AscendQuant", name + ".quant", source,
                        quant::Reciprocal(rounding.scale), rounding, element)
                     .output();
      known.emplace_back(rounding, integers);
    }
    ir::Node& reals =
        Insert(*pair.dequantize, "AscendAntiQuant", pair.dequantize->display_name() + ".anti_quant",
               integers, rounding.scale, rounding, ir::ElementType::kFloat32);
    ir::Value& old = *pair.dequantize->input(0);
    rewriter_.ReplaceNode(*pair.dequantize, *reals.output());
    EraseIfUnused(rewriter_, old);
  }

  ir::Model& model_;
  ir::Rewriter rewriter_;
  QdqReport& report_;
  // By QuantizeLinear; only looked up.
  absl::flat_hash_map<const ir::Node*, std::vector<std::pair<QdqRounding, ir::Value*>>> quantized_;
};

}  // namespace

void AbsorbQdq(ir::Model& model, quant::Record& record, QdqReport& report) {
  Absorber(model, record, report).Run();
}

void LowerQdqPairs(ir::Model& model, QdqReport& report) { PairLowering(model, report).Run(); }

void LowerQdqOutputs(ir::Model& model, QdqReport& report) {
  std::vector<std::pair<ir::Node*, QdqRounding>> found;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    if (!IsQuantize(node) || !node.output()->is_graph_output() || !node.output()->has_one_use()) {
      return;
    }
    const auto rounding = ReadQdqOutput(node);
    if (rounding.has_value()) found.emplace_back(&node, *rounding);
  });
  ir::Rewriter rewriter(model);
  for (const auto& [node, rounding] : found) {
    const std::string name = node->display_name();
    std::erase_if(report.kept, [&](const QdqNote& note) { return note.node == name; });
    const ir::Rewriter::OriginScope origin(rewriter, *node);
    ir::NodeSpec spec;
    spec.op = "AscendQuant";
    spec.name = name + ".quant";
    spec.inputs = {node->input(0)};
    spec.attributes = {{"scale", quant::Reciprocal(rounding.scale)},
                       {"offset", static_cast<float>(rounding.zero)},
                       {"dst_type", std::string("INT8")}};
    ir::Node& quant = rewriter.CreateNode(*node->graph(), node, std::move(spec));
    rewriter.SetType(*quant.output(), node->output()->type_ref());
    rewriter.ReplaceNode(*node, *quant.output());
  }
}

}  // namespace lathe::passes
