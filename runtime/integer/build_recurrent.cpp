// BasicLSTMInplaceFillWindowCache and BasicGRUInplaceFillWindowCache.
#include <cmath>
#include <utility>

#include "lathe/ir/input_spec.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/runtime/integer/builder.h"
#include "lathe/runtime/integer/layer_reader.h"
#include "lathe/runtime/integer/recurrent_step.h"

namespace lathe::runtime::integer {
namespace {

// Where the operators have what.
struct Places {
  size_t initial_c;
  size_t bias;
  size_t lengths;
  size_t param;
};
constexpr size_t kInitialH = 3;
constexpr Places kLstm = {.initial_c = 4, .bias = 5, .lengths = 6, .param = 8};
constexpr Places kGru = {.initial_c = SIZE_MAX, .bias = 4, .lengths = 5, .param = 7};

StatusOr<QuantParams> ReadSide(const ir::Node& node, const std::string& side) {
  QuantParams params;
  params.scale = node.FloatAttribute("quant_scale_" + side, 0.0f);
  const float offset = node.FloatAttribute("quant_offset_" + side, 0.0f);
  constexpr int64_t kInt8 = 2;
  constexpr int64_t kInt16 = 6;
  const int64_t type = node.IntAttribute("quant_dtype", kInt8);
  if (type != kInt8 && type != kInt16) {
    return InvalidInput("quant_dtype {} is neither 2 (INT8) nor 6 (INT16)", type);
  }
  if (type == kInt16) {
    params.low = INT16_MIN;
    params.high = INT16_MAX;
  }
  const bool whole = offset == std::rint(offset) && offset >= static_cast<float>(params.low) &&
                     offset <= static_cast<float>(params.high);
  if (!std::isfinite(params.scale) || !whole) {
    return InvalidInput("quant_scale_{} is {} and quant_offset_{} is {}", side, params.scale, side,
                        offset);
  }
  if (node.IntAttribute("quant_sqrt_mode_" + side, 0) != 0) {
    return Unsupported("quant_sqrt_mode_{} is not executed", side);
  }
  params.offset = static_cast<int32_t>(offset);
  return params;
}

Status CheckAttributes(const ir::Node& node, bool lstm) {
  const ir::Attribute* activations = node.FindAttribute("activations");
  const auto* names =
      activations == nullptr ? nullptr : activations->get_if<std::vector<std::string>>();
  if (names != nullptr) {
    for (size_t i = 0; i < names->size(); ++i) {
      const size_t functions = lstm ? 3 : 2;
      const std::string_view expected = i % functions == 0 ? "Sigmoid" : "Tanh";
      if ((*names)[i] == expected) continue;
      return Unsupported("activation {} is not executed", (*names)[i]);
    }
  }
  return OkStatus();
}

StatusOr<std::vector<bool>> Directions(const ir::Node& node) {
  const std::string direction = node.StringAttribute("direction", "forward");
  if (direction == "forward") return std::vector<bool>{false};
  if (direction == "reverse") return std::vector<bool>{true};
  if (direction == "bidirectional") return std::vector<bool>{false, true};
  return InvalidInput("direction '{}' is not known", direction);
}

// [directions][columns] from [directions][2 * columns]: one half.
std::vector<int32_t> Half(const std::vector<int32_t>& both, size_t directions, size_t columns,
                          size_t half) {
  std::vector<int32_t> values(directions * columns);
  if (both.empty()) return values;
  for (size_t d = 0; d < directions; ++d) {
    for (size_t c = 0; c < columns; ++c) {
      values[d * columns + c] = both[(2 * d + half) * columns + c];
    }
  }
  return values;
}

// The words are [2 * n]: n for x, then n for h, n either the number of columns or of gates; the
// same for all directions.
Status ReadScales(const ir::Node& node, size_t param, RecurrentLayer& layer) {
  const ir::Tensor tensor = ConstantBehind(node.input(param));
  if (!tensor) return Unsupported("the dequant parameter is not constant");
  if (tensor.element_type() != ir::ElementType::kUint64) {
    return InvalidInput("the dequant parameter is {}, not u64",
                        ir::ElementTypeName(tensor.element_type()));
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<uint64_t> words, tensor.Values<uint64_t>());
  const size_t columns = layer.gates() * layer.hidden;
  if (words.size() != 2 * columns && words.size() != 2 * layer.gates()) {
    return InvalidInput("the dequant parameter has {} words, not {} or {}", words.size(),
                        2 * columns, 2 * layer.gates());
  }
  const size_t half = words.size() / 2;
  for (size_t d = 0; d < layer.reversed.size(); ++d) {
    for (size_t c = 0; c < columns; ++c) {
      const size_t at = half == columns ? c : c / layer.hidden;
      const quant::DequantParam x = quant::DecodeDequantWord(words[at]);
      const quant::DequantParam h = quant::DecodeDequantWord(words[half + at]);
      if (!std::isfinite(x.deq_scale) || !std::isfinite(h.deq_scale) || x.shift != 0 ||
          h.shift != 0 || x.offset_w != 0 || h.offset_w != 0) {
        return InvalidInput("the dequant parameter of column {} is not a plain scale", c);
      }
      layer.scale_x.push_back(x.deq_scale);
      layer.scale_h.push_back(h.deq_scale);
    }
  }
  return OkStatus();
}

}  // namespace

Status Builder::Recurrent(const ir::Node& node) {
  RecurrentLayer layer;
  layer.lstm = node.Is("BasicLSTMInplaceFillWindowCache");
  const Places places = layer.lstm ? kLstm : kGru;
  LATHE_RETURN_IF_ERROR(CheckAttributes(node, layer.lstm));
  for (size_t i = places.lengths + 1; i < node.num_inputs(); ++i) {
    if (i == places.param || node.input(i) == nullptr) continue;
    return Unsupported("operand {} ('{}') is not executed", i, node.input(i)->name_text());
  }
  LATHE_ASSIGN_OR_RETURN(layer.reversed, Directions(node));
  LATHE_ASSIGN_OR_RETURN(layer.quant_x, ReadSide(node, "x"));
  LATHE_ASSIGN_OR_RETURN(layer.quant_h, ReadSide(node, "h"));
  layer.linear_before_reset = node.IntAttribute("linear_before_reset", 1) != 0;
  layer.input_forget = node.IntAttribute("input_forget", 0) != 0;
  layer.clip = node.FloatAttribute("clip", -1.0f);
  LATHE_RETURN_IF_ERROR(Expect(node, *node.input(0), Domain::kFloat));
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, Dims(*node.input(0)));
  LATHE_ASSIGN_OR_RETURN(layer.w, ReadIntegers(node.input(1), "weight"));
  LATHE_ASSIGN_OR_RETURN(layer.r, ReadIntegers(node.input(2), "recurrence weight"));
  const ir::Tensor w = ConstantBehind(node.input(1));
  const ir::Tensor r = ConstantBehind(node.input(2));
  const auto directions = static_cast<int64_t>(layer.reversed.size());
  const int64_t hidden = node.IntAttribute("hidden_size", r.rank() == 3 ? r.dims()[2] : 0);
  const auto gates = static_cast<int64_t>(layer.gates());
  if (dims.size() != 3 || w.rank() != 3 || r.rank() != 3 || hidden < 1 ||
      w.dims()[0] != directions || r.dims()[0] != directions || w.dims()[1] != r.dims()[1] ||
      w.dims()[1] % gates != 0 || w.dims()[1] / gates != hidden || r.dims()[2] != hidden ||
      w.dims()[2] != dims[2]) {
    return InvalidInput("input {}, weight {} and recurrence weight {} do not fit together",
                        ir::ShapeText(std::span<const int64_t>(dims)), ir::ShapeText(w.dims()),
                        ir::ShapeText(r.dims()));
  }
  layer.steps = static_cast<size_t>(dims[0]);
  layer.batch = static_cast<size_t>(dims[1]);
  layer.inputs = static_cast<size_t>(dims[2]);
  layer.hidden = static_cast<size_t>(hidden);

  const size_t columns = layer.gates() * layer.hidden;
  std::vector<int32_t> bias;
  if (node.input(places.bias) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(bias, ReadIntegers(node.input(places.bias), "bias"));
    if (bias.size() != layer.reversed.size() * 2 * columns) {
      return InvalidInput("the bias has {} numbers, not {}", bias.size(),
                          layer.reversed.size() * 2 * columns);
    }
  }
  layer.bias_w = Half(bias, layer.reversed.size(), columns, 0);
  layer.bias_r = Half(bias, layer.reversed.size(), columns, 1);
  LATHE_RETURN_IF_ERROR(ReadScales(node, places.param, layer));
  if (node.input(places.lengths) != nullptr) {
    LATHE_ASSIGN_OR_RETURN(layer.lengths,
                           ReadIntegers(node.input(places.lengths), "sequence_lens"));
    if (layer.lengths.size() != layer.batch) {
      return InvalidInput("sequence_lens has {} numbers for {} samples", layer.lengths.size(),
                          layer.batch);
    }
    for (const int32_t length : layer.lengths) {
      if (length < 0 || length > dims[0]) {
        return InvalidInput("sequence_lens holds {}, there are {} steps", length, dims[0]);
      }
    }
  }

  LATHE_ASSIGN_OR_RETURN(layer.x, Need(*node.input(0), Layout::kPlain));
  const std::vector<int64_t> state_dims = {directions, dims[1], hidden};
  const auto state = [&](size_t place, std::optional<TensorId>* id) -> Status {
    if (node.input(place) == nullptr) return OkStatus();
    LATHE_RETURN_IF_ERROR(Expect(node, *node.input(place), Domain::kFloat));
    LATHE_ASSIGN_OR_RETURN(*id, Need(*node.input(place), Layout::kPlain));
    if (program_->tensor(**id).dims == state_dims) return OkStatus();
    return InvalidInput("the initial state '{}' is not {}", node.input(place)->name_text(),
                        ir::ShapeText(std::span<const int64_t>(state_dims)));
  };
  LATHE_RETURN_IF_ERROR(state(kInitialH, &layer.initial_h));
  if (layer.lstm) LATHE_RETURN_IF_ERROR(state(places.initial_c, &layer.initial_c));

  const std::vector<int64_t> y_dims = {dims[0], directions, dims[1], hidden};
  LATHE_RETURN_IF_ERROR(ir::CheckedByteSize(ir::ElementType::kFloat64, y_dims).status());
  std::optional<TensorId>* const results[] = {&layer.y, &layer.y_h, &layer.y_c};
  for (size_t i = 0; i < node.num_outputs(); ++i) {
    if (node.output(i)->name().empty()) continue;
    const TensorId id = program_->AddTensor(
        MakeTensorInfo(Element::kFloat, Layout::kPlain, i == 0 ? y_dims : state_dims));
    *results[i] = id;
    State(*node.output(i)).tensor[0] = id;
  }
  program_->AddStep(MakeRecurrentStep(std::move(layer)));
  return OkStatus();
}

}  // namespace lathe::runtime::integer
