// Nodes of the quantised domain.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lathe/ir/input_spec.h"
#include "lathe/runtime/integer/builder.h"
#include "lathe/runtime/integer/known.h"
#include "lathe/runtime/integer/layer_reader.h"
#include "lathe/runtime/integer/matrix_step.h"
#include "lathe/runtime/integer/pool_step.h"

namespace lathe::runtime::integer {
namespace {

constexpr Epilogue::Op kRelu = {
    .kind = ElementOp::Kind::kClamp, .low = 0.0f, .high = std::numeric_limits<float>::infinity()};

// The AscendDequant that brings a layer's sums back, through the Add of a bias; null when there is
// none.
const ir::Node* DequantBehind(const ir::Value& sums) {
  for (const ir::Use& use : sums.uses()) {
    if (use.user()->Is("AscendDequant")) return use.user();
  }
  for (const ir::Use& use : sums.uses()) {
    if (!use.user()->Is("Add")) continue;
    for (const ir::Use& next : use.user()->output()->uses()) {
      if (next.user()->Is("AscendDequant")) return next.user();
    }
  }
  return nullptr;
}

// One value a channel, padded with zeros to whole vectors.
template <typename T, typename Get>
std::vector<T> PerChannel(const std::vector<quant::DequantParam>& words, const TensorInfo& info,
                          const Get& get) {
  std::vector<T> values(info.stride);
  for (size_t c = 0; c < info.channels; ++c) values[c] = get(words[words.size() == 1 ? 0 : c]);
  return values;
}

// The product of an input with stacked matrices: one segment for each pair that broadcasting makes.
// `dims` is the result's shape, to which the axes of the stack are added.
StatusOr<std::vector<MatrixSegment>> MakeSegments(const std::vector<int64_t>& input,
                                                  std::span<const int64_t> stack,
                                                  std::vector<int64_t>& dims) {
  const size_t own = std::min<size_t>(2, input.size());
  const std::vector<int64_t> outer(input.begin(), input.end() - static_cast<int64_t>(own));
  const size_t rank = std::max(outer.size(), stack.size());
  // Extent of an axis of `rank`, counted from the end as broadcasting does.
  const auto extent = [&](std::span<const int64_t> of, size_t axis) {
    return axis + of.size() < rank ? int64_t{1} : of[axis + of.size() - rank];
  };
  std::vector<int64_t> both;
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t a = extent(outer, axis), b = extent(stack, axis);
    if (a != b && a != 1 && b != 1) {
      return InvalidInput("the input {} and a stack {} of weights do not fit", ir::ShapeText(input),
                          ir::ShapeText(stack));
    }
    both.push_back(a == 1 ? b : a);
  }
  dims.erase(dims.begin(), dims.end() - static_cast<int64_t>(own));
  dims.insert(dims.begin(), both.begin(), both.end());
  LATHE_RETURN_IF_ERROR(ir::CheckedByteSize(ir::ElementType::kFloat64, dims).status());
  const size_t rows = own == 2 ? static_cast<size_t>(input[input.size() - 2]) : 1;
  size_t count = 1;
  for (const int64_t dim : both) count *= static_cast<size_t>(dim);
  std::vector<MatrixSegment> segments(count);
  for (size_t i = 0; i < count; ++i) {
    size_t rest = i, matrix = 0, matrices = 1, sample = 0, samples = 1;
    for (size_t axis = rank; axis-- > 0;) {
      const size_t at = rest % static_cast<size_t>(both[axis]);
      rest /= static_cast<size_t>(both[axis]);
      const auto a = static_cast<size_t>(extent(outer, axis));
      const auto b = static_cast<size_t>(extent(stack, axis));
      sample += (a == 1 ? 0 : at) * samples;
      matrix += (b == 1 ? 0 : at) * matrices;
      samples *= a;
      matrices *= b;
    }
    segments[i] = {.first_input_row = sample * rows, .matrix = matrix};
  }
  return segments;
}

}  // namespace

Status Builder::Expect(const ir::Node& node, const ir::Value& value, Domain domain) {
  if (State(value).domain == domain) return OkStatus();
  return InvalidInput("operator {} takes {}, '{}' is something else", node.op_text(),
                      domain == Domain::kFloat  ? "floats"
                      : domain == Domain::kSums ? "the sums of a quantised layer"
                                                : "what AscendQuant makes",
                      value.name_text());
}

Status Builder::Node(const ir::Node& node) {
  Domain domain = Domain::kFloat;
  const bool recurrent = node.op_text().starts_with("Basic");
  for (const ir::Use& use : node.inputs()) {
    if (use.value() == nullptr || IsConstant(*use.value())) continue;
    domain = std::max(domain, State(*use.value()).domain);
  }
  Status status;
  if (node.Is("AscendQuant")) {
    status = Quant(node);
  } else if (node.Is("AscendDequant")) {
    status = Dequant(node);
  } else if (node.Is("AscendAntiQuant")) {
    status = AntiQuant(node);
  } else if (recurrent) {
    status = Recurrent(node);
  } else if (domain == Domain::kFloat) {
    status = FloatNode(node);
  } else {
    status = QuantizedNode(node, domain);
  }
  if (status.ok() && !recurrent) State(*node.output()).domain = ResultDomain(node, domain);
  return status;
}

Status Builder::Quant(const ir::Node& node) {
  LATHE_ASSIGN_OR_RETURN(const QuantParams params, ReadQuantParams(node));
  const ir::Value& x = *node.input(0);
  LATHE_RETURN_IF_ERROR(Expect(node, x, Domain::kFloat));
  if (!State(x).epilogue) {
    LATHE_ASSIGN_OR_RETURN(const Chain chain, Continue(x, Preferred(*node.output())));
    Hand(chain, x);
  }
  const ValueState& state = State(x);
  const Element element = params.low < INT8_MIN ? Element::kInt16 : Element::kInt8;
  TensorInfo info = MakeTensorInfo(element, state.info.layout, state.info.dims);
  info.quant = params;
  const Layout layout = info.layout;
  const TensorId id = program_->AddTensor(std::move(info));
  state.epilogue->quants.push_back({.tensor = id, .params = params});
  State(*node.output()).tensor[layout == Layout::kPlain ? 0 : 1] = id;
  return OkStatus();
}

Status Builder::Dequant(const ir::Node& node) {
  const ir::Value& sums = *node.input(0);
  LATHE_RETURN_IF_ERROR(Expect(node, sums, Domain::kSums));
  const std::vector<int8_t> subtracted = State(sums).weight_offsets;
  LATHE_ASSIGN_OR_RETURN(Chain chain, Continue(sums, Layout::kPlain));
  LATHE_ASSIGN_OR_RETURN(const std::vector<quant::DequantParam> words,
                         ReadDequantWords(node, chain.info.channels));
  const bool shifted =
      std::ranges::any_of(words, [](const quant::DequantParam& word) { return word.shift != 0; });
  for (size_t c = 0; c < words.size(); ++c) {
    const int8_t done = subtracted.empty() ? int8_t{0} : subtracted[subtracted.size() == 1 ? 0 : c];
    if (words[c].offset_w != done) {
      return Unsupported("the parameter has offset_w {} where other nodes have {}",
                         words[c].offset_w, done);
    }
  }
  Epilogue& epilogue = *chain.epilogue;
  const auto scale = [](const quant::DequantParam& word) { return word.deq_scale; };
  if (chain.info.element == Element::kFloat) {
    // Behind an average, which is no integer.
    if (shifted) return Unsupported("a shift behind an average is not executed");
    epilogue.ops.push_back({.kind = ElementOp::Kind::kMulChannels,
                            .values = PerChannel<float>(words, chain.info, scale)});
  } else {
    epilogue.scale = PerChannel<float>(words, chain.info, scale);
  }
  if (shifted) {
    epilogue.shift = PerChannel<int32_t>(
        words, chain.info, [](const quant::DequantParam& word) { return int32_t{word.shift}; });
    epilogue.shift_scale = PerChannel<float>(
        words, chain.info,
        [](const quant::DequantParam& word) { return std::ldexp(1.0f, word.shift); });
  }
  if (node.IntAttribute("sqrt_mode", 0) != 0) return Unsupported("sqrt_mode is not executed");
  if (node.IntAttribute("relu_flag", 0) != 0) epilogue.ops.push_back(kRelu);
  if (node.IntAttribute("dtype", 0) == 1) {
    epilogue.ops.push_back({.kind = ElementOp::Kind::kHalf});
  }
  Hand(chain, *node.output());
  return OkStatus();
}

Status Builder::AntiQuant(const ir::Node& node) {
  LATHE_ASSIGN_OR_RETURN(const QuantParams params, ReadQuantParams(node));
  LATHE_RETURN_IF_ERROR(Expect(node, *node.input(0), Domain::kQuantized));
  LATHE_ASSIGN_OR_RETURN(const TensorId source, NeedAny(*node.input(0), Layout::kPlain));
  const TensorInfo quantized = program_->tensor(source);
  if (quantized.quant.offset != params.offset) {
    return Unsupported("the offset {} is not that of AscendQuant, {}", params.offset,
                       quantized.quant.offset);
  }
  LATHE_ASSIGN_OR_RETURN(Chain chain, Continue(*node.input(0), Layout::kPlain));
  chain.epilogue->ops.push_back({.kind = ElementOp::Kind::kMulChannels,
                                 .values = std::vector<float>(chain.info.stride, params.scale)});
  // Floats from here on.
  chain.info.quant = {};
  Hand(chain, *node.output());
  return OkStatus();
}

Status Builder::QuantizedNode(const ir::Node& node, Domain domain) {
  const bool sums = domain == Domain::kSums;
  if (!sums &&
      (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul"))) {
    return Layer(node);
  }
  if (!sums) {
    if (node.Is("AveragePool") || node.Is("GlobalAveragePool")) return AveragePool(node);
    if (node.Is("MaxPool")) return MaxPool(node);
    if (node.Is("Pad")) return Pad(node);
    if (node.Is("Concat")) return Concat(node);
    if (node.Is("Transpose")) return Transpose(node);
    for (const std::string_view op : {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"}) {
      if (node.Is(op)) return Reshape(node);
    }
  }
  return Unsupported("operator {} on {} is not executed", node.op_text(),
                     sums ? "the sums of a quantised layer" : "quantised values");
}

Status Builder::Layer(const ir::Node& node) {
  const bool conv = node.Is("Conv") || node.Is("ConvTranspose");
  const ir::Value& x = *node.input(0);
  if (IsConstant(x))
    return Unsupported("a quantised {} of a constant is not executed", node.op_text());
  LATHE_ASSIGN_OR_RETURN(const TensorId input,
                         Need(x, conv ? Layout::kChannelsLast : Layout::kPlain));
  const TensorInfo info = program_->tensor(input);
  if (info.element != Element::kInt8 && info.element != Element::kInt16) {
    return InvalidInput("the input '{}' is not quantised", x.name_text());
  }

  // A MatMul's bias is in the Add behind it.
  const ir::Value* result = node.output();
  const ir::Value* bias = nullptr;
  if (node.Is("MatMul") && result->has_one_use() && result->first_use()->user()->Is("Add") &&
      !outputs_.contains(result)) {
    const ir::Node& add = *result->first_use()->user();
    const ir::Value* other = add.input(1 - result->first_use()->index());
    if (other != nullptr && IsConstant(*other)) {
      bias = other;
      done_.insert(&add);
      result = add.output();
    }
  }
  std::vector<int8_t> offsets;
  if (const ir::Node* dequant = DequantBehind(*node.output())) {
    const ir::Tensor param = ConstantBehind(dequant->input(1));
    const auto count = param ? static_cast<size_t>(param.num_elements()) : 0;
    LATHE_ASSIGN_OR_RETURN(const auto words, ReadDequantWords(*dequant, count));
    for (const quant::DequantParam& word : words) offsets.push_back(word.offset_w);
    if (std::ranges::all_of(offsets, [](int8_t offset) { return offset == 0; })) offsets.clear();
  }
  LATHE_ASSIGN_OR_RETURN(const LayerWeights shape, ReadLayerWeights(node, info.dims, bias, {}));
  if (offsets.size() > 1 && offsets.size() != shape.output_channels()) {
    return InvalidInput("the parameter has {} words for {} channels", offsets.size(),
                        shape.output_channels());
  }
  LATHE_ASSIGN_OR_RETURN(
      const LayerWeights weights,
      offsets.empty() ? shape : ReadLayerWeights(node, info.dims, bias, offsets));

  MatrixLayer layer;
  layer.input = input;
  std::vector<int64_t> dims = info.dims;
  if (conv) {
    const auto kernel = ConstantBehind(node.input(1)).dims().subspan(2);
    if (const auto stated = node.IntsAttribute("kernel_shape");
        !stated.empty() && !std::ranges::equal(stated, kernel)) {
      return InvalidInput("kernel_shape is {}, the weight's is {}",
                          ir::ShapeText(std::span<const int64_t>(stated)), ir::ShapeText(kernel));
    }
    LATHE_ASSIGN_OR_RETURN(layer.window,
                           ReadWindow(node, info.dims, {kernel.begin(), kernel.end()}));
    dims[1] = static_cast<int64_t>(weights.total_columns());
    for (size_t i = 0; i < kernel.size(); ++i) dims[i + 2] = layer.window.axes()[i].out;
  } else {
    dims.back() = static_cast<int64_t>(weights.output_channels());
    LATHE_ASSIGN_OR_RETURN(layer.window, Window::Make({}));
    if (weights.stacked) {
      const auto stack = ConstantBehind(node.input(1)).dims();
      LATHE_ASSIGN_OR_RETURN(layer.segments,
                             MakeSegments(info.dims, stack.first(stack.size() - 2), dims));
    }
  }
  LATHE_RETURN_IF_ERROR(ir::CheckedByteSize(ir::ElementType::kFloat64, dims).status());
  layer.result = MakeTensorInfo(Element::kInt32, info.layout, dims);
  layer.accumulator = ChooseAccumulator(weights, info.quant);
  if (layer.accumulator == Accumulator::kInt64) {
    notes_.push_back(fmt::format("layer '{}': sums may reach {}, so they are added up in 64 bits",
                                 node.display_name(), LargestSum(weights, info.quant)));
  }
  const TensorInfo shape_of_result = layer.result;
  const auto epilogue = std::make_shared<Epilogue>();
  program_->AddStep(MakeMatrixStep(std::move(layer), weights, info, program_->kernels(), epilogue));
  Open(*result, epilogue, shape_of_result);
  State(*result).weight_offsets = std::move(offsets);
  State(*result).domain = Domain::kSums;
  return OkStatus();
}

Status Builder::AveragePool(const ir::Node& node) {
  LATHE_ASSIGN_OR_RETURN(const TensorId input, Need(*node.input(0), Layout::kChannelsLast));
  const TensorInfo info = program_->tensor(input);
  if (info.dims.size() < 3) {
    return InvalidInput("the input {} has no spatial axes", ir::ShapeText(info.dims));
  }
  PoolLayer layer;
  layer.input = input;
  std::vector<int64_t> dims = info.dims;
  if (node.Is("GlobalAveragePool")) {
    std::vector<WindowAxis> axes;
    for (size_t i = 2; i < dims.size(); ++i) {
      axes.push_back({.in = dims[i], .out = 1, .taps = dims[i]});
    }
    LATHE_ASSIGN_OR_RETURN(layer.window, Window::Make(std::move(axes)));
  } else {
    LATHE_ASSIGN_OR_RETURN(layer.window,
                           ReadWindow(node, info.dims, node.IntsAttribute("kernel_shape")));
    layer.count_padding = node.IntAttribute("count_include_pad", 0) != 0;
  }
  for (size_t i = 2; i < dims.size(); ++i) dims[i] = layer.window.axes()[i - 2].out;
  layer.result = MakeTensorInfo(Element::kFloat, Layout::kChannelsLast, dims);
  const TensorInfo result = layer.result;
  const auto epilogue = std::make_shared<Epilogue>();
  program_->AddStep(MakeAveragePoolStep(std::move(layer), epilogue));
  Open(*node.output(), epilogue, result);
  return OkStatus();
}

}  // namespace lathe::runtime::integer
