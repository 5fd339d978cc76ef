// Generated layers and small nets: the runtime gives the bytes of the slow evaluator, on every
// instruction set, for any number of threads and any batch.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "../graphs.h"
#include "lathe/runtime/engine.h"
#include "slow_evaluator.h"

namespace lathe::runtime {
namespace {

using test::GraphBuilder;
using test::SlowValue;

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  int64_t Int(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  bool Chance(double p) { return std::bernoulli_distribution(p)(random_); }
  float Float(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  std::vector<float> Floats(int64_t count) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      // Half of them on rounding edges or out of range.
      const float x = Float(-3.0f, 3.0f);
      values.push_back(Chance(0.2) ? std::round(x * 100) / 100 : Chance(0.05) ? x * 1000 : x);
    }
    return values;
  }

  ir::Tensor Weights(const std::vector<int64_t>& dims) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<int8_t> values;
    const bool extreme = Chance(0.2);
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<int8_t>(extreme ? (Chance(0.5) ? -128 : 127) : Int(-128, 127)));
    }
    return ir::Tensor::Of(dims, values);
  }

  ir::Tensor Bias(int64_t count) {
    std::vector<int32_t> values;
    const bool large = Chance(0.1);
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(
          static_cast<int32_t>(large ? Int(-2147483647, 2147483647) : Int(-100000, 100000)));
    }
    return ir::Tensor::Of({count}, values);
  }

  ir::Value& Quant(GraphBuilder& graph, ir::Value& x, const std::string& name, bool allow_wide) {
    const char* type = allow_wide && Chance(0.2) ? "INT16" : Chance(0.1) ? "INT4" : "INT8";
    const bool wide = std::string(type) == "INT16";
    const int64_t offset = Chance(0.3) ? 0 : wide ? Int(-32768, 32767) : Int(-128, 127);
    return graph.Node("AscendQuant", name, {&x},
                      {{"scale", wide ? Float(1000.0f, 9000.0f) : Float(5.0f, 80.0f)},
                       {"offset", static_cast<float>(offset)},
                       {"dst_type", std::string(type)}});
  }

  ir::Value& Dequant(GraphBuilder& graph, ir::Value& sums, const std::string& name,
                     int64_t channels, bool shifts, bool offsets) {
    std::vector<uint64_t> words;
    const bool shift = shifts && Chance(0.2);
    const bool offset = offsets && Chance(0.05);
    const int64_t count = Chance(0.3) ? 1 : channels;
    for (int64_t i = 0; i < count; ++i) {
      uint64_t word = std::bit_cast<uint32_t>(Float(1e-5f, 1e-3f));
      if (shift) word |= static_cast<uint64_t>(Int(0, 16)) << 32;
      if (offset) word |= static_cast<uint64_t>(Int(0, 255)) << 40;
      words.push_back(word);
    }
    ir::Value& param = graph.Constant(name + ".param", ir::Tensor::Of({count}, words));
    return graph.Node("AscendDequant", name, {&sums, &param}, {{"dtype", int64_t{0}}});
  }

  // A convolution, transposed or not, of a quantised tensor with these dims; returns floats.
  ir::Value& Conv(GraphBuilder& graph, ir::Value& q, std::vector<int64_t>& dims,
                  const std::string& name, bool transposed) {
    const size_t axes = dims.size() - 2;
    const int64_t in = dims[1];
    int64_t groups = 1;
    int64_t out = Int(1, 40);
    if (!transposed && Chance(0.3)) {
      groups = in;
      out = in * (Chance(0.8) ? 1 : 2);
    } else if (in % 2 == 0 && Chance(0.3)) {
      groups = 2;
      out = 2 * Int(1, 20);
    }
    std::vector<int64_t> w = transposed ? std::vector<int64_t>{in, out / groups}
                                        : std::vector<int64_t>{out, in / groups};
    std::vector<int64_t> strides, dilations, pads(2 * axes);
    std::vector<int64_t> next = {dims[0], out};
    for (size_t i = 0; i < axes; ++i) {
      w.push_back(Int(1, std::min<int64_t>(4, dims[i + 2])));
      strides.push_back(Int(1, 3));
      dilations.push_back((w.back() - 1) * 2 + 1 <= dims[i + 2] && Chance(0.2) ? 2 : 1);
      const int64_t covered = (w.back() - 1) * dilations.back() + 1;
      pads[i] = Int(0, covered - 1);
      pads[axes + i] = Int(0, covered - 1);
      if (transposed) {
        const int64_t full = strides[i] * (dims[i + 2] - 1) + covered;
        if (pads[i] + pads[axes + i] >= full) pads[i] = pads[axes + i] = 0;
        next.push_back(full - pads[i] - pads[axes + i]);
      } else {
        next.push_back((dims[i + 2] + pads[i] + pads[axes + i] - covered) / strides[i] + 1);
      }
    }
    std::vector<ir::Value*> inputs = {&q, &graph.Constant(name + ".w", Weights(w))};
    if (Chance(0.7)) inputs.push_back(&graph.Constant(name + ".b", Bias(out)));
    ir::Value& sums = graph.Node(
        transposed ? "ConvTranspose" : "Conv", name, std::move(inputs),
        {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"group", groups}});
    dims = next;
    return Dequant(graph, sums, name + ".dequant", out, true, !transposed);
  }

  ir::Value& Activation(GraphBuilder& graph, ir::Value& x, const std::string& name) {
    switch (Int(0, 4)) {
      case 0:
        return graph.Node("Relu", name, {&x});
      case 1:
        return graph.Node("LeakyRelu", name, {&x}, {{"alpha", 0.1f}});
      case 2:
        return graph.Node("Clip", name,
                          {&x, &graph.Constant(name + ".min", ir::Tensor::Scalar(0.0f)),
                           &graph.Constant(name + ".max", ir::Tensor::Scalar(6.0f))});
      default:
        return x;
    }
  }

 private:
  std::mt19937 random_;
};

// The graph through the slow evaluator and through the runtime on all paths.
void Check(const GraphBuilder& graph, const std::vector<int64_t>& dims, std::vector<float> data,
           const std::string& what) {
  SlowValue input{.dims = dims, .floats = data};
  const auto expected = test::EvaluateSlowly(*graph.model, {{"x", input}});
  const ir::Tensor tensor = ir::Tensor::Of(dims, data);
  for (const integer::Isa isa : integer::AvailableIsas()) {
    const auto engine = MakeEngine({.isa = isa, .note = {}});
    for (const int threads : {1, 3}) {
      const auto compiled =
          engine->Compile(*graph.model, {.taps = {}, .input_shapes = {}, .threads = threads});
      ASSERT_TRUE(compiled.ok()) << what << ": " << FormatError(compiled.status());
      const auto outputs = (*compiled)->Run({&tensor, 1});
      ASSERT_TRUE(outputs.ok()) << what << ": " << FormatError(outputs.status());
      for (size_t i = 0; i < outputs->size(); ++i) {
        const auto* value = graph.model->graph().outputs()[i].value();
        const SlowValue& want = expected.at(std::string(value->name_text()));
        const auto got = (*outputs)[i].ValuesAsFloat();
        ASSERT_TRUE(got.ok()) << what;
        ASSERT_EQ(std::vector<int64_t>((*outputs)[i].dims().begin(), (*outputs)[i].dims().end()),
                  want.dims)
            << what;
        for (size_t k = 0; k < got->size(); ++k) {
          // Zeros of either sign are equal.
          ASSERT_EQ((*got)[k], want.floats[k]) << what << " on " << IsaName(isa) << ", element "
                                               << k << " of '" << value->name_text() << "'";
        }
      }
    }
  }
}

int Rounds(int normal) {
  const char* many = std::getenv("LATHE_FUZZ_ITERATIONS");
  return many == nullptr ? normal : std::max(normal, std::atoi(many) / 100);
}

TEST(IntegerFuzz, Convolutions) {
  for (int i = 0; i < Rounds(500); ++i) {
    Generator make(static_cast<uint32_t>(i));
    GraphBuilder graph;
    std::vector<int64_t> dims = {make.Int(1, 3), make.Int(1, 20)};
    const int64_t axes = make.Chance(0.6) ? 2 : make.Int(1, 3);
    for (int64_t axis = 0; axis < axes; ++axis) dims.push_back(make.Int(1, 7));
    const std::vector<int64_t> fed = dims;
    ir::Value& x = graph.Input("x", dims);
    ir::Value& q = make.Quant(graph, x, "quant", true);
    ir::Value& y = make.Conv(graph, q, dims, "layer", make.Chance(0.25));
    graph.Output(make.Activation(graph, y, "activation"));
    int64_t count = 1;
    for (const int64_t dim : fed) count *= dim;
    Check(graph, fed, make.Floats(count), "convolution " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

TEST(IntegerFuzz, MatrixProducts) {
  for (int i = 0; i < Rounds(400); ++i) {
    Generator make(static_cast<uint32_t>(1000 + i));
    GraphBuilder graph;
    const bool gemm = make.Chance(0.5);
    const int64_t depth = make.Int(1, 70);
    const int64_t columns = make.Int(1, 150);
    std::vector<int64_t> dims = {make.Int(1, 5), depth};
    if (!gemm && make.Chance(0.5)) dims.insert(dims.begin(), make.Int(1, 4));
    ir::Value& x = graph.Input("x", dims);
    ir::Value& q = make.Quant(graph, x, "quant", true);
    const bool transposed = gemm && make.Chance(0.5);
    const std::vector<int64_t> shape =
        transposed ? std::vector<int64_t>{columns, depth} : std::vector<int64_t>{depth, columns};
    std::vector<ir::Value*> inputs = {&q, &graph.Constant("w", make.Weights(shape))};
    const bool bias = make.Chance(0.5);
    if (gemm && bias) inputs.push_back(&graph.Constant("b", make.Bias(columns)));
    std::vector<std::pair<std::string, ir::PlainAttribute>> attributes;
    if (transposed) attributes.emplace_back("transB", int64_t{1});
    ir::Value* sums = &graph.Node(gemm ? "Gemm" : "MatMul", "layer", inputs, attributes);
    if (!gemm && bias) {
      ir::Value& b = graph.Constant("b", make.Bias(columns));
      sums = make.Chance(0.5) ? &graph.Node("Add", "add", {sums, &b})
                              : &graph.Node("Add", "add", {&b, sums});
    }
    ir::Value& y =
        make.Dequant(graph, *sums, "dequant", dims.size() == 2 ? columns : 1, true, false);
    graph.Output(make.Activation(graph, y, "activation"));
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    Check(graph, dims, make.Floats(count), "matrix product " + std::to_string(i));
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
      x = &make.Dequant(graph, *x, "dequant", 1, false, false);
    } else {
      x = &graph.Node("MaxPool", "pool", {x},
                      {{"kernel_shape", kernel}, {"pads", pads}, {"strides", strides}});
      x = &graph.Node("AscendAntiQuant", "anti", {x},
                      {{"scale", 0.013f}, {"offset", offset}, {"dst_type", type}});
    }
    graph.Output(*x);
    Check(graph, dims, make.Floats(dims[0] * dims[1] * dims[2] * dims[3]),
          "pool " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

// Several layers with branches, additions, pools and several readers of one value.
TEST(IntegerFuzz, Nets) {
  for (int i = 0; i < Rounds(300); ++i) {
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
      x = &make.Conv(graph, q, dims, name, false);
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
        graph.Output(make.Conv(graph, again, side, name + ".side", false));
      }
    }
    if (make.Chance(0.5)) {
      x = &graph.Node("Flatten", "flatten", {x});
      ir::Value& q = make.Quant(graph, *x, "fc.quant", false);
      const int64_t depth = dims[1] * dims[2] * dims[3];
      ir::Value& sums =
          graph.Node("Gemm", "fc", {&q, &graph.Constant("fc.w", make.Weights({depth, 5}))});
      x = &make.Dequant(graph, sums, "fc.dequant", 5, false, false);
    } else if (make.Chance(0.5)) {
      x = &graph.Node("GlobalAveragePool", "average", {x});
    }
    graph.Output(*x);
    Check(graph, fed, make.Floats(fed[0] * fed[1] * fed[2] * fed[3]), "net " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lathe::runtime
