// LSTM and RNN. ONNX's own have no `cont`, which says for each step and sequence whether it goes on
// (1) or starts anew (0), so the steps are the body of a Scan; what depends on the bottoms alone is
// computed for all steps before it.
#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

// The body of a Scan.
class Body {
 public:
  Body(LayerBuilder& builder, ir::Node& scan)
      : rewriter_(builder.rewriter()),
        layer_(builder.param().name()),
        origin_(scan.origin()),
        graph_(rewriter_.AddBody(scan, rewriter_.model().Intern("body"), false)) {
    rewriter_.SetGraphText(graph_, layer_, "", {});
  }

  ir::Value* Input(std::string_view name) {
    ir::Model& model = rewriter_.model();
    return &rewriter_.AddGraphInput(graph_, Unique(name),
                                    model.Intern(ir::Type::Tensor(ir::ElementType::kFloat32)));
  }
  ir::Value* Outer(ir::Value* value) { return &rewriter_.Capture(graph_, *value); }
  std::vector<ir::Value*> Add(std::string_view name, Op op, size_t results) {
    ir::NodeSpec spec{.op = std::move(op.type),
                      .name = fmt::format("{}/{}", layer_, name),
                      .inputs = std::move(op.inputs),
                      .attributes = std::move(op.attributes)};
    spec.outputs.assign(results, fmt::format("{}/{}", layer_, name));
    ir::Node& node = rewriter_.CreateNode(graph_, nullptr, std::move(spec));
    rewriter_.SetOrigin(node, origin_);
    return {node.outputs().begin(), node.outputs().end()};
  }
  ir::Value* Add(std::string_view name, Op op) { return Add(name, std::move(op), 1)[0]; }
  ir::Value* Binary(std::string_view name, std::string_view op, ir::Value* a, ir::Value* b) {
    return Add(name, {std::string(op), {a, b}});
  }
  void Output(ir::Value* value) { rewriter_.AddGraphOutput(graph_, value); }
  // As an output beside the same value as a state.
  void OutputStep(ir::Value* value) { Output(Add("step", {"Identity", {value}})); }

 private:
  ir::Name Unique(std::string_view name) {
    return rewriter_.model().UniqueValueName(fmt::format("{}/{}", layer_, name));
  }

  ir::Rewriter& rewriter_;
  std::string layer_;
  ir::Origin origin_;
  ir::Graph& graph_;
};

// What LSTM and RNN have in common. Bottoms: x[T, N, ...], cont[T, N], then x_static[N, ...] and
// the states to start with, [1, N, D] each.
class Recurrent {
 public:
  // `states`: how many; `gates`: how many D the hidden transformation has; `last`: blobs behind it.
  Recurrent(LayerBuilder& builder, size_t states, int64_t gates, size_t last)
      : builder_(builder), states_(states), gates_(gates), last_(last) {}

  int64_t outputs() const { return outputs_; }
  const Dims& dims() const { return dims_; }
  bool exposes_states() const { return exposes_states_; }
  size_t blob_behind_hidden() const { return hidden_blob_ + 1; }

  Status Read() {
    const proto::RecurrentParameter& param = builder_.param().recurrent_param();
    exposes_states_ = param.expose_hidden();
    const size_t exposed = exposes_states_ ? states_ : 0;
    LATHE_RETURN_IF_ERROR(builder_.CheckCounts(2 + exposed, 3 + exposed, 1 + exposed, 1 + exposed));
    has_static_ = builder_.num_bottoms() == 3 + exposed;
    hidden_blob_ = has_static_ ? 3 : 2;
    LATHE_RETURN_IF_ERROR(builder_.CheckWeights(hidden_blob_ + 1 + last_));
    outputs_ = param.num_output();
    constexpr int64_t kMostOutputs = 1 << 24;
    if (outputs_ < 1 || outputs_ > kMostOutputs) return InvalidInput("num_output is {}", outputs_);
    if (builder_.rank() < 2) {
      return InvalidInput("bottom {} has no steps and sequences", DimsText(builder_.dims()));
    }
    LATHE_RETURN_IF_ERROR(builder_.RequireKnown(0, 1));
    sequences_ = builder_.dims()[1];
    const Dims& cont = builder_.bottom(1).dims;
    if (cont != Dims{builder_.dims()[0], sequences_}) {
      return InvalidInput("bottom 1 is {}, steps and sequences of bottom 0 are {}", DimsText(cont),
                          DimsText({builder_.dims()[0], sequences_}));
    }
    dims_ = {builder_.dims()[0], sequences_, outputs_};
    return OkStatus();
  }

  // [T, N, gates · D]: all that does not depend on the steps before.
  StatusOr<ir::Value*> Inputs() {
    const int64_t width = gates_ * outputs_;
    const int64_t length = CountOf(builder_.dims(), 2, builder_.dims().size());
    LATHE_ASSIGN_OR_RETURN(ir::Value * weight, builder_.Weight(0, {width, length}, "weight"));
    LATHE_ASSIGN_OR_RETURN(ir::Value * bias, builder_.Weight(1, {width}, "bias"));
    ir::Value* rows = builder_.Add(
        "rows", {"Reshape", {builder_.x(), builder_.Ints("rows_shape", {-1, length})}});
    ir::Value* product =
        builder_.Add("x_transform", {"Gemm", {rows, weight, bias}, {{"transB", int64_t{1}}}});
    ir::Value* steps = builder_.Add(
        "steps", {"Reshape", {product, builder_.Ints("steps_shape", {-1, sequences_, width})}});
    if (!has_static_) return steps;
    const Blob& fixed = builder_.bottom(2);
    LATHE_RETURN_IF_ERROR(builder_.RequireKnown(2, 1));
    const int64_t fixed_length = CountOf(fixed.dims, 1, fixed.dims.size());
    LATHE_ASSIGN_OR_RETURN(ir::Value * fixed_weight,
                           builder_.Weight(2, {width, fixed_length}, "weight_static"));
    ir::Value* fixed_rows =
        builder_.Add("static_rows", {"Flatten", {fixed.value}, {{"axis", int64_t{1}}}});
    ir::Value* every = builder_.Add("static_transform",
                                    {"Gemm", {fixed_rows, fixed_weight}, {{"transB", int64_t{1}}}});
    return builder_.Add("input", {"Add", {steps, every}});
  }

  // [gates · D, D].
  StatusOr<ir::Value*> HiddenWeight() {
    return builder_.Weight(hidden_blob_, {gates_ * outputs_, outputs_}, "weight_hidden");
  }

  // The Scan: its states, then what it walks along. `part`: "" gives it the layer's name.
  ir::Node& MakeScan(ir::Value* inputs) {
    Op scan{"Scan", {}, {{"num_scan_inputs", int64_t{2}}}};
    for (size_t i = 0; i < states_; ++i) scan.inputs.push_back(Start(i));
    scan.inputs.push_back(inputs);
    scan.inputs.push_back(builder_.Add(
        "cont", {"Unsqueeze", {builder_.bottom(1).value, builder_.Ints("cont_axis", {2})}}));
    return builder_.Create("", std::move(scan));
  }

  // Makes the Scan's results tops: the last states, if exposed, and the steps.
  Status Finish(ir::Node& scan) {
    std::vector<ir::Value*> states;
    for (size_t i = 0; i < states_; ++i) {
      states.push_back(builder_.AddResult(scan, fmt::format("last{}", i)));
    }
    builder_.AddTop(0, scan, dims_);
    if (!exposes_states_) return OkStatus();
    for (size_t i = 0; i < states_; ++i) {
      const std::string part = fmt::format("top{}", i + 1);
      ir::Value* axes = builder_.Ints(part + "_axis", {0});
      LATHE_RETURN_IF_ERROR(builder_.FinishTop(i + 1, {"Unsqueeze", {states[i], axes}},
                                               {1, sequences_, outputs_}, part));
    }
    return OkStatus();
  }

 private:
  // State `i` to start with, [N, D].
  ir::Value* Start(size_t i) {
    const std::string part = fmt::format("start{}", i);
    ir::Value* shape = builder_.Ints(part + "_shape", {sequences_, outputs_});
    if (!exposes_states_) return builder_.Add(part, {"ConstantOfShape", {shape}});
    const size_t bottom = (has_static_ ? 3 : 2) + i;
    return builder_.Add(part, {"Reshape", {builder_.bottom(bottom).value, shape}});
  }

  LayerBuilder& builder_;
  size_t states_;
  int64_t gates_;
  size_t last_;
  bool exposes_states_ = false;
  bool has_static_ = false;
  size_t hidden_blob_ = 0;
  int64_t outputs_ = 0;
  int64_t sequences_ = 0;
  Dims dims_;
};

Op HiddenTransform(ir::Value* hidden, ir::Value* weight, ir::Value* input) {
  return {"Gemm", {hidden, weight, input}, {{"transB", int64_t{1}}}};
}

}  // namespace

// Gates i, f, o, g of W_h · (cont · h) + input; c' = cont · (f · c) + i · g; h' = o · tanh(c').
Status Lstm(LayerBuilder& builder) {
  Recurrent recurrent(builder, /*states=*/2, /*gates=*/4, /*last=*/0);
  LATHE_RETURN_IF_ERROR(recurrent.Read());
  LATHE_ASSIGN_OR_RETURN(ir::Value * inputs, recurrent.Inputs());
  LATHE_ASSIGN_OR_RETURN(ir::Value * weight, recurrent.HiddenWeight());
  ir::Node& scan = recurrent.MakeScan(inputs);
  Body body(builder, scan);
  ir::Value* h = body.Input("h");
  ir::Value* c = body.Input("c");
  ir::Value* input = body.Input("gate_input");
  ir::Value* cont = body.Input("cont_step");
  ir::Value* goes_on = body.Binary("h_cont", "Mul", h, cont);
  ir::Value* transformed =
      body.Add("transform", HiddenTransform(goes_on, body.Outer(weight), input));
  const std::vector<ir::Value*> gates =
      body.Add("gate", {"Split", {transformed}, {{"axis", int64_t{1}}}}, 4);
  ir::Value* in = body.Add("i", {"Sigmoid", {gates[0]}});
  ir::Value* forget = body.Add("f", {"Sigmoid", {gates[1]}});
  ir::Value* out = body.Add("o", {"Sigmoid", {gates[2]}});
  ir::Value* fresh = body.Add("g", {"Tanh", {gates[3]}});
  ir::Value* kept = body.Binary("kept", "Mul", cont, body.Binary("forgotten", "Mul", forget, c));
  ir::Value* next_c = body.Binary("next_c", "Add", kept, body.Binary("added", "Mul", in, fresh));
  ir::Value* next_h = body.Binary("next_h", "Mul", out, body.Add("tanh", {"Tanh", {next_c}}));
  body.Output(next_h);
  body.Output(next_c);
  body.OutputStep(next_h);
  return recurrent.Finish(scan);
}

// h' = tanh(W_h · (cont · h) + input), and out = tanh(W_o · h' + b_o).
Status Rnn(LayerBuilder& builder) {
  Recurrent recurrent(builder, /*states=*/1, /*gates=*/1, /*last=*/2);
  LATHE_RETURN_IF_ERROR(recurrent.Read());
  LATHE_ASSIGN_OR_RETURN(ir::Value * inputs, recurrent.Inputs());
  LATHE_ASSIGN_OR_RETURN(ir::Value * weight, recurrent.HiddenWeight());
  const int64_t outputs = recurrent.outputs();
  const size_t blob = recurrent.blob_behind_hidden();
  LATHE_ASSIGN_OR_RETURN(ir::Value * out_weight,
                         builder.Weight(blob, {outputs, outputs}, "weight_out"));
  LATHE_ASSIGN_OR_RETURN(ir::Value * out_bias, builder.Weight(blob + 1, {outputs}, "bias_out"));
  ir::Node& scan = recurrent.MakeScan(inputs);
  Body body(builder, scan);
  ir::Value* h = body.Input("h");
  ir::Value* input = body.Input("hidden_input");
  ir::Value* cont = body.Input("cont_step");
  ir::Value* goes_on = body.Binary("h_cont", "Mul", h, cont);
  ir::Value* transformed =
      body.Add("transform", HiddenTransform(goes_on, body.Outer(weight), input));
  ir::Value* next_h = body.Add("next_h", {"Tanh", {transformed}});
  ir::Value* shown =
      body.Add("out", HiddenTransform(next_h, body.Outer(out_weight), body.Outer(out_bias)));
  body.Output(next_h);
  body.Output(body.Add("step", {"Tanh", {shown}}));
  return recurrent.Finish(scan);
}

}  // namespace lathe::frontends::caffe
