#include "lathe/runtime/openvino/engine.h"

#include <algorithm>
#include <cstring>
#include <malloc.h>
#include <map>
#include <optional>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <openvino/core/type.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/tile.hpp>
#include <openvino/op/topk.hpp>
#include <openvino/openvino.hpp>
#include <openvino/pass/constant_folding.hpp>
#include <openvino/pass/manager.hpp>

#include "lathe/backends/onnx/export.h"
#include "lathe/ir/input_spec.h"
#include "lathe/runtime/openvino/element_types.h"
#include "lathe/runtime/openvino/failure.h"
#include "lathe/runtime/openvino/fold_scales.h"
#include "lathe/runtime/openvino/prepare.h"
#include "lathe/runtime/openvino/quantize_op.h"
#include "lathe/runtime/openvino/share_constants.h"
#include "lathe/runtime/openvino/tap_op.h"
#include "lathe/support/mapped_pages.h"

namespace lathe::runtime {
namespace {

// One core a process: it loads the plugin, which takes a moment.
ov::Core& SharedCore() {
  static ov::Core core = [] {
    ov::Core made;
    AddQuantizeOp(made);
    return made;
  }();
  return core;
}

// Some kernels (long sums of few elements, as in a fully connected layer behind a flattened image)
// split their work by the number of threads they are told of, and then round otherwise. So they are
// always told of all the machine has, and fewer threads take turns on the same pieces: the bytes
// are the same.
//
// It would also compute QDQ models in its own low precision (18 dB where 140 are possible, and a
// GRU not at all); a model means what it says, so that is off.
ov::AnyMap PluginOptions() {
  return {
      ov::hint::inference_precision(ov::element::f32),
      ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY),
      ov::AnyMap::value_type{"LP_TRANSFORMS_MODE", "NO"},
      ov::num_streams(1),
      ov::hint::enable_cpu_pinning(false),
      ov::inference_num_threads(oneapi::tbb::info::default_concurrency()),
  };
}

// While it lives OpenVINO uses at most so many threads; 0: as many as it was told of.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) {
    using oneapi::tbb::global_control;
    if (threads > 0) {
      control_.emplace(global_control::max_allowed_parallelism, static_cast<size_t>(threads));
    }
  }

 private:
  std::optional<oneapi::tbb::global_control> control_;
};

// Which results of the OpenVINO model are what: first the graph's outputs, then the taps.
struct Prepared {
  // An ONNX message, small, and what its constants point at.
  std::string message;
  std::vector<ir::TensorBytes> memory;
  std::vector<eval::Tap> taps;
  size_t num_outputs = 0;
  size_t num_parameters = 0;
  // For each input of the graph its parameter, if there is one.
  std::vector<std::optional<size_t>> parameters;
  // A Tile takes its repeats from the graph (see FindRuntimeTile).
  bool only_static = false;
  // The last parameter is the taps' run token.
  bool has_token = false;
};

// A Tile whose repeats are not constant: OpenVINO's result is garbage whenever they change. With
// static shapes most such repeats become constants.
std::shared_ptr<ov::Node> FindRuntimeTile(const ov::Model& model) {
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    if (ov::is_type<ov::op::v0::Tile>(node) &&
        !ov::is_type<ov::op::v0::Constant>(node->get_input_node_ptr(1))) {
      return node;
    }
  }
  return nullptr;
}

// ONNX gives equal elements the order they have in the input.
void MakeTopKStable(const ov::Model& model) {
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    const auto top_k = ov::as_type_ptr<ov::op::v11::TopK>(node);
    if (top_k != nullptr && top_k->get_sort_type() != ov::op::TopKSortType::NONE) {
      top_k->set_stable(true);
    }
  }
}

// Results behind the graph's own outputs become side branches.
void AttachTaps(ov::Model& model, const Prepared& prepared,
                const std::shared_ptr<TapErrors>& errors) {
  if (prepared.taps.empty()) return;
  // Behind the graph's own parameters; see TapOp.
  const auto token = std::make_shared<ov::op::v0::Parameter>(ov::element::u8, ov::PartialShape{1});
  model.add_parameters({token});
  const ov::ResultVector results = model.get_results();
  for (size_t i = 0; i < prepared.taps.size(); ++i) {
    const auto& result = results.at(prepared.num_outputs + i);
    const auto tap =
        std::make_shared<TapOp>(result->input_value(0), token, prepared.taps[i].observe, errors);
    result->input(0).replace_source_output(tap->output(0));
  }
  model.validate_nodes_and_infer_types();
}

// Throws what OpenVINO throws.
std::shared_ptr<ov::Model> ReadMessage(const Prepared& prepared) {
  std::shared_ptr<ov::Model> model = SharedCore().read_model(prepared.message, ov::Tensor());
  ShareConstants(*model, prepared.memory);
  FoldScales(*model);
  MakeTopKStable(*model);
  // What stands in files was copied.
  EvictMappedPages();
  return model;
}

// Of what passes read and of what compiling took. A compiled model has its own layout of the
// weights: the file is not needed to run it.
void ReleaseUnusedMemory() {
  EvictMappedPages();
  ::malloc_trim(0);
}

using Shapes = std::vector<std::vector<int64_t>>;

class OpenVinoGraph : public eval::CompiledGraph {
 public:
  // `read` is what the message says, for the first compilation.
  OpenVinoGraph(Prepared prepared, std::shared_ptr<ov::Model> read,
                std::vector<ir::InputSpec> specs, int threads, const ir::Model& model)
      : prepared_(std::move(prepared)),
        read_(std::move(read)),
        specs_(std::move(specs)),
        threads_(threads),
        source_(model) {}

  // What the plugin refuses is better known now than at the first run.
  Status CompileIfStatic() {
    Shapes shapes;
    for (const ir::InputSpec& spec : specs_) {
      const auto extents = ir::Type::Tensor(spec.element, spec.shape).StaticShape();
      if (!extents) return OkStatus();
      shapes.push_back(*extents);
    }
    try {
      return CompileFor(std::move(shapes));
    } catch (const std::exception& failure) {
      return DescribeFailure(failure.what(), source_);
    }
  }

  StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> inputs) override {
    std::vector<ir::FedInput> fed;
    for (const ir::Tensor& input : inputs) fed.push_back({input.element_type(), input.dims()});
    LATHE_RETURN_IF_ERROR(ir::CheckInputs(specs_, fed));
    Shapes shapes;
    for (size_t i = 0; i < inputs.size(); ++i) {
      LATHE_RETURN_IF_ERROR(CheckCarried(specs_[i].name, inputs[i]));
      shapes.emplace_back(inputs[i].dims().begin(), inputs[i].dims().end());
    }
    try {
      LATHE_RETURN_IF_ERROR(CompileFor(std::move(shapes)));
      LATHE_RETURN_IF_ERROR(Feed(inputs));
      const ThreadLimit limit(threads_);
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
  // Static shapes make the fastest graph, so one is compiled for the shapes at hand. Data whose
  // shapes keep changing gets a graph for any shape.
  Status CompileFor(Shapes shapes) {
    const ThreadLimit limit(threads_);
    if (compiled_ && (any_shape_ || shapes == shapes_)) return OkStatus();
    constexpr int kStaticCompilations = 3;
    any_shape_ = compilations_ >= kStaticCompilations && !prepared_.only_static;
    // Not kept: it may hold the weights a second time.
    std::shared_ptr<ov::Model> model = std::move(read_);
    if (model == nullptr) model = ReadMessage(prepared_);
    AttachTaps(*model, prepared_, errors_);
    if (!any_shape_) {
      std::map<ov::Output<ov::Node>, ov::PartialShape> wanted;
      for (size_t i = 0; i < shapes.size(); ++i) {
        if (!prepared_.parameters[i]) continue;
        wanted[model->input(*prepared_.parameters[i])] =
            ov::PartialShape(ov::Shape(shapes[i].begin(), shapes[i].end()));
      }
      if (!wanted.empty()) model->reshape(wanted);
    }
    if (prepared_.only_static) {
      ov::pass::Manager folding;
      folding.register_pass<ov::pass::ConstantFolding>();
      folding.run_passes(model);
      if (const auto tile = FindRuntimeTile(*model)) {
        return DescribeRefusal(tile->get_friendly_name(), "its repeats are not constant", source_);
      }
    }
    request_ = {};
    compiled_.reset();
    compiled_.emplace(SharedCore().compile_model(model, "CPU", PluginOptions()));
    request_ = compiled_->create_infer_request();
    model.reset();
    ReleaseUnusedMemory();
    shapes_ = std::move(shapes);
    ++compilations_;
    return OkStatus();
  }

  Status Feed(std::span<const ir::Tensor> inputs) {
    held_.clear();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!prepared_.parameters[i]) continue;
      LATHE_ASSIGN_OR_RETURN(ir::TensorBytes bytes, inputs[i].Read());
      const std::optional<ov::element::Type> type = ToOpenVino(inputs[i].element_type());
      if (!type) {
        return Unsupported("OpenVINO has no inputs of type {}",
                           ir::ElementTypeName(inputs[i].element_type()));
      }
      const ov::Shape shape(inputs[i].dims().begin(), inputs[i].dims().end());
      constexpr uintptr_t kAlignment = 64;
      if (bytes.size() > 0 && reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment == 0) {
        request_.set_input_tensor(*prepared_.parameters[i],
                                  ov::Tensor(*type, shape, const_cast<std::byte*>(bytes.data())));
      } else {
        ov::Tensor copy(*type, shape);
        if (bytes.size() > 0) std::memcpy(copy.data(), bytes.data(), bytes.size());
        request_.set_input_tensor(*prepared_.parameters[i], copy);
      }
      held_.push_back(std::move(bytes));
    }
    if (prepared_.has_token) {
      ov::Tensor token(ov::element::u8, {1});
      *token.data<uint8_t>() = 0;
      request_.set_input_tensor(prepared_.num_parameters, token);
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
      const ov::Shape& shape = tensor.get_shape();
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
  std::shared_ptr<ov::Model> read_;
  std::vector<ir::InputSpec> specs_;
  int threads_;
  const std::shared_ptr<TapErrors> errors_ = std::make_shared<TapErrors>();
  const ir::Model& source_;
  std::optional<ov::CompiledModel> compiled_;
  ov::InferRequest request_;
  Shapes shapes_;
  bool any_shape_ = false;
  int compilations_ = 0;
  std::vector<ir::TensorBytes> held_;
};

// Where each of the graph's inputs stands among the parameters; nothing for one that is not used:
// the frontend drops it. It keeps their order and mostly their names, but an input that goes
// through an operator which does nothing may be called by the result's name.
StatusOr<std::vector<std::optional<size_t>>> FindParameters(const ov::Model& model,
                                                            const ir::Graph& graph,
                                                            std::span<const ir::InputSpec> specs) {
  const ov::ParameterVector& parameters = model.get_parameters();
  std::vector<std::optional<size_t>> places(specs.size());
  std::vector<size_t> renamed;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const auto named = std::ranges::find_if(specs, [&](const ir::InputSpec& spec) {
      return parameters[k]->output(0).get_names().contains(spec.name) ||
             parameters[k]->get_friendly_name() == spec.name;
    });
    if (named == specs.end()) {
      renamed.push_back(k);
    } else {
      places[static_cast<size_t>(named - specs.begin())] = k;
    }
  }
  if (renamed.empty()) return places;
  std::vector<size_t> missing;
  size_t i = 0;
  for (const ir::Value* input : graph.inputs()) {
    if (input->tensor()) continue;  // a default: no spec
    if (!places[i] && input->has_uses()) missing.push_back(i);
    ++i;
  }
  if (missing.size() != renamed.size()) {
    return Unsupported("OpenVINO renames input {} of the model",
                       parameters[renamed.front()]->get_friendly_name());
  }
  for (size_t k = 0; k < missing.size(); ++k) places[missing[k]] = renamed[k];
  return places;
}

class OpenVinoEngine : public eval::Engine {
 public:
  StatusOr<std::unique_ptr<eval::CompiledGraph>> Compile(
      const ir::Model& model, const eval::CompileOptions& options) override {
    ReleaseUnusedMemory();
    LATHE_ASSIGN_OR_RETURN(std::vector<ir::InputSpec> specs,
                           ir::InputSpecs(model.graph(), options.input_shapes));
    LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> copy,
                           PrepareForOpenVino(model, options));
    Prepared prepared;
    prepared.num_outputs = options.outputs ? model.graph().outputs().size() : 0;
    LATHE_ASSIGN_OR_RETURN(prepared.message,
                           backends::SerializeOnnx(*copy, {.memory = &prepared.memory}));
    prepared.taps = options.taps;
    prepared.has_token = !options.taps.empty();
    std::shared_ptr<ov::Model> read;
    try {
      read = ReadMessage(prepared);
      LATHE_ASSIGN_OR_RETURN(prepared.parameters, FindParameters(*read, model.graph(), specs));
      prepared.num_parameters = read->inputs().size();
      prepared.only_static = FindRuntimeTile(*read) != nullptr;
    } catch (const std::exception& failure) {
      return DescribeFailure(failure.what(), model);
    }
    auto graph = std::make_unique<OpenVinoGraph>(std::move(prepared), std::move(read),
                                                 std::move(specs), options.threads, model);
    LATHE_RETURN_IF_ERROR(graph->CompileIfStatic());
    return graph;
  }
};

}  // namespace

std::unique_ptr<eval::Engine> MakeOpenVinoEngine() { return std::make_unique<OpenVinoEngine>(); }

}  // namespace lathe::runtime
