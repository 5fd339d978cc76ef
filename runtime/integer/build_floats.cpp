// Float nodes between the quantised ones, and nodes that move elements.
#include <limits>
#include <utility>

#include "lathe/ir/input_spec.h"
#include "lathe/runtime/integer/builder.h"
#include "lathe/runtime/integer/copy_step.h"
#include "lathe/runtime/integer/known.h"
#include "lathe/runtime/integer/layer_reader.h"
#include "lathe/runtime/integer/pool_step.h"

namespace lathe::runtime::integer {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

StatusOr<float> Bound(const ir::Value* value, float absent) {
  if (value == nullptr) return absent;
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> bound, value->ConstantTensor().ValuesAsFloat());
  return bound.at(0);
}

}  // namespace

Status Builder::FloatNode(const ir::Node& node) {
  if (node.Is("Relu") || node.Is("Clip") || node.Is("LeakyRelu")) return Clamp(node);
  if (node.Is("Add") || node.Is("Mul")) return Binary(node);
  if (node.Is("MaxPool")) return MaxPool(node);
  if (node.Is("GlobalAveragePool")) return AveragePool(node);
  if (node.Is("Concat")) return Concat(node);
  return Reshape(node);
}

Status Builder::Clamp(const ir::Node& node) {
  const ir::Value& x = *node.input(0);
  LATHE_ASSIGN_OR_RETURN(Chain chain, Continue(x, Preferred(*node.output())));
  Epilogue::Op op;
  if (node.Is("LeakyRelu")) {
    op.kind = ElementOp::Kind::kLeaky;
    op.low = node.FloatAttribute("alpha", 0.01f);
  } else if (node.Is("Relu")) {
    op.low = 0.0f;
    op.high = kInfinity;
  } else {
    LATHE_ASSIGN_OR_RETURN(op.low, Bound(node.input(1), -kInfinity));
    LATHE_ASSIGN_OR_RETURN(op.high, Bound(node.input(2), kInfinity));
  }
  chain.epilogue->ops.push_back(std::move(op));
  Hand(chain, *node.output());
  return OkStatus();
}

Status Builder::Binary(const ir::Node& node) {
  const bool add = node.Is("Add");
  const bool constant = IsConstant(*node.input(0)) || IsConstant(*node.input(1));
  if (constant) {
    const size_t at = IsConstant(*node.input(0)) ? 1 : 0;
    const ir::Value& x = *node.input(at);
    LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, Dims(x));
    const auto channel = ReadChannelConstant(*node.input(1 - at), dims);
    const bool last = !channel->axis || *channel->axis + 1 == dims.size();
    const Layout layout = last ? Layout::kPlain : Layout::kChannelsLast;
    LATHE_ASSIGN_OR_RETURN(Chain chain,
                           Continue(x, channel->axis ? layout : Preferred(*node.output()),
                                    channel->axis && dims.size() > 2));
    Epilogue::Op op;
    op.kind = add ? ElementOp::Kind::kAddChannels : ElementOp::Kind::kMulChannels;
    op.values = channel->values;
    op.values.resize(chain.info.stride, channel->axis ? 0.0f : channel->values[0]);
    chain.epilogue->ops.push_back(std::move(op));
    Hand(chain, *node.output());
    return OkStatus();
  }
  // The operand that is made last goes on, the other is read as a tensor.
  size_t at = 0;
  const auto step = [&](size_t i) {
    const ir::Value& value = *node.input(i);
    return Extendable(value) ? State(value).step + 1 : 0;
  };
  if (step(1) > step(0)) at = 1;
  const ir::Value* x = node.input(at);
  const ir::Value* other = node.input(1 - at);
  const bool fused = Extendable(*x);
  const Layout layout = fused ? State(*x).info.layout : Preferred(*node.output());
  LATHE_ASSIGN_OR_RETURN(const TensorId tensor, Need(*other, layout));
  // The other tensor must be there when the step runs.
  const bool ready = fused && program_->FirstWriter(tensor) < State(*x).step;
  Chain chain;
  if (ready) {
    chain = {State(*x).epilogue, State(*x).step, State(*x).info};
  } else {
    LATHE_RETURN_IF_ERROR(Need(*x, layout).status());
    LATHE_ASSIGN_OR_RETURN(chain, Continue(*x, layout, true));
  }
  Epilogue::Op op;
  op.kind = add ? ElementOp::Kind::kAddTensor : ElementOp::Kind::kMulTensor;
  op.tensor = tensor;
  chain.epilogue->ops.push_back(std::move(op));
  Hand(chain, *node.output());
  return OkStatus();
}

Status Builder::MaxPool(const ir::Node& node) {
  LATHE_ASSIGN_OR_RETURN(const TensorId input, Need(*node.input(0), Layout::kChannelsLast));
  const TensorInfo info = program_->tensor(input);
  if (info.dims.size() < 3) {
    return InvalidInput("the input {} has no spatial axes", ir::ShapeText(info.dims));
  }
  PoolLayer layer;
  layer.input = input;
  LATHE_ASSIGN_OR_RETURN(layer.window,
                         ReadWindow(node, info.dims, node.IntsAttribute("kernel_shape")));
  std::vector<int64_t> dims = info.dims;
  for (size_t i = 2; i < dims.size(); ++i) dims[i] = layer.window.axes()[i - 2].out;
  layer.result = MakeTensorInfo(info.element, Layout::kChannelsLast, dims);
  layer.result.quant = info.quant;
  const TensorInfo result = layer.result;
  if (info.element == Element::kFloat) {
    const auto epilogue = std::make_shared<Epilogue>();
    program_->AddStep(MakeMaxPoolStep(std::move(layer), epilogue));
    Open(*node.output(), epilogue, result);
  } else {
    const TensorId output = program_->AddTensor(result);
    program_->AddStep(MakeQuantizedMaxPoolStep(std::move(layer), output));
    State(*node.output()).tensor[1] = output;
  }
  return OkStatus();
}

Status Builder::Reshape(const ir::Node& node) {
  const ir::Value& x = *node.input(0);
  LATHE_ASSIGN_OR_RETURN(std::vector<int64_t> dims, Dims(*node.output()));
  // Channels and one pixel: [N, C, 1, 1] and [N, C] are the same rows.
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> old_dims, Dims(x));
  std::vector<int64_t> with_pixel = dims;
  if (old_dims.size() > 2) with_pixel.resize(old_dims.size(), 1);
  if (old_dims.size() > 2 && dims.size() == 2 && with_pixel == old_dims) {
    LATHE_ASSIGN_OR_RETURN(const TensorId source, Need(x, Layout::kChannelsLast));
    const TensorInfo& info = program_->tensor(source);
    TensorInfo flat = MakeTensorInfo(info.element, Layout::kPlain, dims);
    flat.quant = info.quant;
    CopyPlan plan{.dims = dims, .from = flat.Strides(), .to = flat.Strides()};
    const TensorId id = program_->AddTensor(std::move(flat));
    program_->AddStep(MakeCopyStep(source, id, std::move(plan), false));
    State(*node.output()).tensor[0] = id;
    return OkStatus();
  }
  LATHE_ASSIGN_OR_RETURN(const TensorId source, NeedAny(x, Layout::kPlain));
  const TensorInfo from = program_->tensor(source);
  int64_t count = 1;
  int64_t wanted = 1;
  for (const int64_t dim : from.dims) count *= dim;
  for (const int64_t dim : dims) wanted *= dim;
  if (count != wanted) {
    return InvalidInput("{} does not become {}", ir::ShapeText(from.dims), ir::ShapeText(dims));
  }
  // Through a dense tensor: one long row of elements in logical order.
  TensorInfo dense = MakeTensorInfo(from.element, Layout::kPlain, {count});
  dense.quant = from.quant;
  TensorInfo to = MakeTensorInfo(from.element, Layout::kPlain, dims);
  to.quant = from.quant;
  CopyPlan gather{.dims = from.dims, .from = from.Strides(), .to = DenseStrides(from.dims)};
  CopyPlan spread{.dims = dims, .from = DenseStrides(dims), .to = to.Strides()};
  const TensorId middle = program_->AddTensor(std::move(dense));
  const TensorId result = program_->AddTensor(std::move(to));
  program_->AddStep(MakeCopyStep(source, middle, std::move(gather), false));
  program_->AddStep(MakeCopyStep(middle, result, std::move(spread), false));
  State(*node.output()).tensor[0] = result;
  return OkStatus();
}

Status Builder::Transpose(const ir::Node& node) {
  LATHE_ASSIGN_OR_RETURN(const TensorId source, NeedAny(*node.input(0), Layout::kPlain));
  const TensorInfo from = program_->tensor(source);
  std::vector<int64_t> order = node.IntsAttribute("perm");
  if (order.empty()) {
    for (size_t i = from.dims.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  }
  if (order.size() != from.dims.size()) {
    return InvalidInput("perm has {} axes, the input {}", order.size(), ir::ShapeText(from.dims));
  }
  const std::vector<int64_t> strides = from.Strides();
  CopyPlan plan;
  std::vector<bool> used(order.size());
  for (const int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(order.size()) || used[static_cast<size_t>(axis)]) {
      return InvalidInput("perm holds {} where it cannot", axis);
    }
    used[static_cast<size_t>(axis)] = true;
    plan.dims.push_back(from.dims[static_cast<size_t>(axis)]);
    plan.from.push_back(strides[static_cast<size_t>(axis)]);
  }
  TensorInfo to = MakeTensorInfo(from.element, Layout::kPlain, plan.dims);
  to.quant = from.quant;
  plan.to = to.Strides();
  const TensorId result = program_->AddTensor(std::move(to));
  program_->AddStep(MakeCopyStep(source, result, std::move(plan), false));
  State(*node.output()).tensor[0] = result;
  return OkStatus();
}

Status Builder::Concat(const ir::Node& node) {
  const Layout layout = Preferred(*node.output());
  LATHE_ASSIGN_OR_RETURN(std::vector<int64_t> dims, Dims(*node.input(0)));
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = node.IntAttribute("axis", 0);
  if (axis < -rank || axis >= rank) return InvalidInput("axis {} of rank {}", axis, rank);
  if (axis < 0) axis += rank;
  const auto at = static_cast<size_t>(axis);
  std::vector<TensorId> sources;
  dims[at] = 0;
  for (const ir::Use& use : node.inputs()) {
    if (use.value() == nullptr || IsConstant(*use.value())) {
      return Unsupported("operator Concat with a constant among quantised values is not executed");
    }
    LATHE_ASSIGN_OR_RETURN(const TensorId source, Need(*use.value(), layout));
    sources.push_back(source);
    const TensorInfo& info = program_->tensor(source);
    const TensorInfo& first = program_->tensor(sources[0]);
    std::vector<int64_t> expected = info.dims;
    if (info.dims.size() == dims.size()) expected[at] = dims[at];
    if (expected != dims) {
      return InvalidInput("{} does not fit beside {}", ir::ShapeText(info.dims),
                          ir::ShapeText(first.dims));
    }
    if (info.element != first.element || info.quant != first.quant) {
      return Unsupported("operator Concat of differently quantised values is not executed");
    }
    dims[at] += info.dims[at];
  }
  const TensorInfo first = program_->tensor(sources[0]);
  TensorInfo to = MakeTensorInfo(first.element, layout, dims);
  to.quant = first.quant;
  const std::vector<int64_t> strides = to.Strides();
  const Layout chosen = to.layout;
  const TensorId result = program_->AddTensor(std::move(to));
  int64_t start = 0;
  for (const TensorId source : sources) {
    const TensorInfo& info = program_->tensor(source);
    CopyPlan plan{.dims = info.dims, .from = info.Strides(), .to = strides};
    plan.to_start = start * strides[at];
    start += info.dims[at];
    program_->AddStep(MakeCopyStep(source, result, std::move(plan), false));
  }
  State(*node.output()).tensor[chosen == Layout::kPlain ? 0 : 1] = result;
  return OkStatus();
}

Status Builder::Pad(const ir::Node& node) {
  if (node.StringAttribute("mode", "constant") != "constant") {
    return Unsupported("operator Pad of quantised values with mode '{}' is not executed",
                       node.StringAttribute("mode", ""));
  }
  if (node.input(2) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(const auto values, ReadIntegers(node.input(2), "padding value"));
    if (values.size() != 1 || values[0] != 0) {
      return Unsupported(
          "operator Pad of quantised values with something else than zero is not "
          "executed");
    }
  }
  if (node.input(3) != nullptr) {
    return Unsupported("operator Pad of quantised values with axes is not executed");
  }
  std::vector<int64_t> pads = node.IntsAttribute("pads");
  if (node.input(1) != nullptr) {
    const ir::Tensor tensor = ConstantBehind(node.input(1));
    if (!tensor) return Unsupported("the pads '{}' are not constant", node.input(1)->name_text());
    LATHE_ASSIGN_OR_RETURN(pads, tensor.ValuesAsInt64());
  }
  LATHE_ASSIGN_OR_RETURN(const TensorId source, Need(*node.input(0), Layout::kChannelsLast));
  const TensorInfo from = program_->tensor(source);
  const size_t rank = from.dims.size();
  if (pads.size() != 2 * rank) {
    return InvalidInput("there are {} pads for an input {}", pads.size(), ir::ShapeText(from.dims));
  }
  std::vector<int64_t> dims = from.dims;
  for (size_t i = 0; i < 2 * rank; ++i) {
    if (pads[i] < 0 || pads[i] > INT32_MAX) {
      return Unsupported("operator Pad of quantised values by {} is not executed", pads[i]);
    }
    dims[i % rank] += pads[i];
  }
  LATHE_RETURN_IF_ERROR(ir::CheckedByteSize(ir::ElementType::kFloat64, dims).status());
  TensorInfo to = MakeTensorInfo(from.element, Layout::kChannelsLast, dims);
  to.quant = from.quant;
  CopyPlan plan{.dims = from.dims, .from = from.Strides(), .to = to.Strides()};
  for (size_t i = 0; i < rank; ++i) plan.to_start += pads[i] * plan.to[i];
  const Layout layout = to.layout;
  const TensorId result = program_->AddTensor(std::move(to));
  program_->AddStep(MakeCopyStep(source, result, std::move(plan), true));
  State(*node.output()).tensor[layout == Layout::kPlain ? 0 : 1] = result;
  return OkStatus();
}

}  // namespace lathe::runtime::integer
