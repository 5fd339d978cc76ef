#include "generated.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "lathe/runtime/engine.h"

namespace lathe::test {

int64_t CountOf(const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

namespace {

// What an AscendDequant makes of type float16.
bool IsHalf(const ir::Value& x) { return x.producer()->IntAttribute("dtype", 0) == 1; }

}  // namespace

std::vector<float> Generator::Floats(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    const float x = Float(-3.0f, 3.0f);
    values.push_back(Chance(0.2) ? std::round(x * 100) / 100 : Chance(0.05) ? x * 1000 : x);
  }
  return values;
}

ir::Tensor Generator::Weights(const std::vector<int64_t>& dims) {
  std::vector<int8_t> values;
  const bool extreme = Chance(0.2);
  for (int64_t i = 0; i < CountOf(dims); ++i) {
    values.push_back(static_cast<int8_t>(extreme ? (Chance(0.5) ? -128 : 127) : Int(-128, 127)));
  }
  return ir::Tensor::Of(dims, values);
}

ir::Tensor Generator::AnyWeights(std::vector<int64_t> dims, size_t input_axis) {
  const double kind = Float(0.0f, 1.0f);
  if (kind < 0.7) return Weights(dims);
  if (kind < 0.85) {
    if (dims[input_axis] % 2 != 0) return Weights(dims);
    // Any byte is two 4-bit numbers.
    dims[input_axis] /= 2;
    return Weights(dims);
  }
  std::vector<std::byte> bytes(static_cast<size_t>((CountOf(dims) + 1) / 2));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(Int(0, 255));
  if (CountOf(dims) % 2 != 0) bytes.back() &= std::byte{15};
  return *ir::Tensor::FromVector(ir::ElementType::kInt4, dims, std::move(bytes));
}

ir::Tensor Generator::Bias(const std::vector<int64_t>& dims) {
  std::vector<int32_t> values;
  const bool large = Chance(0.1);
  for (int64_t i = 0; i < CountOf(dims); ++i) {
    values.push_back(
        static_cast<int32_t>(large ? Int(-2147483647, 2147483647) : Int(-100000, 100000)));
  }
  return ir::Tensor::Of(dims, values);
}

ir::Value& Generator::Quant(GraphBuilder& graph, ir::Value& x, const std::string& name,
                            bool allow_wide) {
  const std::string type = allow_wide && Chance(0.2) ? "INT16" : Chance(0.1) ? "INT4" : "INT8";
  const bool wide = type == "INT16";
  const int64_t offset = Chance(0.3) ? 0 : wide ? Int(-32768, 32767) : Int(-128, 127);
  return graph.Node("AscendQuant", name, {&x},
                    {{"scale", wide ? Float(1000.0f, 9000.0f) : Float(5.0f, 80.0f)},
                     {"offset", static_cast<float>(offset)},
                     {"dst_type", type}});
}

ir::Value& Generator::Dequant(GraphBuilder& graph, ir::Value& sums, const std::string& name,
                              int64_t channels, bool shifts, bool offsets, bool halves) {
  std::vector<uint64_t> words;
  const bool shift = shifts && Chance(0.2);
  const bool offset = offsets && Chance(0.15);
  const bool half = halves && Chance(0.15);
  const int64_t count = Chance(0.3) ? 1 : channels;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t word = std::bit_cast<uint32_t>(Float(1e-5f, 1e-3f));
    if (shift) word |= static_cast<uint64_t>(Int(0, 16)) << 32;
    if (offset) word |= static_cast<uint64_t>(Int(0, 255)) << 40;
    words.push_back(word);
  }
  ir::Value& param = graph.Constant(name + ".param", ir::Tensor::Of({count}, words));
  return graph.Node("AscendDequant", name, {&sums, &param}, {{"dtype", int64_t{half ? 1 : 0}}});
}

ir::Value& Generator::Conv(GraphBuilder& graph, ir::Value& q, std::vector<int64_t>& dims,
                           const std::string& name, bool transposed, bool halves) {
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
  std::vector<int64_t> w =
      transposed ? std::vector<int64_t>{in, out / groups} : std::vector<int64_t>{out, in / groups};
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
  std::vector<ir::Value*> inputs = {
      &q, &graph.Constant(name + ".w", AnyWeights(w, transposed ? 0 : 1))};
  if (Chance(0.7)) inputs.push_back(&graph.Constant(name + ".b", Bias({out})));
  ir::Value& sums = graph.Node(
      transposed ? "ConvTranspose" : "Conv", name, std::move(inputs),
      {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"group", groups}});
  dims = next;
  return Dequant(graph, sums, name + ".dequant", out, true, true, halves);
}

ir::Value& Generator::Activation(GraphBuilder& graph, ir::Value& x, const std::string& name) {
  switch (Int(0, 4)) {
    case 0:
      return graph.Node("Relu", name, {&x});
    case 1:
      return graph.Node("LeakyRelu", name, {&x}, {{"alpha", 0.1f}});
    case 2:
      // Its bounds would have to be float16 too.
      if (IsHalf(x)) return x;
      return graph.Node("Clip", name,
                        {&x, &graph.Constant(name + ".min", ir::Tensor::Scalar(0.0f)),
                         &graph.Constant(name + ".max", ir::Tensor::Scalar(6.0f))});
    default:
      return x;
  }
}

void Generator::End(GraphBuilder& graph, ir::Value& x) {
  graph.Output(Activation(graph, x, "activation"),
               IsHalf(x) ? ir::ElementType::kFloat16 : ir::ElementType::kFloat32);
}

void CheckGenerated(const GraphBuilder& graph, const std::vector<Fed>& inputs,
                    const std::string& what) {
  std::map<std::string, SlowValue> values;
  std::vector<ir::Tensor> tensors;
  for (const Fed& fed : inputs) {
    values[fed.name] = {.dims = fed.dims, .floats = fed.data};
    tensors.push_back(ir::Tensor::Of(fed.dims, fed.data));
  }
  const auto expected = EvaluateSlowly(*graph.model, values);
  for (const runtime::integer::Isa isa : runtime::integer::AvailableIsas()) {
    const auto engine = runtime::MakeEngine({.isa = isa, .note = {}});
    for (const int threads : {1, 3}) {
      const auto compiled =
          engine->Compile(*graph.model, {.taps = {}, .input_shapes = {}, .threads = threads});
      ASSERT_TRUE(compiled.ok()) << what << ": " << FormatError(compiled.status());
      const auto outputs = (*compiled)->Run(tensors);
      ASSERT_TRUE(outputs.ok()) << what << ": " << FormatError(outputs.status());
      for (size_t i = 0; i < outputs->size(); ++i) {
        const ir::Tensor& output = (*outputs)[i];
        const auto* value = graph.model->graph().outputs()[i].value();
        const SlowValue& want = expected.at(std::string(value->name_text()));
        const auto got = output.ValuesAsFloat();
        ASSERT_TRUE(got.ok()) << what;
        ASSERT_EQ(std::vector<int64_t>(output.dims().begin(), output.dims().end()), want.dims)
            << what;
        const bool half = output.element_type() == ir::ElementType::kFloat16;
        for (size_t k = 0; k < got->size(); ++k) {
          const float wanted = half ? RoundToHalf(want.floats[k]) : want.floats[k];
          ASSERT_EQ((*got)[k], wanted) << what << " on " << IsaName(isa) << ", element " << k
                                       << " of '" << value->name_text() << "'";
        }
      }
    }
  }
}

int Rounds(int normal) {
  const char* many = std::getenv("LATHE_FUZZ_ITERATIONS");
  return many == nullptr ? normal : std::max(normal, std::atoi(many) / 100);
}

}  // namespace lathe::test
