// Generated matrix products.
#include <gtest/gtest.h>

#include "generated.h"

namespace lathe::test {
namespace {

using Dims = std::vector<int64_t>;

// Axes in front of a matrix: those of `all` from some on, some of them 1.
Dims SomeOf(const Dims& all, Generator& make) {
  Dims some(all.begin() + make.Int(0, static_cast<int64_t>(all.size())), all.end());
  for (int64_t& dim : some) dim = make.Chance(0.3) ? 1 : dim;
  return some;
}

// A bias of a layer's int32 sums; `rows` of 0: the same for all rows.
Dims BiasDims(int64_t rows, int64_t columns, Generator& make) {
  const int64_t width = make.Chance(0.2) ? 1 : columns;
  if (rows > 0 && make.Chance(0.5)) return {rows, width};
  return make.Chance(0.3) ? Dims{1, width} : Dims{width};
}

TEST(IntegerFuzz, MatrixProducts) {
  for (int i = 0; i < Rounds(200); ++i) {
    Generator make(static_cast<uint32_t>(1000 + i));
    GraphBuilder graph;
    const int64_t depth = make.Int(1, 70);
    const int64_t columns = make.Int(1, 150);
    Dims outer;
    for (int64_t k = make.Int(0, 3); k > 0; --k) outer.push_back(make.Int(1, 3));
    Dims dims = SomeOf(outer, make);
    if (!dims.empty() || make.Chance(0.9)) dims.push_back(make.Int(1, 9));
    dims.push_back(depth);
    Dims shape = make.Chance(0.5) ? Dims{} : SomeOf(outer, make);
    shape.insert(shape.end(), {depth, columns});
    ir::Value& q = make.Quant(graph, graph.Input("x", dims), "quant", true);
    ir::Value& w = graph.Constant("w", make.AnyWeights(shape, shape.size() - 2));
    ir::Value* sums = &graph.Node("MatMul", "layer", {&q, &w});
    if (make.Chance(0.5)) {
      // A bias of more axes than the product has would add some.
      const Dims bias_dims = dims.size() == 1 ? Dims{columns} : BiasDims(0, columns, make);
      ir::Value& bias = graph.Constant("b", make.Bias(bias_dims));
      sums = make.Chance(0.5) ? &graph.Node("Add", "add", {sums, &bias})
                              : &graph.Node("Add", "add", {&bias, sums});
    }
    ir::Value& y = make.Dequant(graph, *sums, "dequant", columns, true, true, true);
    make.End(graph, y);
    CheckGenerated(graph, {{"x", dims, make.Floats(CountOf(dims))}},
                   "matrix product " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

TEST(IntegerFuzz, Gemms) {
  for (int i = 0; i < Rounds(150); ++i) {
    Generator make(static_cast<uint32_t>(4000 + i));
    GraphBuilder graph;
    const int64_t rows = make.Int(1, 15);
    const int64_t depth = make.Int(1, 70);
    const int64_t columns = make.Int(1, 150);
    ir::Value& q = make.Quant(graph, graph.Input("x", {rows, depth}), "quant", true);
    const int64_t transposed = make.Int(0, 1);
    const Dims shape = transposed != 0 ? Dims{columns, depth} : Dims{depth, columns};
    std::vector<ir::Value*> inputs = {
        &q, &graph.Constant("w", make.AnyWeights(shape, static_cast<size_t>(transposed)))};
    if (make.Chance(0.7)) {
      inputs.push_back(&graph.Constant("b", make.Bias(BiasDims(rows, columns, make))));
    }
    ir::Value& sums = graph.Node("Gemm", "layer", std::move(inputs), {{"transB", transposed}});
    ir::Value& y = make.Dequant(graph, sums, "dequant", columns, true, true, true);
    make.End(graph, y);
    CheckGenerated(graph, {{"x", {rows, depth}, make.Floats(rows * depth)}},
                   "Gemm " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lathe::test
