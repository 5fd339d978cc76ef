#include "lathe/runtime/openvino/engine.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include <openvino/openvino.hpp>

#include "lathe/backends/onnx/export.h"
#include "lathe/ir/input_spec.h"
#include "lathe/ir/rewriter.h"
#include "lathe/runtime/openvino/element_types.h"
#include "lathe/runtime/openvino/failure.h"
#include "lathe/runtime/openvino/tap_op.h"

namespace lathe::runtime {
namespace {

// One core a process: it loads the plugin, which takes a moment.
ov::Core& SharedCore() {
  static ov::Core core;
  return core;
}

ov::AnyMap PluginOptions(int threads) {
  ov::AnyMap options = {
      ov::hint::inference_precision(ov::element::f32),
      ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY),
      ov::num_streams(1),
      ov::hint::enable_cpu_pinning(false),
  };
  if (threads > 0) options.insert(ov::inference_num_threads(threads));
  return options;
}

// Which results of the OpenVINO model are what: first the graph's outputs, then the taps.
struct Prepared {
  std::shared_ptr<ov::Model> model;
  // What the message's constants point at.
  std::vector<ir::TensorBytes> memory;
  size_t num_outputs = 0;
};

class OpenVinoGraph : public eval::CompiledGraph {
 public:
  OpenVinoGraph(Prepared prepared, std::vector<ir::InputSpec> specs, int threads,
                std::shared_ptr<TapErrors> errors, const ir::Model& model)
      : prepared_(std::move(prepared)),
        specs_(std::move(specs)),
        threads_(threads),
        errors_(std::move(errors)),
        source_(model) {}

  StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> inputs) override {
    std::vector<ir::FedInput> fed;
    for (const ir::Tensor& input : inputs) fed.push_back({input.element_type(), input.dims()});
    LATHE_RETURN_IF_ERROR(ir::CheckInputs(specs_, fed));
    try {
      LATHE_RETURN_IF_ERROR(CompileFor(inputs));
      LATHE_RETURN_IF_ERROR(Feed(inputs));
      request_.infer();
      LATHE_RETURN_IF_ERROR(errors_->Take());
      return Collect();
    } catch (const std::exception& failure) {
      // An observer's error is the cause, what OpenVINO made of it is not.
      LATHE_RETURN_IF_ERROR(errors_->Take());
      return DescribeFailure(failure.what(), source_);
    }
  }

 private:
  using Shapes = std::vector<std::vector<int64_t>>;

  // Static shapes make the fastest graph, so one is compiled for the shapes at hand. Data whose
  // shapes keep changing gets a graph for any shape.
  Status CompileFor(std::span<const ir::Tensor> inputs) {
    Shapes shapes;
    for (const ir::Tensor& input : inputs) {
      shapes.emplace_back(input.dims().begin(), input.dims().end());
    }
    if (compiled_ && (any_shape_ || shapes == shapes_)) return OkStatus();
    constexpr int kStaticCompilations = 3;
    any_shape_ = compilations_ >= kStaticCompilations;
    std::shared_ptr<ov::Model> model = prepared_.model->clone();
    if (!any_shape_) {
      std::map<ov::Output<ov::Node>, ov::PartialShape> wanted;
      for (size_t i = 0; i < inputs.size(); ++i) {
        wanted[model->input(i)] = ov::PartialShape(ov::Shape(shapes[i].begin(), shapes[i].end()));
      }
      if (!wanted.empty()) model->reshape(wanted);
    }
    request_ = {};
    compiled_.reset();
    compiled_.emplace(SharedCore().compile_model(model, "CPU", PluginOptions(threads_)));
    request_ = compiled_->create_infer_request();
    shapes_ = std::move(shapes);
    ++compilations_;
    return OkStatus();
  }

  Status Feed(std::span<const ir::Tensor> inputs) {
    held_.clear();
    for (size_t i = 0; i < inputs.size(); ++i) {
      LATHE_ASSIGN_OR_RETURN(ir::TensorBytes bytes, inputs[i].Read());
      const std::optional<ov::element::Type> type = ToOpenVino(inputs[i].element_type());
      if (!type) {
        return Unsupported("OpenVINO has no inputs of type {}",
                           ir::ElementTypeName(inputs[i].element_type()));
      }
      const ov::Shape shape(inputs[i].dims().begin(), inputs[i].dims().end());
      constexpr uintptr_t kAlignment = 64;
      if (bytes.size() > 0 && reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment == 0) {
        request_.set_input_tensor(i,
                                  ov::Tensor(*type, shape, const_cast<std::byte*>(bytes.data())));
      } else {
        ov::Tensor copy(*type, shape);
        if (bytes.size() > 0) std::memcpy(copy.data(), bytes.data(), bytes.size());
        request_.set_input_tensor(i, copy);
      }
      held_.push_back(std::move(bytes));
    }
    return OkStatus();
  }

  StatusOr<std::vector<ir::Tensor>> Collect() {
    std::vector<ir::Tensor> outputs;
    for (size_t i = 0; i < prepared_.num_outputs; ++i) {
      const ov::Tensor tensor = request_.get_output_tensor(i);
      const std::optional<ir::ElementType> type = FromOpenVino(tensor.get_element_type());
      if (!type) {
        return Unsupported("OpenVINO gives output {} as {}", i,
                           tensor.get_element_type().to_string());
      }
      const ov::Shape shape = tensor.get_shape();
      const auto* data = static_cast<const std::byte*>(tensor.data());
      LATHE_ASSIGN_OR_RETURN(
          ir::Tensor output,
          ir::Tensor::FromVector(*type, {shape.begin(), shape.end()},
                                 std::vector<std::byte>(data, data + tensor.get_byte_size())));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

  Prepared prepared_;
  std::vector<ir::InputSpec> specs_;
  int threads_;
  std::shared_ptr<TapErrors> errors_;
  const ir::Model& source_;
  std::optional<ov::CompiledModel> compiled_;
  ov::InferRequest request_;
  Shapes shapes_;
  bool any_shape_ = false;
  int compilations_ = 0;
  std::vector<ir::TensorBytes> held_;
};

// A copy of the model whose outputs are those wanted, then the tapped values.
StatusOr<std::unique_ptr<ir::Model>> WithTapsAsOutputs(const ir::Model& model,
                                                       const eval::CompileOptions& options) {
  std::unique_ptr<ir::Model> copy = model.Clone();
  ir::Rewriter rewriter(*copy);
  std::map<std::string_view, ir::Value*> values;
  const auto add = [&](ir::Value* value) { values.emplace(value->name_text(), value); };
  std::ranges::for_each(copy->graph().inputs(), add);
  std::ranges::for_each(copy->graph().initializers(), add);
  for (const ir::Node& node : copy->graph().nodes()) std::ranges::for_each(node.outputs(), add);
  if (!options.outputs) rewriter.TruncateInputs(*copy->graph().return_node(), 0);
  for (const eval::Tap& tap : options.taps) {
    const auto it = values.find(tap.value->name_text());
    if (it == values.end()) {
      return InternalError("tapped value '{}' is not in the main graph", tap.value->name_text());
    }
    rewriter.AddGraphOutput(copy->graph(), it->second);
  }
  return copy;
}

// OpenVINO keeps the graph's inputs, but may order parameters differently: bring them into graph
// order.
Status OrderParameters(ov::Model& model, std::span<const ir::InputSpec> specs) {
  ov::ParameterVector ordered;
  for (const ir::InputSpec& spec : specs) {
    std::shared_ptr<ov::op::v0::Parameter> found;
    for (const auto& parameter : model.get_parameters()) {
      if (parameter->output(0).get_names().contains(spec.name) ||
          parameter->get_friendly_name() == spec.name) {
        found = parameter;
      }
    }
    if (!found) return Unsupported("OpenVINO lost the input '{}'", spec.name);
    ordered.push_back(found);
  }
  const ov::ParameterVector all = model.get_parameters();
  for (const auto& parameter : all) model.remove_parameter(parameter);
  model.add_parameters(ordered);
  return OkStatus();
}

class OpenVinoEngine : public eval::Engine {
 public:
  StatusOr<std::unique_ptr<eval::CompiledGraph>> Compile(
      const ir::Model& model, const eval::CompileOptions& options) override {
    LATHE_ASSIGN_OR_RETURN(std::vector<ir::InputSpec> specs,
                           ir::InputSpecs(model.graph(), options.input_shapes));
    LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> tapped,
                           WithTapsAsOutputs(model, options));
    Prepared prepared;
    prepared.num_outputs = options.outputs ? model.graph().outputs().size() : 0;
    LATHE_ASSIGN_OR_RETURN(const std::string message,
                           backends::SerializeOnnx(*tapped, {.memory = &prepared.memory}));
    const auto errors = std::make_shared<TapErrors>();
    try {
      prepared.model = SharedCore().read_model(message, ov::Tensor());
      LATHE_RETURN_IF_ERROR(OrderParameters(*prepared.model, specs));
      AttachTaps(*prepared.model, prepared.num_outputs, options.taps, errors);
    } catch (const std::exception& failure) {
      return DescribeFailure(failure.what(), model);
    }
    return std::make_unique<OpenVinoGraph>(std::move(prepared), std::move(specs), options.threads,
                                           errors, model);
  }

 private:
  // Results behind the graph's own outputs become side branches.
  static void AttachTaps(ov::Model& model, size_t first, const std::vector<eval::Tap>& taps,
                         const std::shared_ptr<TapErrors>& errors) {
    const ov::ResultVector results = model.get_results();
    for (size_t i = 0; i < taps.size(); ++i) {
      const auto& result = results.at(first + i);
      const auto tap = std::make_shared<TapOp>(result->input_value(0), taps[i].observe, errors);
      result->input(0).replace_source_output(tap->output(0));
    }
    model.validate_nodes_and_infer_types();
  }
};

}  // namespace

std::unique_ptr<eval::Engine> MakeOpenVinoEngine() { return std::make_unique<OpenVinoEngine>(); }

}  // namespace lathe::runtime
