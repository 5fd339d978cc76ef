// Generated LSTMs and GRUs.
#include <bit>

#include <gtest/gtest.h>

#include "generated.h"

namespace lathe::test {
namespace {

class RecurrentGenerator {
 public:
  explicit RecurrentGenerator(uint32_t seed) : make_(seed) {}

  void Check(bool lstm, const std::string& what) {
    const int64_t gates = lstm ? 4 : 3;
    wide_ = make_.Chance(0.3);
    hidden_ = make_.Int(1, 8);
    columns_ = gates * hidden_;
    const int64_t steps = make_.Int(1, 5), batch = make_.Int(1, 3), width = make_.Int(1, 10);
    const int64_t way = make_.Int(0, 2);
    const int64_t directions = way == 2 ? 2 : 1;
    const std::vector<int64_t> state = {directions, batch, hidden_};

    std::vector<Fed> fed = {{"x", {steps, batch, width}, make_.Floats(steps * batch * width)}};
    std::vector<ir::Value*> inputs = {
        &graph_.Input("x", fed[0].dims),
        &graph_.Constant("w", make_.AnyWeights({directions, columns_, width}, 2)),
        &graph_.Constant("r", make_.AnyWeights({directions, columns_, hidden_}, 2)),
        State("initial_h", state, fed)};
    if (lstm) inputs.push_back(State("initial_c", state, fed));
    inputs.push_back(make_.Chance(0.7)
                         ? &graph_.Constant("b", make_.Bias({directions, 2 * columns_}))
                         : nullptr);
    inputs.push_back(Lengths(batch, steps));
    inputs.push_back(nullptr);
    inputs.push_back(&Words(gates));

    ir::NodeSpec spec;
    spec.op = lstm ? "BasicLSTMInplaceFillWindowCache" : "BasicGRUInplaceFillWindowCache";
    spec.name = "layer";
    spec.inputs = std::move(inputs);
    spec.outputs = {"y", "y_h"};
    if (lstm) spec.outputs.emplace_back("y_c");
    const std::string ways[] = {"forward", "reverse", "bidirectional"};
    spec.attributes = {{"direction", ways[way]},
                       {"hidden_size", hidden_},
                       {"quant_dtype", int64_t{wide_ ? 6 : 2}},
                       {"quant_scale_x", QuantScale()},
                       {"quant_offset_x", QuantOffset()},
                       {"quant_scale_h", QuantScale()},
                       {"quant_offset_h", QuantOffset()}};
    if (make_.Chance(0.3)) spec.attributes.emplace_back("clip", make_.Float(0.5f, 2.0f));
    if (lstm && make_.Chance(0.3)) spec.attributes.emplace_back("input_forget", int64_t{1});
    if (!lstm) spec.attributes.emplace_back("linear_before_reset", make_.Int(0, 1));
    const ir::Node& node =
        graph_.rewriter.CreateNode(graph_.model->graph(), nullptr, std::move(spec));
    for (ir::Value* output : node.outputs()) graph_.Output(*output);
    CheckGenerated(graph_, fed, what);
  }

 private:
  float QuantScale() { return wide_ ? make_.Float(1000.0f, 9000.0f) : make_.Float(5.0f, 80.0f); }
  float QuantOffset() {
    return static_cast<float>(wide_ ? make_.Int(-32768, 32767) : make_.Int(-128, 127));
  }

  // Absent, constant or fed.
  ir::Value* State(const std::string& name, const std::vector<int64_t>& dims,
                   std::vector<Fed>& fed) {
    if (make_.Chance(0.3)) return nullptr;
    std::vector<float> data = make_.Floats(CountOf(dims));
    if (make_.Chance(0.5)) return &graph_.Constant(name, ir::Tensor::Of(dims, data));
    fed.push_back({name, dims, std::move(data)});
    return &graph_.Input(name, dims);
  }

  ir::Value* Lengths(int64_t batch, int64_t steps) {
    if (make_.Chance(0.6)) return nullptr;
    std::vector<int32_t> lengths;
    for (int64_t i = 0; i < batch; ++i) {
      lengths.push_back(static_cast<int32_t>(make_.Int(0, steps)));
    }
    return &graph_.Constant("lengths", ir::Tensor::Of({batch}, lengths));
  }

  // One a column or one a gate, such that gates are neither all shut nor all open.
  ir::Value& Words(int64_t gates) {
    const int64_t count = 2 * (make_.Chance(0.5) ? columns_ : gates);
    std::vector<uint64_t> words;
    for (int64_t i = 0; i < count; ++i) {
      words.push_back(std::bit_cast<uint32_t>(make_.Float(1e-5f, 1e-4f) * (wide_ ? 0.01f : 1.0f)));
    }
    return graph_.Constant("words", ir::Tensor::Of({count}, words));
  }

  Generator make_;
  GraphBuilder graph_;
  bool wide_ = false;
  int64_t hidden_ = 0;
  int64_t columns_ = 0;
};

TEST(IntegerFuzz, Recurrent) {
  for (int i = 0; i < Rounds(200); ++i) {
    const bool lstm = i % 2 == 0;
    RecurrentGenerator(static_cast<uint32_t>(5000 + i))
        .Check(lstm, (lstm ? "LSTM " : "GRU ") + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace lathe::test
