#include "lathe/passes/core/model_form.h"

#include <gtest/gtest.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

// The form of x → Relu → a node of the operator.
std::string FormWith(const std::string& op, const std::string& name) {
  GraphBuilder net;
  ir::Value* relu = net.Op("Relu", "relu", {net.Input("x")});
  net.Output(net.Op(op, name, {relu}));
  const RecognizedForm form = RecognizeForm(net.model());
  return std::string(FormText(form.form)) + "|" + form.Evidence();
}

TEST(ModelForm, IsToldByOperatorsAndNames) {
  EXPECT_EQ(FormWith("Neg", "n"), "float model|");
  EXPECT_EQ(FormWith("Round", "round"), "float model|");
  EXPECT_EQ(FormWith("AscendDequant", "n"), "deploy model|node 'n' is AscendDequant");
  EXPECT_EQ(FormWith("Round", "conv.fakequant.round"),
            "fake-quant model|node 'conv.fakequant.round' is Round");
  EXPECT_EQ(FormWith("QuantizeLinear", "n"), "QDQ model|node 'n' is QuantizeLinear");
  EXPECT_EQ(FormWith("RetrainQuant", "n"),
            "model in the middle of a quantisation run|node 'n' is RetrainQuant");
  EXPECT_EQ(FormWith("OFMRQuant", "n"),
            "model in the middle of a quantisation run|node 'n' is OFMRQuant");
  for (const char* domain : {"amct.customop", "amct.customop.extfp16"}) {
    GraphBuilder net;
    ir::Node* node = net.Node("SearchN", "n", {net.Input("x")});
    net.rewriter().SetOperator(*node, "SearchN", domain);
    net.Output(node->output());
    EXPECT_EQ(RecognizeForm(net.model()).form, ModelForm::kIntermediate) << domain;
  }
}

TEST(ModelForm, AModifiedModelMarksItsLayers) {
  GraphBuilder net;
  ir::Node* conv = net.Node("Conv", "conv", {net.Input("x"), net.Init("w", {2, 2, 1, 1})});
  net.Output(conv->output());
  EXPECT_FALSE(FactHolds(net.model(), facts::kWeightsRounded));
  net.rewriter().SetAttribute(*conv, "op_data_type", std::string("int8"));
  const RecognizedForm form = RecognizeForm(net.model());
  EXPECT_EQ(form.form, ModelForm::kModified);
  EXPECT_EQ(form.Evidence(), "node 'conv' has op_data_type");
  EXPECT_TRUE(FactHolds(net.model(), facts::kWeightsRounded));
  EXPECT_FALSE(FactHolds(net.model(), facts::kFakeQuantLowered));
}

TEST(ModelForm, AFakeQuantModelIsAFact) {
  GraphBuilder net;
  net.Output(net.Op("Round", "conv.fakequant.round", {net.Input("x")}));
  EXPECT_TRUE(FactHolds(net.model(), facts::kFakeQuantLowered));
  EXPECT_FALSE(FactHolds(net.model(), facts::kAscendLowered));
}

}  // namespace
}  // namespace lathe::passes
