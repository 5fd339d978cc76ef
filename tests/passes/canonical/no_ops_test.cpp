#include <gtest/gtest.h>

#include "lathe/passes/canonical/eliminate_no_ops.h"
#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

TEST(NoOps, ChainsOfDifferentFamiliesGoInOneWalk) {
  Net net;
  ir::Value* a = net.Op("Tanh", "a", {net.x});
  ir::Value* v = net.Op("Identity", "i", {a});
  v = net.Op("Mul", "m", {v, net.Scalar(1)});
  v = net.Op("Dropout", "d", {v});
  v = net.Op("Sum", "s", {v});
  net.Output(net.Op("Erf", "y", {v}));
  const PassReport report = RunPass(net.model(), "eliminate-no-ops");
  EXPECT_EQ(Statistic(report, "removed"), 4);
  EXPECT_EQ(Listing(net.graph()), "a = Tanh(x)\ny = Erf(a)\nreturn y\n");
}

TEST(NoOps, AGraphOutputKeepsNameAndType) {
  Net net;
  ir::Value* a = net.Op("Tanh", "a", {net.x});
  ir::Value* y = net.Op("Mul", "y", {a, net.Scalar(1)});
  const ir::Type* declared = net.model().Intern(ir::Type::Tensor(ElementType::kFloat32));
  net.rewriter().SetType(*y, declared);
  net.Output(y);
  EXPECT_TRUE(RunPass(net.model(), "eliminate-no-ops").changed);
  EXPECT_EQ(Listing(net.graph()), "y = Tanh(x)\nreturn y\n");
  EXPECT_EQ(net.graph().outputs()[0].value()->type_ref(), declared);
}

TEST(NoOps, AnInputIsNoOutput) {
  Net net;
  net.Output(net.Op("Mul", "y", {net.x, net.Scalar(1)}));
  const PassReport report = RunPass(net.model(), "eliminate-no-ops");
  EXPECT_FALSE(report.changed);
  EXPECT_TRUE(report.remarks.empty());
}

TEST(NoOps, AQuantisationPointStays) {
  Net net;
  ir::Value* v = net.One("MaxPool", {net.x}, {{"kernel_shape", Ints{1, 1}}});
  net.rewriter().SetAnnotation(v->producer()->inputs()[0], net.model().Intern("quantise"));
  net.Output(net.Op("Erf", "y", {v}));
  EXPECT_FALSE(RunPass(net.model(), "eliminate-no-ops").changed);
}

TEST(NoOps, AnAttributeOfAFunctionsCallIsNotKnown) {
  for (const bool reference : {false, true}) {
    GraphBuilder net;
    ir::Model& model = net.model();
    ir::Function& function = net.rewriter().AddFunction(model.Intern("own"), model.Intern("F"), {});
    net.rewriter().SetFunctionInterface(function, {model.Intern("k")}, {}, {{"", 18}});
    ir::Graph& body = function.body();
    ir::Value* x = net.Input(body, "fx", {2, 3});
    ir::Node* flat = net.Node(body, "Flatten", "ff", {x});
    if (reference) {
      ir::Attribute axis;
      axis.name = model.Intern("axis");
      axis.reference = model.Intern("k");
      axis.reference_kind = ir::AttributeKind::kInt;
      net.rewriter().AddAttribute(*flat, std::move(axis));
    }
    net.rewriter().AddGraphOutput(body, net.Node(body, "Erf", "fy", {flat->output()})->output());
    EXPECT_EQ(RunPass(model, "eliminate-no-ops").changed, !reference);
  }
}

TEST(NoOps, BodiesAreVisited) {
  Net net;
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  for (const char* name : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(name), false);
    ir::Value& inner = net.rewriter().Capture(body, *net.x);
    ir::Node* sum = net.Node(body, "Sum", std::string(name) + "s", {&inner});
    ir::Node* erf = net.Node(body, "Erf", std::string(name) + "e", {sum->output()});
    net.rewriter().AddGraphOutput(body, erf->output());
  }
  net.Output(branch->output());
  EXPECT_EQ(Statistic(RunPass(net.model(), "eliminate-no-ops"), "removed"), 2);
}

}  // namespace
}  // namespace lathe::passes
