// Nets of one operator that may change nothing: y = Erf(v) with v made from the graph input x;
// where v equals x, y reads x afterwards.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {

using Ints = std::vector<int64_t>;

// A net with an input x : f32[2,n,1,5], where n is a symbol, and short ways to make constants.
class Net : public GraphBuilder {
 public:
  Net() {
    SetOpset(18);
    x = Typed(ir::ElementType::kFloat32, "x");
  }

  void SetOpset(int64_t version) { rewriter().MutableInfo().opset_imports = {{"", version}}; }

  ir::Value* Typed(ir::ElementType element, const std::string& name) {
    const ir::Shape shape = {ir::Dim::Known(2), ir::Dim::Symbol("n"), ir::Dim::Known(1),
                             ir::Dim::Known(5)};
    return &rewriter().AddGraphInput(graph(), model().Intern(name),
                                     model().Intern(ir::Type::Tensor(element, shape)));
  }
  template <typename T>
  ir::Value* Const(Ints dims, const std::vector<T>& values) {
    return &rewriter().CreateInitializer(graph(), "c", ir::Tensor::Of(std::move(dims), values));
  }
  ir::Value* Floats(const std::vector<float>& values) {
    return Const<float>({static_cast<int64_t>(values.size())}, values);
  }
  ir::Value* Integers(const Ints& values) {
    return Const<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  ir::Value* Scalar(float value) { return Const<float>({}, {value}); }
  ir::Value* Bool(bool value) {
    return &rewriter().CreateInitializer(graph(), "b", ir::Tensor::Scalar(value));
  }
  ir::Value* One(const std::string& op, std::vector<ir::Value*> inputs,
                 std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    return Op(op, "v", std::move(inputs), std::move(attributes));
  }

  ir::Value* x;
};
struct NoOpCase {
  const char* name;
  const char* pass;
  bool goes;
  ir::Value* (*make)(Net& net);
};

inline void PrintTo(const NoOpCase& each, std::ostream* out) { *out << each.name; }

inline std::string NameOf(const testing::TestParamInfo<NoOpCase>& info) { return info.param.name; }

// Whether the node goes or stays, by its family alone and by all together; nothing is left to do.
inline void GoesOrStays(const NoOpCase& each) {
  for (const std::string pass : {each.pass, "eliminate-no-ops"}) {
    Net net;
    ir::Value* v = each.make(net);
    ir::Value* y = net.Op("Erf", "y", {v});
    net.Output(y);
    const auto report = RunWith(net.model(), "infer-shapes{list=false}," + pass, {});
    ASSERT_TRUE(report.ok()) << FormatError(report.status());
    EXPECT_EQ(report->passes.back().changed, each.goes) << Listing(net.graph());
    const ir::Value* read = y->producer()->input(0);
    EXPECT_EQ(read == net.graph().inputs().back(), each.goes) << Listing(net.graph());
    const auto again = RunWith(net.model(), pass, {});
    ASSERT_TRUE(again.ok());
    EXPECT_FALSE(again->changed);
  }
}

}  // namespace lathe::passes
