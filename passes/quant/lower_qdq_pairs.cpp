#include "lathe/passes/quant/lower_qdq_pairs.h"

#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/qdq_pair.h"

namespace lathe::passes {
namespace {

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

  static bool IsEqual(const ir::Node& a, const ir::Node& b) {
    return a.FloatAttribute("scale", 0) == b.FloatAttribute("scale", 0) &&
           a.FloatAttribute("offset", 0) == b.FloatAttribute("offset", 0) &&
           a.StringAttribute("dst_type", "") == b.StringAttribute("dst_type", "");
  }

  // An AscendQuant in place of the QuantizeLinear. An equal one of a layer that reads the same
  // value becomes this one.
  ir::Value* Quantized(ir::Node& quantize, ir::Value* source, const QdqRounding& rounding) {
    const std::string name = quantize.display_name();
    if (rounding.clipped()) {
      source = ClipReals(rewriter_, quantize, source, rounding, name + ".clip");
    }
    const auto element = rounding.bits == 16 ? ir::ElementType::kInt16 : ir::ElementType::kInt8;
    ir::Node* own = &Insert(quantize, "AscendQuant", name + ".quant", source,
                            quant::Reciprocal(rounding.scale), rounding, element);
    std::vector<ir::Node*> equal;
    for (const ir::Use& use : source->uses()) {
      ir::Node& other = *use.user();
      const bool here = !other.is_return() && other.graph() == own->graph() && &other != own;
      if (here && other.Is("AscendQuant") && IsEqual(other, *own)) equal.push_back(&other);
    }
    for (ir::Node* other : equal) {
      if (other->IsBefore(*own)) std::swap(own, other);
      rewriter_.ReplaceNode(*other, *own->output());
    }
    return own->output();
  }

  void Lower(const QdqPair& pair) {
    const ir::Rewriter::OriginScope origin(rewriter_, *pair.quantize);
    const QdqRounding rounding = pair.rounding.In8Bits();
    ir::Value* integers = nullptr;
    // One AscendQuant for all pairs that begin with one QuantizeLinear, unless Clips differ.
    auto& known = quantized_[pair.quantize];
    for (const auto& [done, value] : known) {
      if (done == rounding) integers = value;
    }
    if (integers == nullptr) {
      integers = Quantized(*pair.quantize, pair.source(), rounding);
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
