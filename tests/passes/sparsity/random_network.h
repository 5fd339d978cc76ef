// Networks of residual, concat, grouped, split and other structures, for the fuzzer of pruning.
#pragma once

#include <random>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {

class RandomNetwork : public GraphBuilder {
 public:
  explicit RandomNetwork(uint32_t seed) : random_(seed) {
    ir::Value* x = Input("x", {1, 3, kSize, kSize});
    values_.push_back({Layer(x, 3, 8), 8});
    const int steps = 4 + Below(14);
    for (int i = 0; i < steps; ++i) Step();
    // Most of what nobody uses yet ends in a layer, a little is an output itself.
    int outputs = 0;
    for (const Channels& value : std::vector<Channels>(values_)) {
      if (value.value->has_uses()) continue;
      Output(Below(12) == 0 ? value.value : Head(value));
      ++outputs;
    }
    if (outputs == 0) Output(Head(values_.back()));
  }

  ir::Tensor RandomInput() { return Random({1, 3, kSize, kSize}); }

 private:
  static constexpr int64_t kSize = 3;
  struct Channels {
    ir::Value* value;
    int64_t count;
  };

  int Below(int count) { return static_cast<int>(random_() % static_cast<uint32_t>(count)); }
  std::string Name(const std::string& kind) { return kind + std::to_string(next_++); }
  Channels Pick() { return values_[static_cast<size_t>(Below(static_cast<int>(values_.size())))]; }
  void Push(ir::Value* value, int64_t count) { values_.push_back({value, count}); }

  ir::Tensor Random(const std::vector<int64_t>& dims) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = std::normal_distribution<float>()(random_);
    return ir::Tensor::Of(dims, values);
  }
  ir::Value* Constant(const std::vector<int64_t>& dims) {
    return &rewriter().CreateInitializer(graph(), Name("k"), Random(dims));
  }
  ir::Value* Integers(const std::vector<int64_t>& values) {
    return &rewriter().CreateInitializer(
        graph(), Name("i"), ir::Tensor::Of({static_cast<int64_t>(values.size())}, values));
  }

  ir::Value* Layer(ir::Value* x, int64_t cin, int64_t cout, int64_t group = 1) {
    const int64_t kernel = Below(2) == 0 ? 1 : 3;
    std::vector<ir::Value*> inputs = {x, Constant({cout, cin / group, kernel, kernel})};
    if (Below(2) == 0) inputs.push_back(Constant({cout}));
    const int64_t pad = kernel / 2;
    return Op("Conv", Name("conv"), inputs,
              {{"group", group}, {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
  }

  ir::Value* Norm(ir::Value* x, int64_t c) {
    std::vector<float> variance(static_cast<size_t>(c), 1.5f);
    ir::Value* var =
        &rewriter().CreateInitializer(graph(), Name("v"), ir::Tensor::Of({c}, variance));
    return Op("BatchNormalization", Name("bn"),
              {x, Constant({c}), Constant({c}), Constant({c}), var});
  }

  ir::Value* Head(const Channels& from) {
    ir::Value* x = from.value;
    int64_t features = from.count;
    switch (Below(4)) {
      case 0:
        return Layer(x, from.count, 2 + Below(3));
      case 1:
        x = Op("GlobalAveragePool", Name("gap"), {x});
        x = Op("Flatten", Name("flat"), {x});
        break;
      case 2:
        x = Op("Flatten", Name("flat"), {x});
        features *= kSize * kSize;
        break;
      default:
        features *= kSize * kSize;
        x = Op("Reshape", Name("reshape"), {x, Integers({1, Below(2) == 0 ? -1 : features})});
        break;
    }
    const int64_t hidden = 6;
    if (Below(2) == 0) {
      x = Op("MatMul", Name("matmul"), {x, Constant({features, hidden})});
      x = Op("Add", Name("bias"), {x, Constant({hidden})});
    } else {
      x = Op("Gemm", Name("gemm"), {x, Constant({hidden, features}), Constant({hidden})},
             {{"transB", int64_t{1}}});
    }
    x = Op("Relu", Name("relu"), {x});
    return Op("Gemm", Name("gemm"), {x, Constant({hidden, 2}), Constant({2})});
  }

  void Step() {
    const Channels from = Pick();
    ir::Value* x = from.value;
    const int64_t c = from.count;
    static constexpr int64_t kCounts[] = {4, 6, 8, 8, 8, 12, 24};
    switch (Below(20)) {
      case 0:
      case 1:
      case 2: {
        const int64_t cout = kCounts[Below(7)];
        return Push(Layer(x, c, cout), cout);
      }
      case 3:
        return Push(Norm(x, c), c);
      case 4:
        return Push(Op("Relu", Name("relu"), {x}), c);
      case 5: {
        const int64_t group = c % 4 == 0 && Below(2) == 0 ? 4 : 2;
        if (c % group != 0) return;
        const int64_t cout = 2 * group * (1 + Below(2));
        return Push(Layer(x, c, cout, group), cout);
      }
      case 6: {
        const int64_t multiplier = Below(4) == 0 ? 2 : 1;
        return Push(Layer(x, c, c * multiplier, c), c * multiplier);
      }
      case 7:
      case 8:
      case 9:
        return Combine("Add", from);
      case 10:
      case 11: {
        std::vector<ir::Value*> inputs = {x};
        int64_t count = c;
        for (int i = 0; i <= Below(2); ++i) {
          const Channels other = Pick();
          inputs.push_back(other.value);
          count += other.count;
        }
        if (count > 64) return;
        return Push(Op("Concat", Name("concat"), inputs, {{"axis", int64_t{1}}}), count);
      }
      case 12: {
        if (c < 4) return;
        const int64_t first = Below(2) == 0 ? c / 2 : 1 + Below(static_cast<int>(c) - 1);
        ir::Node* split = Node("Split", Name("split"), {x, Integers({first, c - first})},
                               {{"axis", int64_t{1}}}, 2);
        Push(split->output(0), first);
        return Push(split->output(1), c - first);
      }
      case 13: {
        if (c < 4) return;
        const int64_t start = Below(static_cast<int>(c) - 2);
        const int64_t end = start + 1 + Below(static_cast<int>(c - start));
        ir::Value* slice = Op("Slice", Name("slice"),
                              {x, Integers({start}), Integers({Below(2) == 0 ? end : end - c}),
                               Integers({Below(2) == 0 ? 1 : -3})});
        return Push(slice, CountOfSlice(slice, start, end, c));
      }
      case 14:
        return Push(Op("PRelu", Name("prelu"), {x, Constant({c, 1, 1})}), c);
      case 15:
        return Push(Op("Mul", Name("scale"), {x, Constant({1, c, 1, 1})}), c);
      case 16:
        return Below(2) == 0 ? Combine("Mul", from) : Push(Op("Sigmoid", Name("sig"), {x}), c);
      case 17: {
        ir::Value* pads = Integers({0, Below(2), 0, 0, 0, Below(3), 0, 0});
        const auto amounts = *pads->tensor().ValuesAsInt64();
        return Push(Op("Pad", Name("pad"), {x, pads}), c + amounts[1] + amounts[5]);
      }
      case 18: {
        // Channels to the last axis, a product over them or over rows, and back.
        const std::vector<int64_t> there = {0, 2, 3, 1};
        const std::vector<int64_t> back = {0, 3, 1, 2};
        ir::Value* last = Op("Transpose", Name("there"), {x}, {{"perm", there}});
        const int64_t cout = kCounts[Below(7)];
        ir::Value* product = Op("MatMul", Name("matmul"), {last, Constant({c, cout})});
        return Push(Op("Transpose", Name("back"), {product}, {{"perm", back}}), cout);
      }
      default:
        // Not followed: every element sees its neighbours.
        return Push(Op("Tile", Name("tile"), {x, Integers({1, 2, 1, 1})}), 2 * c);
    }
  }

  // An end of c - c is 0: empty; such a slice takes everything instead.
  int64_t CountOfSlice(ir::Value* slice, int64_t start, int64_t end, int64_t c) {
    ir::Node& node = *slice->producer();
    if ((*node.input(2)->tensor().ValuesAsInt64())[0] == 0) {
      rewriter().SetInput(node, 2, Integers({c}));
      return c - start;
    }
    return end - start;
  }

  void Combine(const std::string& op, const Channels& from) {
    std::vector<ir::Value*> fitting;
    for (const Channels& other : values_) {
      if (other.count == from.count) fitting.push_back(other.value);
    }
    ir::Value* other = fitting[static_cast<size_t>(Below(static_cast<int>(fitting.size())))];
    // Two fresh layers meet more often than chance has it.
    if (Below(2) == 0) other = Layer(values_[0].value, values_[0].count, from.count);
    Push(Op(op, Name("join"), {from.value, other}), from.count);
  }

  std::mt19937 random_;
  std::vector<Channels> values_;
  int next_ = 0;
};

}  // namespace lathe::passes
