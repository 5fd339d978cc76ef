#include "lathe/runtime/engine.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/input_spec.h"
#include "lathe/ir/rewriter.h"
#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/runtime/body.h"
#include "lathe/runtime/cut.h"
#include "lathe/runtime/int4_weights.h"
#include "lathe/runtime/integer/build.h"
#include "lathe/runtime/integer/known.h"
#include "lathe/runtime/integer/layer_reader.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/runtime/subgraph.h"
#include "lathe/support/half.h"

namespace lathe::runtime {
namespace {

using Shapes = std::vector<std::vector<int64_t>>;

// Stands for the number of a value that is not there.
constexpr size_t kOmitted = SIZE_MAX;

// A region that is ready. Values between regions have numbers.
struct Part {
  // What `graph` was compiled from.
  std::unique_ptr<ir::Model> model;
  // One of the three.
  std::unique_ptr<integer::Program> program;
  std::unique_ptr<eval::CompiledGraph> graph;
  std::unique_ptr<BodyNode> body_node;
  // Of body_node, in the planned model.
  const ir::Node* node = nullptr;
  std::vector<size_t> inputs;
  std::vector<ir::ElementType> input_types;
  std::vector<size_t> outputs;
  // Numbers that nobody needs afterwards.
  std::vector<size_t> last_used;
};

// The engines may hand over float16 as float32.
StatusOr<ir::Tensor> AsType(const ir::Tensor& tensor, ir::ElementType type) {
  if (tensor.element_type() == type || !ir::IsFloatingPoint(type)) return tensor;
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  if (type != ir::ElementType::kFloat16) return ir::Tensor::Of(std::move(dims), values);
  std::vector<std::byte> bytes(values.size() * sizeof(uint16_t));
  auto* halves = reinterpret_cast<uint16_t*>(bytes.data());
  std::ranges::transform(values, halves, FloatToHalf);
  return ir::Tensor::FromVector(type, std::move(dims), std::move(bytes));
}

class PlannedGraph : public eval::CompiledGraph {
 public:
  PlannedGraph(const ir::Model& model, const eval::CompileOptions& options,
               const EngineOptions& engine_options, integer::Isa isa,
               std::shared_ptr<eval::Engine> float_engine,
               std::unique_ptr<eval::Engine> body_engine, std::vector<ir::InputSpec> specs)
      : source_(model),
        options_(options),
        note_(engine_options.note),
        isa_(isa),
        float_engine_(std::move(float_engine)),
        body_engine_(std::move(body_engine)),
        specs_(std::move(specs)),
        pool_(options.threads) {}

  Status PlanIfStatic() {
    Shapes shapes;
    for (const ir::InputSpec& spec : specs_) {
      const auto extents = ir::Type::Tensor(spec.element, spec.shape).StaticShape();
      if (!extents) return OkStatus();
      shapes.push_back(*extents);
    }
    return Plan(std::move(shapes));
  }

  StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> inputs) override {
    std::vector<ir::FedInput> fed;
    Shapes shapes;
    for (const ir::Tensor& input : inputs) {
      fed.push_back({input.element_type(), input.dims()});
      shapes.emplace_back(input.dims().begin(), input.dims().end());
    }
    LATHE_RETURN_IF_ERROR(ir::CheckInputs(specs_, fed));
    LATHE_RETURN_IF_ERROR(Plan(std::move(shapes)));
    std::vector<ir::Tensor> values = constants_;
    std::ranges::copy(inputs, values.begin());
    for (Part& part : parts_) {
      std::vector<ir::Tensor> taken;
      for (size_t i = 0; i < part.inputs.size(); ++i) {
        if (part.inputs[i] == kOmitted) {
          taken.emplace_back();
          continue;
        }
        LATHE_ASSIGN_OR_RETURN(ir::Tensor tensor,
                               AsType(values[part.inputs[i]], part.input_types[i]));
        taken.push_back(std::move(tensor));
      }
      LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> results, RunPart(part, taken));
      for (size_t i = 0; i < part.outputs.size(); ++i) {
        if (part.outputs[i] != kOmitted) values[part.outputs[i]] = results[i];
      }
      for (const size_t number : part.last_used) values[number] = {};
    }
    for (size_t i = 0; i < taps_.size(); ++i) {
      const ir::Tensor& tensor = values[taps_[i]];
      LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
      LATHE_RETURN_IF_ERROR(options_.taps[i].observe(
          {.element_type = tensor.element_type(), .dims = tensor.dims(), .bytes = bytes.bytes()}));
    }
    std::vector<ir::Tensor> outputs;
    for (const size_t number : outputs_) outputs.push_back(values[number]);
    return outputs;
  }

 private:
  StatusOr<std::vector<ir::Tensor>> RunPart(Part& part, const std::vector<ir::Tensor>& inputs) {
    if (part.program) return part.program->Run(inputs, pool_);
    if (part.graph) return part.graph->Run(inputs);
    StatusOr<std::vector<ir::Tensor>> results = part.body_node->Run(inputs);
    if (results.ok() && results->size() == part.outputs.size()) return results;
    return integer::InNode(results.ok() ? InvalidInput("its body has {} results, not {}",
                                                       results->size(), part.outputs.size())
                                        : results.status(),
                           *part.node);
  }

  Status Plan(Shapes shapes) {
    if (planned_ && shapes == shapes_) return OkStatus();
    planned_ = false;
    parts_.clear();
    numbers_.clear();
    constants_.clear();
    outputs_.clear();
    taps_.clear();
    model_ = source_.Clone();
    ir::Model* model = model_.get();
    const CopyMap copies(source_, *model);
    ir::Rewriter rewriter(*model);
    LATHE_RETURN_IF_ERROR(FixInputs(rewriter, shapes));
    LATHE_RETURN_IF_ERROR(UnpackInt4Weights(rewriter));

    std::vector<const ir::Value*> wanted;
    for (const eval::Tap& tap : options_.taps) wanted.push_back(copies.Find(*tap.value));
    if (!options_.outputs) rewriter.TruncateInputs(*model->graph().return_node(), 0);
    LATHE_ASSIGN_OR_RETURN(const std::vector<PlanRegion> regions, CutIntoRegions(*model, wanted));
    for (const ir::Value* input : model->graph().inputs()) {
      if (!input->tensor()) Number(*input);
    }
    for (const PlanRegion& region : regions) {
      LATHE_RETURN_IF_ERROR(region.kind == RegionKind::kInteger ? AddInteger(region)
                            : region.kind == RegionKind::kFloat ? AddFloat(*model, region)
                                                                : AddBodies(*region.nodes[0]));
    }
    for (const ir::Value* value : wanted) taps_.push_back(Number(*value));
    for (const ir::Use& use : model->graph().outputs()) outputs_.push_back(Number(*use.value()));
    FindLastUses();
    shapes_ = std::move(shapes);
    noted_ = true;
    planned_ = true;
    return OkStatus();
  }

  // Inputs get the shapes they are fed; those with a default, which nobody feeds, are constants.
  static Status FixInputs(ir::Rewriter& rewriter, const Shapes& shapes) {
    std::vector<ir::Value*> defaults;
    size_t fed = 0;
    for (ir::Value* input : rewriter.model().graph().inputs()) {
      if (input->tensor()) {
        defaults.push_back(input);
        continue;
      }
      rewriter.SetType(
          *input, rewriter.model().Intern(ir::Type::Tensor(input->type().element, shapes[fed++])));
    }
    for (ir::Value* input : defaults) rewriter.FreezeInput(*input);
    return OkStatus();
  }

  // The value's number, a new one if it has none; constants are at hand from the start.
  size_t Number(const ir::Value& value) {
    const auto [place, inserted] = numbers_.emplace(&value, constants_.size());
    if (inserted) constants_.push_back(value.ConstantTensor());
    return place->second;
  }

  void AddValues(const PlanRegion& region, Part& part) {
    for (const ir::Value* output : region.outputs) part.outputs.push_back(Number(*output));
  }

  Status AddInteger(const PlanRegion& region) {
    integer::Region nodes;
    nodes.nodes.assign(region.nodes.begin(), region.nodes.end());
    nodes.inputs.assign(region.inputs.begin(), region.inputs.end());
    nodes.outputs.assign(region.outputs.begin(), region.outputs.end());
    LATHE_ASSIGN_OR_RETURN(integer::BuiltRegion built,
                           integer::BuildRegion(nodes, integer::KernelsFor(isa_)));
    if (note_ && !noted_) std::ranges::for_each(built.notes, note_);
    Part part;
    part.program = std::move(built.program);
    for (const ir::Value* input : region.inputs) {
      const bool half = input->type().element == ir::ElementType::kFloat16;
      part.inputs.push_back(Number(*input));
      part.input_types.push_back(half ? ir::ElementType::kFloat16 : ir::ElementType::kFloat32);
    }
    AddValues(region, part);
    parts_.push_back(std::move(part));
    return OkStatus();
  }

  Status AddFloat(const ir::Model& model, const PlanRegion& region) {
    Part part;
    part.model = ExtractRegion(model, region);
    eval::CompileOptions options;
    options.threads = options_.threads;
    LATHE_ASSIGN_OR_RETURN(part.graph, float_engine_->Compile(*part.model, options));
    const auto add = [&](const ir::Value& input) {
      part.inputs.push_back(Number(input));
      part.input_types.push_back(input.type().element);
    };
    for (const ir::Value* input : model.graph().inputs()) {
      if (!input->tensor()) add(*input);
    }
    for (const ir::Value* input : region.inputs) {
      if (input->kind() != ir::Value::Kind::kGraphInput) add(*input);
    }
    AddValues(region, part);
    parts_.push_back(std::move(part));
    return OkStatus();
  }

  Status AddBodies(const ir::Node& node) {
    Part part;
    auto made = MakeBodyNode(node, *body_engine_, options_.threads);
    if (!made.ok()) return integer::InNode(made.status(), node);
    part.body_node = *std::move(made);
    part.node = &node;
    for (const ir::Use& use : node.operands()) {
      const ir::Value* value = use.value();
      const bool captured = use.index() >= node.num_inputs();
      const bool omitted = value == nullptr || (captured && value->ConstantTensor());
      part.inputs.push_back(omitted ? kOmitted : Number(*value));
      part.input_types.push_back(omitted ? ir::ElementType::kUndefined : value->type().element);
    }
    for (const ir::Value* output : node.outputs()) {
      part.outputs.push_back(output->name().empty() ? kOmitted : Number(*output));
    }
    parts_.push_back(std::move(part));
    return OkStatus();
  }

  void FindLastUses() {
    constexpr size_t kEnd = SIZE_MAX;
    std::vector<size_t> last(constants_.size(), kEnd);
    for (size_t i = 0; i < parts_.size(); ++i) {
      for (const auto& numbers : {parts_[i].inputs, parts_[i].outputs}) {
        for (const size_t number : numbers) {
          if (number != kOmitted) last[number] = i;
        }
      }
    }
    for (const auto& numbers : {outputs_, taps_}) {
      for (const size_t number : numbers) last[number] = kEnd;
    }
    for (size_t number = 0; number < last.size(); ++number) {
      if (last[number] != kEnd) parts_[last[number]].last_used.push_back(number);
    }
  }

  const ir::Model& source_;
  eval::CompileOptions options_;
  std::function<void(const std::string&)> note_;
  bool noted_ = false;
  integer::Isa isa_;
  std::shared_ptr<eval::Engine> float_engine_;
  std::unique_ptr<eval::Engine> body_engine_;
  std::vector<ir::InputSpec> specs_;
  ThreadPool pool_;

  bool planned_ = false;
  Shapes shapes_;
  // What was planned: nodes with bodies look at it.
  std::unique_ptr<ir::Model> model_;
  std::vector<Part> parts_;
  absl::flat_hash_map<const ir::Value*, size_t> numbers_;
  // One a number; empty for what is computed.
  std::vector<ir::Tensor> constants_;
  std::vector<size_t> outputs_;
  std::vector<size_t> taps_;
};

class PlanningEngine : public eval::Engine {
 public:
  PlanningEngine(EngineOptions options, std::shared_ptr<eval::Engine> float_engine)
      : options_(std::move(options)), float_engine_(std::move(float_engine)) {}

  StatusOr<std::unique_ptr<eval::CompiledGraph>> Compile(
      const ir::Model& model, const eval::CompileOptions& options) override {
    if (!HasAscendOperators(model)) return float_engine_->Compile(model, options);
    for (const auto& function : model.functions()) {
      for (const ir::Node& node : function->body().nodes()) {
        if (!integer::IsAscend(node) && !HasAscendBody(node)) continue;
        return integer::InNode(
            Unsupported("operator {} inside a function is not executed", node.op_text()), node);
      }
    }
    integer::Isa isa = integer::Isa::kPortable;
    if (options_.isa) {
      isa = *options_.isa;
    } else {
      LATHE_ASSIGN_OR_RETURN(isa, integer::ChooseIsa());
    }
    LATHE_ASSIGN_OR_RETURN(std::vector<ir::InputSpec> specs,
                           ir::InputSpecs(model.graph(), options.input_shapes));
    auto graph = std::make_unique<PlannedGraph>(
        model, options, options_, isa, float_engine_,
        std::make_unique<PlanningEngine>(options_, float_engine_), std::move(specs));
    LATHE_RETURN_IF_ERROR(graph->PlanIfStatic());
    return graph;
  }

 private:
  EngineOptions options_;
  std::shared_ptr<eval::Engine> float_engine_;
};

}  // namespace

std::unique_ptr<eval::Engine> MakeEngine(EngineOptions options) {
  return std::make_unique<PlanningEngine>(std::move(options), MakeOpenVinoEngine());
}

}  // namespace lathe::runtime
