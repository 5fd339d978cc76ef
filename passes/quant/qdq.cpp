#include "lathe/passes/quant/qdq.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "lathe/passes/canonical/operands.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

struct IntegerType {
  int bits = 8;
  bool is_unsigned = false;
  // Taken off integers and zero points.
  int32_t shift() const { return is_unsigned ? 1 << (bits - 1) : 0; }
};

std::optional<IntegerType> IntegerTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kInt4:
      return IntegerType{4, false};
    case ElementType::kUint4:
      return IntegerType{4, true};
    case ElementType::kInt8:
      return IntegerType{8, false};
    case ElementType::kUint8:
      return IntegerType{8, true};
    case ElementType::kInt16:
      return IntegerType{16, false};
    case ElementType::kUint16:
      return IntegerType{16, true};
    case ElementType::kInt32:
      return IntegerType{32, false};
    default:
      return std::nullopt;
  }
}

QdqRefusal Refuse(std::string reason) { return {std::move(reason)}; }

bool IsOperator(const ir::Node& node, std::string_view op) {
  // ONNX Runtime has its own of the same meaning, for types that came into ONNX later.
  return node.op_text() == op &&
         (node.domain_text().empty() || node.domain_text() == "com.microsoft");
}

// Integers of a tensor, also of 4 bits (two a byte, the first in the low half).
StatusOr<std::vector<int64_t>> IntegersOf(const ir::Tensor& tensor) {
  const ElementType type = tensor.element_type();
  if (type != ElementType::kInt4 && type != ElementType::kUint4) return tensor.ValuesAsInt64();
  LATHE_ASSIGN_OR_RETURN(const auto bytes, tensor.Read());
  std::vector<int64_t> values(static_cast<size_t>(tensor.num_elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto pair = static_cast<uint8_t>(bytes.bytes()[i / 2]);
    const int half = i % 2 == 0 ? pair & 15 : pair >> 4;
    values[i] = type == ElementType::kInt4 && half > 7 ? half - 16 : half;
  }
  return values;
}

// Scales and zero points of one end of a pair.
struct Parameters {
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  IntegerType type;
  int64_t axis = 1;
};

// `integers` is the element type of what stands on the integers' side, where that is known.
std::variant<Parameters, QdqRefusal> ReadParameters(const ir::Node& node, ElementType integers) {
  if (node.num_inputs() < 2 || node.input(1) == nullptr) return Refuse("it has no scale");
  const ir::Tensor scale = node.input(1)->ConstantTensor();
  if (!scale) return Refuse("its scale is computed");
  if (scale.element_type() != ElementType::kFloat32) {
    return Refuse(fmt::format("its scale is {}", ir::ElementTypeName(scale.element_type())));
  }
  if (node.IntAttribute("block_size", 0) != 0) return Refuse("its scales are those of blocks");
  if (scale.rank() > 1) return Refuse("its scales are not along one axis");
  Parameters parameters;
  parameters.axis = node.IntAttribute("axis", 1);
  const auto scales = scale.ValuesAsFloat();
  if (!scales.ok()) return Refuse("its scale cannot be read");
  parameters.scales = *scales;
  for (const float value : parameters.scales) {
    if (!std::isnormal(value) || value < 0 || !std::isfinite(1.0f / value)) {
      return Refuse(fmt::format("its scale {} is not usable", value));
    }
  }
  const ir::Value* zero = node.num_inputs() > 2 ? node.input(2) : nullptr;
  parameters.zeros.assign(parameters.scales.size(), 0);
  ElementType type = integers;
  std::vector<int64_t> zeros(parameters.scales.size(), 0);
  if (zero != nullptr) {
    const ir::Tensor tensor = zero->ConstantTensor();
    if (!tensor) return Refuse("its zero point is computed");
    type = tensor.element_type();
    if (IntegerTypeOf(type).has_value()) {
      auto values = IntegersOf(tensor);
      if (!values.ok()) return Refuse("its zero point cannot be read");
      zeros = *std::move(values);
    }
    if (zeros.size() != parameters.scales.size()) {
      return Refuse(fmt::format("it has {} scales and {} zero points", parameters.scales.size(),
                                zeros.size()));
    }
  }
  const auto known = IntegerTypeOf(type);
  if (!known.has_value()) {
    return Refuse(fmt::format("its integers are {}", ir::ElementTypeName(type)));
  }
  parameters.type = *known;
  for (size_t i = 0; i < zeros.size(); ++i) {
    parameters.zeros[i] = static_cast<int32_t>(zeros[i] - known->shift());
  }
  return parameters;
}

// The integers that a QuantizeLinear makes where no zero point says it.
ElementType ResultTypeOf(const ir::Node& quantize) {
  const int64_t wanted = quantize.IntAttribute("output_dtype", 0);
  return wanted == 0 ? ElementType::kUint8 : static_cast<ElementType>(wanted);
}

// A bound of a Clip of integers, of either form; nothing: it is computed. `otherwise` where absent.
std::optional<int64_t> Bound(const ir::Node& clip, size_t input, int64_t otherwise) {
  if (clip.num_inputs() <= input || clip.input(input) == nullptr) return otherwise;
  const ir::Tensor tensor = clip.input(input)->ConstantTensor();
  if (!tensor || tensor.num_elements() != 1) return std::nullopt;
  const auto values = IntegersOf(tensor);
  if (!values.ok()) return std::nullopt;
  return (*values)[0];
}

struct Bounds {
  int64_t low = 0;
  int64_t high = 0;
};

std::variant<Bounds, QdqRefusal> BoundsOf(const ir::Node& clip) {
  const auto low = Bound(clip, 1, INT64_MIN);
  const auto high = Bound(clip, 2, INT64_MAX);
  if (!low || !high) return Refuse("the bounds of its Clip are computed");
  return Bounds{*low, *high};
}

int32_t Clamp(int64_t value, Bounds bounds) {
  return static_cast<int32_t>(std::min(std::max(value, bounds.low), bounds.high));
}

// Strides of a dense tensor, last axis fastest.
std::vector<int64_t> StridesOf(const std::vector<int64_t>& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// Permutes the axes; nothing when `perm` is no permutation of them, else the complete permutation.
template <typename T>
std::optional<std::vector<int64_t>> Permute(std::vector<T>& values, std::vector<int64_t>& dims,
                                            std::vector<int64_t> perm) {
  const size_t rank = dims.size();
  if (perm.empty()) {
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> sorted = perm;
  std::ranges::sort(sorted);
  bool complete = perm.size() == rank;
  for (size_t i = 0; i < sorted.size(); ++i) complete &= sorted[i] == static_cast<int64_t>(i);
  if (!complete) return std::nullopt;
  const std::vector<int64_t> from = StridesOf(dims);
  std::vector<int64_t> moved_dims;
  std::vector<int64_t> strides;
  for (const int64_t axis : perm) {
    moved_dims.push_back(dims[static_cast<size_t>(axis)]);
    strides.push_back(from[static_cast<size_t>(axis)]);
  }
  std::vector<T> moved(values.size());
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  for (T& value : moved) {
    value = values[static_cast<size_t>(at)];
    for (size_t axis = rank; axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < moved_dims[axis]) break;
      at -= strides[axis] * moved_dims[axis];
      index[axis] = 0;
    }
  }
  values = std::move(moved);
  dims = std::move(moved_dims);
  return perm;
}

// A chain of Transposes, the last first, and what stands in front of it.
struct TransposeChain {
  std::vector<const ir::Node*> transposes;
  const ir::Value* source = nullptr;
};

TransposeChain BehindTransposes(const ir::Value& value) {
  TransposeChain chain{.transposes = {}, .source = &value};
  const ir::Node* node = value.producer();
  while (node != nullptr && node->Is("Transpose") && node->input(0) != nullptr) {
    chain.transposes.push_back(node);
    chain.source = node->input(0);
    node = chain.source->producer();
  }
  return chain;
}

// A constant of floats, as it is behind Transposes.
struct RealConstant {
  std::vector<int64_t> dims;
  std::vector<float> values;
};

std::optional<RealConstant> ReadReals(const ir::Value& value) {
  const TransposeChain chain = BehindTransposes(value);
  const ir::Tensor tensor = chain.source->ConstantTensor();
  if (!tensor || !ir::IsFloatingPoint(tensor.element_type())) return std::nullopt;
  auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return std::nullopt;
  RealConstant reals{{tensor.dims().begin(), tensor.dims().end()}, *std::move(values)};
  for (size_t i = chain.transposes.size(); i-- > 0;) {
    if (!Permute(reals.values, reals.dims, chain.transposes[i]->IntsAttribute("perm"))) {
      return std::nullopt;
    }
  }
  return reals;
}

// Which parameter belongs to an element.
class AlongAxis {
 public:
  AlongAxis(const std::vector<int64_t>& dims, int64_t axis, size_t count) : count_(count) {
    for (size_t i = static_cast<size_t>(axis) + 1; i < dims.size(); ++i) inner_ *= dims[i];
  }
  size_t operator()(size_t element) const {
    return count_ == 1 ? 0 : element / static_cast<size_t>(inner_) % count_;
  }

 private:
  size_t count_;
  int64_t inner_ = 1;
};

// Brings the axis into range; a refusal when the scales do not lie along it.
std::optional<QdqRefusal> CheckAxis(const std::vector<int64_t>& dims, size_t scales,
                                    int64_t& axis) {
  const auto rank = static_cast<int64_t>(dims.size());
  if (scales == 1) {
    axis = 0;
    return std::nullopt;
  }
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank || dims[static_cast<size_t>(axis)] != static_cast<int64_t>(scales)) {
    return Refuse(fmt::format("its {} scales do not lie along an axis", scales));
  }
  return std::nullopt;
}

// The integers, before their shift, that a QuantizeLinear of a constant computes.
std::variant<std::vector<int64_t>, QdqRefusal> QuantizeConstant(const ir::Node& quantize,
                                                                const RealConstant& reals) {
  auto read = ReadParameters(quantize, ResultTypeOf(quantize));
  if (auto* refusal = std::get_if<QdqRefusal>(&read)) return *refusal;
  auto& parameters = std::get<Parameters>(read);
  if (parameters.type.bits > 16) return Refuse("its integers are int32");
  if (auto refusal = CheckAxis(reals.dims, parameters.scales.size(), parameters.axis)) {
    return *refusal;
  }
  const AlongAxis parameter(reals.dims, parameters.axis, parameters.scales.size());
  const int32_t shift = parameters.type.shift();
  const Bounds range = {quant::MinQuantized(parameters.type.bits),
                        quant::MaxQuantized(parameters.type.bits)};
  std::vector<int64_t> integers(reals.values.size());
  for (size_t i = 0; i < integers.size(); ++i) {
    const size_t p = parameter(i);
    const float steps = std::nearbyint(reals.values[i] / parameters.scales[p]);
    if (std::isnan(steps)) return Refuse("its constant is not a number");
    const float kept = std::min(std::max(steps, -1e9f), 1e9f);
    integers[i] = Clamp(static_cast<int64_t>(kept) + parameters.zeros[p], range) + shift;
  }
  return integers;
}

// What a DequantizeLinear makes of a constant.
std::variant<QdqConstant, QdqRefusal> ReadDequantized(const ir::Node& node) {
  const ir::Value* source = node.input(0);
  std::optional<Bounds> clip;
  if (const ir::Node* clipping = source->producer();
      clipping != nullptr && clipping->Is("Clip") && clipping->input(0) != nullptr) {
    auto bounds = BoundsOf(*clipping);
    if (auto* refusal = std::get_if<QdqRefusal>(&bounds)) return *refusal;
    clip = std::get<Bounds>(bounds);
    source = clipping->input(0);
  }
  ir::Tensor tensor = source->ConstantTensor();
  std::vector<int64_t> integers;
  std::vector<int64_t> dims;
  ElementType type = ElementType::kUndefined;
  if (tensor) {
    type = tensor.element_type();
    dims.assign(tensor.dims().begin(), tensor.dims().end());
    if (!IntegerTypeOf(type)) {
      return Refuse(fmt::format("its integers are {}", ir::ElementTypeName(type)));
    }
    auto values = IntegersOf(tensor);
    if (!values.ok()) return Refuse("its integers cannot be read");
    integers = *std::move(values);
  } else {
    const ir::Node* quantize = source->producer();
    if (quantize == nullptr || !IsQuantize(*quantize) || quantize->input(0) == nullptr) {
      return Refuse("it is computed");
    }
    const auto reals = ReadReals(*quantize->input(0));
    if (!reals.has_value()) return Refuse("it is computed");
    auto made = QuantizeConstant(*quantize, *reals);
    if (auto* refusal = std::get_if<QdqRefusal>(&made)) return *refusal;
    dims = reals->dims;
    integers = std::get<std::vector<int64_t>>(std::move(made));
    type = quantize->num_inputs() > 2 && quantize->input(2) != nullptr
               ? quantize->input(2)->ConstantTensor().element_type()
               : ResultTypeOf(*quantize);
  }
  auto read = ReadParameters(node, type);
  if (auto* refusal = std::get_if<QdqRefusal>(&read)) return *refusal;
  auto& parameters = std::get<Parameters>(read);
  QdqConstant constant;
  constant.dims = std::move(dims);
  if (auto refusal = CheckAxis(constant.dims, parameters.scales.size(), parameters.axis)) {
    return *refusal;
  }
  const int32_t shift = parameters.type.shift();
  constant.integers.reserve(integers.size());
  for (const int64_t integer : integers) {
    const int64_t kept = clip.has_value() ? Clamp(integer, *clip) : integer;
    constant.integers.push_back(static_cast<int32_t>(kept - shift));
  }
  constant.bits = parameters.type.bits;
  constant.scales = std::move(parameters.scales);
  constant.zeros = std::move(parameters.zeros);
  constant.axis = parameters.axis;
  return constant;
}

}  // namespace

QdqRounding QdqRounding::In8Bits() const {
  QdqRounding wide = *this;
  if (wide.bits < 8) wide.bits = 8;
  return wide;
}

ir::Value* ClipReals(ir::Rewriter& rewriter, ir::Node& before, ir::Value* value,
                     const QdqRounding& rounding, const std::string& name) {
  const float low = static_cast<float>(rounding.low - rounding.zero) * rounding.scale;
  const float high = static_cast<float>(rounding.high - rounding.zero) * rounding.scale;
  ir::NodeSpec spec;
  spec.op = "Clip";
  spec.name = name;
  constexpr int64_t kBoundsAreInputs = 11;
  if (OpsetOf(before) < kBoundsAreInputs) {
    spec.inputs = {value};
    spec.attributes = {{"min", low}, {"max", high}};
  } else {
    spec.inputs = {value, &MakeConstant(rewriter, before, name + ".min", ir::Tensor::Scalar(low)),
                   &MakeConstant(rewriter, before, name + ".max", ir::Tensor::Scalar(high))};
  }
  ir::Node& node = rewriter.CreateNode(*before.graph(), &before, std::move(spec));
  rewriter.SetType(*node.output(), value->type_ref());
  return node.output();
}

bool IsQuantize(const ir::Node& node) { return IsOperator(node, "QuantizeLinear"); }
bool IsDequantize(const ir::Node& node) { return IsOperator(node, "DequantizeLinear"); }

std::variant<QdqPair, QdqRefusal> FindQdqPair(ir::Node& dequantize) {
  QdqPair pair;
  pair.dequantize = &dequantize;
  ir::Node* node = dequantize.input(0) == nullptr ? nullptr : dequantize.input(0)->producer();
  std::optional<Bounds> clip;
  if (node != nullptr && node->Is("Clip")) {
    auto bounds = BoundsOf(*node);
    if (auto* refusal = std::get_if<QdqRefusal>(&bounds)) return *refusal;
    clip = std::get<Bounds>(bounds);
    node = node->input(0) == nullptr ? nullptr : node->input(0)->producer();
  }
  if (node == nullptr || !IsQuantize(*node) || node->input(0) == nullptr) {
    return Refuse("its integers do not come from QuantizeLinear");
  }
  pair.quantize = node;
  auto in = ReadParameters(*node, ResultTypeOf(*node));
  if (auto* refusal = std::get_if<QdqRefusal>(&in)) return *refusal;
  const auto& parameters = std::get<Parameters>(in);
  const ElementType produced = node->num_inputs() > 2 && node->input(2) != nullptr
                                   ? node->input(2)->ConstantTensor().element_type()
                                   : ResultTypeOf(*node);
  auto out = ReadParameters(dequantize, produced);
  if (auto* refusal = std::get_if<QdqRefusal>(&out)) return *refusal;
  const auto& back = std::get<Parameters>(out);
  if (parameters.scales.size() != 1) return Refuse("its scales lie along an axis");
  if (parameters.scales != back.scales || parameters.zeros != back.zeros ||
      parameters.type.bits != back.type.bits ||
      parameters.type.is_unsigned != back.type.is_unsigned) {
    return Refuse("scale or zero point differ between QuantizeLinear and DequantizeLinear");
  }
  if (parameters.type.bits == 32) return Refuse("its integers are int32");
  QdqRounding& rounding = pair.rounding;
  rounding.scale = parameters.scales[0];
  rounding.zero = parameters.zeros[0];
  rounding.bits = parameters.type.bits;
  const Bounds range = {quant::MinQuantized(rounding.bits), quant::MaxQuantized(rounding.bits)};
  rounding.low = static_cast<int32_t>(range.low);
  rounding.high = static_cast<int32_t>(range.high);
  if (clip.has_value()) {
    const int32_t shift = parameters.type.shift();
    if (clip->low > clip->high) return Refuse("its Clip has no range");
    if (clip->low != INT64_MIN) rounding.low = Clamp(clip->low - shift, range);
    if (clip->high != INT64_MAX) rounding.high = Clamp(clip->high - shift, range);
  }
  return pair;
}

std::optional<QdqRounding> ReadQdqOutput(const ir::Node& quantize) {
  const auto read = ReadParameters(quantize, ResultTypeOf(quantize));
  const auto* parameters = std::get_if<Parameters>(&read);
  if (parameters == nullptr || parameters->scales.size() != 1 || parameters->type.bits != 8 ||
      parameters->type.is_unsigned) {
    return std::nullopt;
  }
  QdqRounding rounding;
  rounding.scale = parameters->scales[0];
  rounding.zero = parameters->zeros[0];
  return rounding;
}

bool QdqConstant::symmetric() const {
  return std::ranges::all_of(zeros, [](int32_t zero) { return zero == 0; });
}

std::vector<float> QdqConstant::Reals() const {
  const AlongAxis parameter(dims, axis, scales.size());
  std::vector<float> reals(integers.size());
  for (size_t i = 0; i < reals.size(); ++i) {
    const size_t p = parameter(i);
    reals[i] = static_cast<float>(int64_t{integers[i]} - zeros[p]) * scales[p];
  }
  return reals;
}

std::variant<QdqConstant, QdqRefusal> ReadQdqConstant(const ir::Value& value) {
  const TransposeChain chain = BehindTransposes(value);
  const ir::Node* node = chain.source->producer();
  if (node == nullptr || !IsDequantize(*node) || node->input(0) == nullptr) {
    return Refuse("it is not quantised");
  }
  auto read = ReadDequantized(*node);
  auto* constant = std::get_if<QdqConstant>(&read);
  if (constant == nullptr) return read;
  for (size_t i = chain.transposes.size(); i-- > 0;) {
    const auto perm =
        Permute(constant->integers, constant->dims, chain.transposes[i]->IntsAttribute("perm"));
    if (!perm) return Refuse("its Transpose has no permutation of its axes");
    if (!perm->empty()) constant->axis = std::ranges::find(*perm, constant->axis) - perm->begin();
  }
  return read;
}

bool IsQdqConstant(const ir::Value& value) {
  const ir::Value* source = &value;
  bool dequantized = false;
  while (!source->ConstantTensor()) {
    const ir::Node* node = source->producer();
    if (node == nullptr || node->num_inputs() == 0 || node->input(0) == nullptr) return false;
    if (IsDequantize(*node)) {
      dequantized = true;
    } else if (!node->Is("Transpose") && !node->Is("Clip") && !IsQuantize(*node)) {
      return false;
    }
    source = node->input(0);
  }
  return dequantized;
}

}  // namespace lathe::passes
