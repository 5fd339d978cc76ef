// Generated layers and small nets: the runtime gives the bytes of the slow evaluator, on every
// instruction set, for any number of threads and any batch.
#include <gtest/gtest.h>

#include "generated.h"

namespace lathe::test {
namespace {

TEST(IntegerFuzz, Convolutions) {
  for (int i = 0; i < Rounds(300); ++i) {
    Generator make(static_cast<uint32_t>(i));
    GraphBuilder graph;
    std::vector<int64_t> dims = {make.Int(1, 3), make.Int(1, 20)};
    const int64_t axes = make.Chance(0.6) ? 2 : make.Int(1, 3);
    for (int64_t axis = 0; axis < axes; ++axis) dims.push_back(make.Int(1, 7));
    const std::vector<int64_t> fed = dims;
    ir::Value& x = graph.Input("x", dims);
    ir::Value& q = make.Quant(graph, x, "quant", true);
    ir::Value& y = make.Conv(graph, q, dims, "layer", make.Chance(0.25), true);
    make.End(graph, y);
    CheckGenerated(graph, {{"x", fed, make.Floats(CountOf(fed))}},
                   "convolution " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

TEST(IntegerFuzz, Pools) {
  for (int i = 0; i < Rounds(300); ++i) {
    Generator make(static_cast<uint32_t>(2000 + i));
    GraphBuilder graph;
    const std::vector<int64_t> dims = {make.Int(1, 3), make.Int(1, 70), make.Int(3, 7),
                                       make.Int(3, 7)};
    ir::Value* x = &graph.Input("x", dims);
    x = &make.Quant(graph, *x, "quant", true);
    const float offset = x->producer()->FloatAttribute("offset", 0);
    const std::string type = x->producer()->StringAttribute("dst_type", "");
    if (make.Chance(0.4)) {
      const std::vector<int64_t> pads = {0, 0, make.Int(0, 2), 1, 0, 0, 1, make.Int(0, 2)};
      x = &graph.Node("Pad", "pad", {x, &graph.Constant("pads", ir::Tensor::Of({8}, pads))});
    }
    const std::vector<int64_t> kernel = {make.Int(1, 3), make.Int(1, 3)};
    const std::vector<int64_t> pads = {kernel[0] / 2, 0, 0, kernel[1] / 2};
    const std::vector<int64_t> strides = {make.Int(1, 2), make.Int(1, 2)};
    if (make.Chance(0.5)) {
      x = &graph.Node("AveragePool", "pool", {x},
                      {{"kernel_shape", kernel},
                       {"pads", pads},
                       {"strides", strides},
                       {"count_include_pad", make.Int(0, 1)}});
      x = &make.Dequant(graph, *x, "dequant", 1, false, false, true);
    } else {
      x = &graph.Node("MaxPool", "pool", {x},
                      {{"kernel_shape", kernel}, {"pads", pads}, {"strides", strides}});
      x = &graph.Node("AscendAntiQuant", "anti", {x},
                      {{"scale", 0.013f}, {"offset", offset}, {"dst_type", type}});
    }
    make.End(graph, *x);
    CheckGenerated(graph, {{"x", dims, make.Floats(CountOf(dims))}}, "pool " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

// A window that sees only what a Pad wrote: the offset, which 4 bits need not hold.
TEST(IntegerPools, APadBelowTheRangeOfFourBits) {
  GraphBuilder graph;
  const std::vector<int64_t> dims = {1, 1, 2, 2};
  ir::Value* x = &graph.Node("AscendQuant", "quant", {&graph.Input("x", dims)},
                             {{"scale", 5.0f}, {"offset", -93.0f}, {"dst_type", "INT4"}});
  const std::vector<int64_t> pads = {0, 0, 2, 0, 0, 0, 0, 0};
  x = &graph.Node("Pad", "pad", {x, &graph.Constant("pads", ir::Tensor::Of({8}, pads))});
  x = &graph.Node("MaxPool", "pool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  x = &graph.Node("AscendAntiQuant", "anti", {x},
                  {{"scale", 0.5f}, {"offset", -93.0f}, {"dst_type", "INT4"}});
  graph.Output(*x, ir::ElementType::kFloat32);
  CheckGenerated(graph, {{"x", dims, {20.0f, 1.0f, -3.0f, 7.0f}}}, "pool");
}

// Several layers with branches, additions, pools and several readers of one value.
TEST(IntegerFuzz, Nets) {
  for (int i = 0; i < Rounds(200); ++i) {
    Generator make(static_cast<uint32_t>(3000 + i));
    GraphBuilder graph;
    std::vector<int64_t> dims = {make.Int(1, 4), make.Int(1, 8), make.Int(4, 9), make.Int(4, 9)};
    const std::vector<int64_t> fed = dims;
    ir::Value* x = &graph.Input("x", dims);
    std::vector<std::pair<ir::Value*, std::vector<int64_t>>> earlier;
    const int64_t layers = make.Int(2, 6);
    for (int64_t layer = 0; layer < layers; ++layer) {
      const std::string name = "n" + std::to_string(layer);
      ir::Value& q = make.Quant(graph, *x, name + ".quant", false);
      x = &make.Conv(graph, q, dims, name, false, false);
      if (make.Chance(0.3)) x = &make.Activation(graph, *x, name + ".before");
      for (const auto& [other, shape] : earlier) {
        if (shape != dims || !make.Chance(0.7)) continue;
        x = make.Chance(0.5) ? &graph.Node("Add", name + ".add", {x, other})
                             : &graph.Node("Add", name + ".add", {other, x});
        break;
      }
      if (make.Chance(0.2)) {
        x = &graph.Node("Concat", name + ".concat", {x, x}, {{"axis", int64_t{1}}});
        dims[1] *= 2;
      }
      if (make.Chance(0.2)) {
        std::vector<float> factors = make.Floats(dims[1]);
        x = &graph.Node(
            make.Chance(0.5) ? "Mul" : "Add", name + ".channels",
            {x, &graph.Constant(name + ".c", ir::Tensor::Of({dims[1], 1, 1}, factors))});
      }
      x = &make.Activation(graph, *x, name + ".after");
      if (dims[2] > 2 && dims[3] > 2 && make.Chance(0.2)) {
        x = &graph.Node("MaxPool", name + ".pool", {x},
                        {{"kernel_shape", std::vector<int64_t>{2, 2}},
                         {"strides", std::vector<int64_t>{1, 1}}});
        --dims[2];
        --dims[3];
      }
      earlier.emplace_back(x, dims);
      if (make.Chance(0.2)) {
        // A second layer on the same value, which keeps its shape.
        ir::Value& again = make.Quant(graph, *x, name + ".quant2", false);
        std::vector<int64_t> side = dims;
        graph.Output(make.Conv(graph, again, side, name + ".side", false, false));
      }
    }
    if (make.Chance(0.5)) {
      x = &graph.Node("Flatten", "flatten", {x});
      ir::Value& q = make.Quant(graph, *x, "fc.quant", false);
      const int64_t depth = dims[1] * dims[2] * dims[3];
      ir::Value& sums =
          graph.Node("Gemm", "fc", {&q, &graph.Constant("fc.w", make.AnyWeights({depth, 5}, 0))});
      x = &make.Dequant(graph, sums, "fc.dequant", 5, false, true, false);
    } else if (make.Chance(0.5)) {
      x = &graph.Node("GlobalAveragePool", "average", {x});
    }
    graph.Output(*x);
    CheckGenerated(graph, {{"x", fed, make.Floats(CountOf(fed))}}, "net " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lathe::test
