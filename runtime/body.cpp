#include "lathe/runtime/body.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "lathe/ir/clone_body.h"
#include "lathe/ir/input_spec.h"
#include "lathe/ir/rewriter.h"
#include "lathe/runtime/integer/known.h"

namespace lathe::runtime {
namespace {

using Tensors = std::vector<ir::Tensor>;

// ---- Pieces of tensors ----

size_t Product(std::span<const int64_t> dims) {
  size_t count = 1;
  for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
  return count;
}

// Bytes of what lies behind one position of the axis; the number of positions in front of it.
struct Extents {
  size_t outer = 1;
  size_t inner = 0;
};

StatusOr<Extents> ExtentsAround(ir::ElementType type, std::span<const int64_t> dims, size_t axis) {
  Extents extents{.outer = Product(dims.first(axis))};
  const auto behind = dims.subspan(axis + 1);
  LATHE_ASSIGN_OR_RETURN(extents.inner, ir::CheckedByteSize(type, behind));
  return extents;
}

// The part at `position` of the axis, which goes.
StatusOr<ir::Tensor> PartOf(const ir::Tensor& tensor, size_t axis, size_t position) {
  std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  const auto length = static_cast<size_t>(dims[axis]);
  LATHE_ASSIGN_OR_RETURN(const Extents extents, ExtentsAround(tensor.element_type(), dims, axis));
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  std::vector<std::byte> part(extents.outer * extents.inner);
  for (size_t i = 0; i < extents.outer && extents.inner > 0; ++i) {
    std::memcpy(part.data() + i * extents.inner,
                bytes.data() + (i * length + position) * extents.inner, extents.inner);
  }
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return ir::Tensor::FromVector(tensor.element_type(), std::move(dims), std::move(part));
}

// Parts of equal shape beside one another along a new axis (counted from the end when negative).
StatusOr<ir::Tensor> Together(const Tensors& parts, int64_t wanted_axis) {
  const ir::ElementType type = parts[0].element_type();
  std::vector<int64_t> dims(parts[0].dims().begin(), parts[0].dims().end());
  for (const ir::Tensor& part : parts) {
    if (std::ranges::equal(part.dims(), dims)) continue;
    return InvalidInput("the parts of a result are {} and {}: they do not go together",
                        ir::ShapeText(std::span<const int64_t>(dims)), ir::ShapeText(part.dims()));
  }
  const auto rank = static_cast<int64_t>(dims.size()) + 1;
  const int64_t axis = wanted_axis < 0 ? wanted_axis + rank : wanted_axis;
  if (axis < 0 || axis >= rank) return InvalidInput("axis {} of rank {}", wanted_axis, rank);
  dims.insert(dims.begin() + axis, static_cast<int64_t>(parts.size()));
  LATHE_ASSIGN_OR_RETURN(const Extents extents,
                         ExtentsAround(type, dims, static_cast<size_t>(axis)));
  LATHE_ASSIGN_OR_RETURN(const size_t size, ir::CheckedByteSize(type, dims));
  std::vector<std::byte> bytes(size);
  for (size_t p = 0; p < parts.size(); ++p) {
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes part, parts[p].Read());
    for (size_t i = 0; i < extents.outer && extents.inner > 0; ++i) {
      std::memcpy(bytes.data() + (i * parts.size() + p) * extents.inner,
                  part.data() + i * extents.inner, extents.inner);
    }
  }
  return ir::Tensor::FromVector(type, std::move(dims), std::move(bytes));
}

StatusOr<int64_t> Number(const ir::Tensor& tensor, std::string_view what) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> values, tensor.ValuesAsInt64());
  if (values.size() == 1) return values[0];
  return InvalidInput("the {} is {}, not one number", what, ir::ShapeText(tensor.dims()));
}

// ---- Bodies ----

class Body {
 public:
  Body(const ir::Graph& graph, eval::Engine& engine, int threads)
      : graph_(graph), engine_(engine), model_(ir::CloneBody(graph)) {
    options_.threads = threads;
  }

  const ir::Graph& graph() const { return graph_; }

  // `inputs` are the body's own; captures are found among the node's operands.
  StatusOr<Tensors> Run(Tensors inputs, std::span<const ir::Tensor> operands) {
    if (inputs.size() != graph_.inputs().size()) {
      return InvalidInput("its body '{}' takes {} inputs, not {}", graph_.name(),
                          graph_.inputs().size(), inputs.size());
    }
    for (const ir::Value* capture : graph_.captures()) {
      if (capture->ConstantTensor()) continue;
      inputs.push_back(operands[capture->captured()->index()]);
    }
    LATHE_RETURN_IF_ERROR(Compile(inputs));
    return compiled_->Run(inputs);
  }

 private:
  Status Compile(const Tensors& inputs) {
    std::vector<const ir::Type*> types;
    for (const ir::Tensor& input : inputs) {
      types.push_back(model_->Intern(ir::Type::Tensor(
          input.element_type(), std::vector<int64_t>(input.dims().begin(), input.dims().end()))));
    }
    if (compiled_ && types == types_) return OkStatus();
    compiled_.reset();
    types_ = std::move(types);
    ir::Rewriter rewriter(*model_);
    size_t next = 0;
    for (ir::Value* input : model_->graph().inputs()) {
      if (!input->tensor()) rewriter.SetType(*input, types_.at(next++));
    }
    LATHE_ASSIGN_OR_RETURN(compiled_, engine_.Compile(*model_, options_));
    return OkStatus();
  }

  const ir::Graph& graph_;
  eval::Engine& engine_;
  std::unique_ptr<ir::Model> model_;
  eval::CompileOptions options_;
  std::vector<const ir::Type*> types_;
  std::unique_ptr<eval::CompiledGraph> compiled_;
};

// Results of the body's runs that are put together at the end.
class Collected {
 public:
  explicit Collected(size_t count) : parts_(count) {}

  void Add(size_t i, ir::Tensor part) { parts_[i].push_back(std::move(part)); }

  // `output`: of the body, tells shape and type where there are no parts.
  StatusOr<ir::Tensor> Join(size_t i, int64_t axis, bool reversed, const ir::Value& output) {
    if (!parts_[i].empty()) {
      if (reversed) std::ranges::reverse(parts_[i]);
      return Together(parts_[i], axis);
    }
    const auto shape = output.type().StaticShape();
    if (!shape || axis != 0) {
      return Unsupported("'{}' is never computed and its shape is not known", output.name_text());
    }
    std::vector<int64_t> dims = *shape;
    dims.insert(dims.begin(), 0);
    return ir::Tensor::FromVector(output.type().element, std::move(dims), {});
  }

 private:
  std::vector<Tensors> parts_;
};

// ---- Operators ----

const ir::Graph* BodyNamed(const ir::Node& node, std::string_view name) {
  const ir::Attribute* attribute = node.FindAttribute(name);
  const auto* body = attribute == nullptr ? nullptr : attribute->get_if<ir::GraphPtr>();
  return body == nullptr ? nullptr : body->get();
}

class IfNode : public BodyNode {
 public:
  IfNode(const ir::Graph& then_body, const ir::Graph& else_body, eval::Engine& engine, int threads)
      : then_(then_body, engine, threads), else_(else_body, engine, threads) {}

  StatusOr<Tensors> Run(std::span<const ir::Tensor> operands) override {
    LATHE_ASSIGN_OR_RETURN(const int64_t condition, Number(operands[0], "condition"));
    return (condition != 0 ? then_ : else_).Run({}, operands);
  }

 private:
  Body then_;
  Body else_;
};

class LoopNode : public BodyNode {
 public:
  LoopNode(const ir::Node& node, const ir::Graph& body, eval::Engine& engine, int threads)
      : carried_(node.num_inputs() - 2), body_(body, engine, threads) {}

  StatusOr<Tensors> Run(std::span<const ir::Tensor> operands) override {
    int64_t count = INT64_MAX;
    int64_t condition = 1;
    if (operands[0]) {
      LATHE_ASSIGN_OR_RETURN(count, Number(operands[0], "trip count"));
    }
    if (operands[1]) {
      LATHE_ASSIGN_OR_RETURN(condition, Number(operands[1], "condition"));
    }
    Tensors state(operands.begin() + 2, operands.begin() + 2 + static_cast<int64_t>(carried_));
    const auto outputs = body_.graph().outputs();
    Collected collected(outputs.size() - 1 - carried_);
    for (int64_t i = 0; i < count && condition != 0; ++i) {
      Tensors inputs = {ir::Tensor::Scalar(i), ir::Tensor::Scalar(condition != 0)};
      inputs.insert(inputs.end(), state.begin(), state.end());
      LATHE_ASSIGN_OR_RETURN(Tensors results, body_.Run(std::move(inputs), operands));
      LATHE_ASSIGN_OR_RETURN(condition, Number(results[0], "condition"));
      std::move(results.begin() + 1, results.begin() + 1 + static_cast<int64_t>(carried_),
                state.begin());
      for (size_t k = 1 + carried_; k < results.size(); ++k) {
        collected.Add(k - 1 - carried_, std::move(results[k]));
      }
    }
    for (size_t k = 1 + carried_; k < outputs.size(); ++k) {
      LATHE_ASSIGN_OR_RETURN(ir::Tensor joined,
                             collected.Join(k - 1 - carried_, 0, false, *outputs[k].value()));
      state.push_back(std::move(joined));
    }
    return state;
  }

 private:
  size_t carried_;
  Body body_;
};

class ScanNode : public BodyNode {
 public:
  ScanNode(const ir::Node& node, const ir::Graph& body, eval::Engine& engine, int threads)
      : scanned_(static_cast<size_t>(node.IntAttribute("num_scan_inputs", 0))),
        carried_(node.num_inputs() - scanned_),
        input_axes_(node.IntsAttribute("scan_input_axes")),
        input_directions_(node.IntsAttribute("scan_input_directions")),
        output_axes_(node.IntsAttribute("scan_output_axes")),
        output_directions_(node.IntsAttribute("scan_output_directions")),
        body_(body, engine, threads) {
    input_axes_.resize(scanned_);
    input_directions_.resize(scanned_);
    output_axes_.resize(body.outputs().size() - carried_);
    output_directions_.resize(output_axes_.size());
  }

  StatusOr<Tensors> Run(std::span<const ir::Tensor> operands) override {
    Tensors state(operands.begin(), operands.begin() + static_cast<int64_t>(carried_));
    const std::span<const ir::Tensor> scanned = operands.subspan(carried_, scanned_);
    std::vector<size_t> axes;
    int64_t length = -1;
    for (size_t k = 0; k < scanned_; ++k) {
      const int64_t rank = scanned[k].rank();
      const int64_t axis = input_axes_[k] < 0 ? input_axes_[k] + rank : input_axes_[k];
      if (axis < 0 || axis >= rank) return InvalidInput("axis {} of rank {}", axis, rank);
      axes.push_back(static_cast<size_t>(axis));
      const int64_t own = scanned[k].dims()[axes.back()];
      if (length >= 0 && own != length) {
        return InvalidInput("tensors of {} and {} parts are scanned together", length, own);
      }
      length = own;
    }
    const auto outputs = body_.graph().outputs();
    Collected collected(output_axes_.size());
    for (int64_t i = 0; i < length; ++i) {
      Tensors inputs = state;
      for (size_t k = 0; k < scanned_; ++k) {
        const int64_t at = input_directions_[k] != 0 ? length - 1 - i : i;
        LATHE_ASSIGN_OR_RETURN(ir::Tensor part,
                               PartOf(scanned[k], axes[k], static_cast<size_t>(at)));
        inputs.push_back(std::move(part));
      }
      LATHE_ASSIGN_OR_RETURN(Tensors results, body_.Run(std::move(inputs), operands));
      for (size_t k = 0; k < results.size(); ++k) {
        if (k < carried_) {
          state[k] = std::move(results[k]);
        } else {
          collected.Add(k - carried_, std::move(results[k]));
        }
      }
    }
    for (size_t k = 0; k < output_axes_.size(); ++k) {
      LATHE_ASSIGN_OR_RETURN(ir::Tensor joined,
                             collected.Join(k, output_axes_[k], output_directions_[k] != 0,
                                            *outputs[carried_ + k].value()));
      state.push_back(std::move(joined));
    }
    return state;
  }

 private:
  size_t scanned_;
  size_t carried_;
  std::vector<int64_t> input_axes_;
  std::vector<int64_t> input_directions_;
  std::vector<int64_t> output_axes_;
  std::vector<int64_t> output_directions_;
  Body body_;
};

}  // namespace

bool HasAscendBody(const ir::Node& node) {
  return std::ranges::any_of(node.bodies(), [](const ir::Graph* body) {
    return std::ranges::any_of(body->nodes(), [](const ir::Node& inner) {
      return integer::IsAscend(inner) || HasAscendBody(inner);
    });
  });
}

StatusOr<std::unique_ptr<BodyNode>> MakeBodyNode(const ir::Node& node, eval::Engine& engine,
                                                 int threads) {
  if (node.Is("If")) {
    const ir::Graph* then_body = BodyNamed(node, "then_branch");
    const ir::Graph* else_body = BodyNamed(node, "else_branch");
    if (then_body != nullptr && else_body != nullptr && node.input(0) != nullptr) {
      return std::make_unique<IfNode>(*then_body, *else_body, engine, threads);
    }
  }
  const ir::Graph* body = BodyNamed(node, "body");
  const size_t outputs = body == nullptr ? 0 : body->outputs().size();
  if (node.Is("Loop") && body != nullptr && node.num_inputs() >= 2 &&
      outputs + 1 >= node.num_inputs()) {
    return std::make_unique<LoopNode>(node, *body, engine, threads);
  }
  if (node.Is("Scan") && body != nullptr) {
    const int64_t scanned = node.IntAttribute("num_scan_inputs", 0);
    const auto inputs = static_cast<int64_t>(node.num_inputs());
    // Before opset 9 it also had a batch.
    const bool batched = node.model().OpsetVersion("") < 9;
    if (!batched && scanned >= 1 && scanned <= inputs &&
        static_cast<int64_t>(outputs) >= inputs - scanned) {
      return std::make_unique<ScanNode>(node, *body, engine, threads);
    }
  }
  return Unsupported("operator {} with quantised layers in its body is not executed",
                     node.op_text());
}

}  // namespace lathe::runtime
