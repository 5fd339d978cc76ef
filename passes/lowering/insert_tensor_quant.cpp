#include "lathe/passes/lowering/insert_tensor_quant.h"

#include <string>
#include <utility>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/passes/quant/tensor_point.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Quantises each input of Add and MaxPool that is marked on its own (the ONNX flavour's tensor_quantize) and turns
it back at once, on its edge:

    %y = Add(%a, %b)        %q = AscendQuant(%a) {scale = 1/scale_d, offset = offset_d, dst_type = "INT8"}
                            %a' = AscendAntiQuant(%q) {scale = scale_d, offset = offset_d, dst_type = "INT8"}
                            %y = Add(%a', %b)

The nodes are called `<node>_<input>.quant` and `<node>_<input>.anti_quant` after the Add or MaxPool. The
reference's form is not public; this one is what its accelerator's compiler takes (the ONNX reference's 4, B).
)";

ir::Node& Insert(ir::Rewriter& rewriter, ir::Node& before, ir::NodeSpec spec,
                 ir::ElementType element) {
  const ir::Type& from = spec.inputs[0]->type();
  ir::Node& node = rewriter.CreateNode(*before.graph(), &before, std::move(spec));
  if (from.is_tensor()) {
    rewriter.SetType(*node.output(),
                     rewriter.model().Intern(ir::Type::Tensor(element, from.shape)));
  }
  return node;
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  for (const TensorPoint& point : MarkedTensors(context.model())) {
    LATHE_ASSIGN_OR_RETURN(const TensorFactors factors, TensorFactorsOf(*record, point.key));
    ir::Node& user = *point.use->user();
    const ir::Rewriter::OriginScope origin(rewriter, user);
    const auto offset = static_cast<float>(factors.offset);
    const std::string type = "INT8";
    ir::NodeSpec quant;
    quant.op = "AscendQuant";
    quant.name = point.NodePrefix() + ".quant";
    quant.inputs = {point.use->value()};
    quant.attributes = {
        {"scale", quant::Reciprocal(factors.scale)}, {"offset", offset}, {"dst_type", type}};
    const ir::Node& integers = Insert(rewriter, user, std::move(quant), ir::ElementType::kInt8);
    ir::NodeSpec back;
    back.op = "AscendAntiQuant";
    back.name = point.NodePrefix() + ".anti_quant";
    back.inputs = {integers.output()};
    back.attributes = {{"scale", factors.scale}, {"offset", offset}, {"dst_type", type}};
    const ir::Node& reals = Insert(rewriter, user, std::move(back), ir::ElementType::kFloat32);
    rewriter.ReplaceUse(*point.use, reals.output());
    context.Count("inserted");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& InsertTensorQuantPass() {
  static const PassDescriptor kPass = {
      .name = "insert-tensor-quant",
      .summary = "Round marked inputs of Add and MaxPool with AscendQuant and AscendAntiQuant",
      .description = kDescription,
      .options = {},
      .statistics = {{"inserted", "inputs rounded"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
