#include "lathe/flows/compare_models.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "lathe/flows/value_difference.h"

namespace lathe::flows {
namespace {

// What saving appends to a layer's name, the last in a chain last.
constexpr std::array<std::string_view, 3> kResultSuffixes = {".dequant", ".fakedequant.mul",
                                                             ".fakedequant.cast"};
constexpr std::string_view kDeployQuant = ".quant";
constexpr std::string_view kFakeClip = ".quant.fakequant.clip";

struct LayerValues {
  const ir::Node* node = nullptr;
  const ir::Value* result = nullptr;
  // What quantises the layer's input, and its bounds.
  const ir::Value* quantized = nullptr;
  double low = 0;
  double high = 0;
  // What stands for real zero: a ReLU's zeros at a bound are not cut off.
  double zero = 0;
};

using Layers = std::map<std::string, LayerValues, std::less<>>;

bool IsFloatResult(const ir::Value& value) {
  return !value.type().is_tensor() || value.type().element == ir::ElementType::kUndefined ||
         ir::IsFloatingPoint(value.type().element);
}

// The constant's number, or `absent` when it is none.
double Scalar(const ir::Value* value, double absent) {
  const ir::Tensor tensor = value == nullptr ? ir::Tensor() : value->ConstantTensor();
  if (!tensor || tensor.num_elements() != 1) return absent;
  const auto values = tensor.ValuesAsFloat();
  return values.ok() ? double{values->at(0)} : absent;
}

// The quantiser that feeds a layer, possibly through Pad: an AscendQuant, or the Clip of a chain of
// standard operators.
void FindQuantizer(const ir::Node& node, LayerValues& layer) {
  const ir::Value* value = node.input(0);
  constexpr int kLongest = 3;
  for (int i = 0; i < kLongest && value != nullptr && value->producer() != nullptr; ++i) {
    const ir::Node& producer = *value->producer();
    const bool deploy = producer.Is("AscendQuant");
    if (deploy || producer.name_text().ends_with(kFakeClip)) {
      layer.quantized = producer.output();
      layer.low = -128;
      layer.high = 127;
      if (deploy) {
        layer.zero = producer.FloatAttribute("offset", 0);
        const std::string type = producer.StringAttribute("dst_type", "INT8");
        if (type == "INT16") layer.low = INT16_MIN, layer.high = INT16_MAX;
        if (type == "INT4") layer.low = -8, layer.high = 7;
      } else {
        layer.low = Scalar(producer.input(1), layer.low);
        layer.high = Scalar(producer.input(2), layer.high);
        const ir::Value* sum = producer.input(0);
        if (sum != nullptr && sum->producer() != nullptr) {
          layer.zero = Scalar(sum->producer()->input(1), 0);
        }
      }
      return;
    }
    if (!producer.Is("Pad") && !producer.Is("Sub")) return;
    value = producer.input(0);
  }
}

// The first result that is not left out; null when all are.
const ir::Value* FirstResult(const ir::Node& node) {
  for (const ir::Value* output : node.outputs()) {
    if (!output->name().empty()) return output;
  }
  return nullptr;
}

Layers FindLayers(const ir::Model& model) {
  Layers layers;
  for (const ir::Node& node : model.graph().nodes()) {
    const ir::Value* result = FirstResult(node);
    if (result == nullptr || node.Is("Constant")) continue;
    const std::string_view name = node.name_text();
    const auto* const suffix = std::ranges::find_if(
        kResultSuffixes, [&](std::string_view each) { return name.ends_with(each); });
    if (suffix != kResultSuffixes.end()) {
      layers[std::string(name.substr(0, name.size() - suffix->size()))].result = result;
    } else if (!name.empty() && name.find(kDeployQuant) == std::string_view::npos) {
      LayerValues& layer = layers[std::string(name)];
      layer.node = &node;
      layer.result = result;
      FindQuantizer(node, layer);
    }
  }
  return layers;
}

// The result behind a BatchNormalization that the other model has folded.
const ir::Value* BehindNorm(const ir::Value& result, const Layers& other) {
  if (!result.has_one_use()) return &result;
  const ir::Node& user = *result.first_use()->user();
  const bool folded = user.Is("BatchNormalization") && !other.contains(user.name_text());
  return folded ? user.output() : &result;
}

// Names of the inputs that somebody must feed, in order.
std::vector<std::string> InputNames(const ir::Model& model) {
  std::vector<std::string> names;
  for (const ir::Value* input : model.graph().inputs()) {
    if (!input->tensor()) names.emplace_back(input->name_text());
  }
  return names;
}

Status CheckInputNames(const ir::Model& a, const ir::Model& b) {
  const std::vector<std::string> want = InputNames(a);
  const std::vector<std::string> names = InputNames(b);
  if (names == want) return OkStatus();
  return InvalidInput("the inputs are [{}], those of the other model [{}]", fmt::join(names, ", "),
                      fmt::join(want, ", "));
}

struct Pair {
  std::string name;
  LayerValues a;
  LayerValues b;
};

std::vector<Pair> MatchLayers(const ir::Model& a, const ir::Model& b) {
  const Layers left = FindLayers(a);
  const Layers right = FindLayers(b);
  std::vector<Pair> pairs;
  for (const ir::Node& node : a.graph().nodes()) {
    const auto first = left.find(node.name_text());
    const auto second = right.find(node.name_text());
    if (first == left.end() || second == right.end()) continue;
    Pair pair{std::string(node.name_text()), first->second, second->second};
    if (pair.a.node == nullptr || pair.b.node == nullptr) continue;
    pair.a.result = BehindNorm(*pair.a.result, right);
    pair.b.result = BehindNorm(*pair.b.result, left);
    if (IsFloatResult(*pair.a.result) && IsFloatResult(*pair.b.result)) {
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

struct Share {
  size_t at_bounds = 0;
  size_t elements = 0;
};

struct Sums {
  ValueDifference difference;
  Share saturated[2];
};

void CountBounds(const eval::TensorView& view, const LayerValues& layer, Share& share) {
  const auto count = [&](const auto* values, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      const auto value = static_cast<double>(values[i]);
      const bool at_bound = value == layer.low || value == layer.high;
      share.at_bounds += at_bound && value != layer.zero ? 1 : 0;
    }
    share.elements += size;
  };
  if (view.element_type == ir::ElementType::kFloat32) {
    count(view.floats().data(), view.floats().size());
  } else if (view.element_type == ir::ElementType::kInt16) {
    count(reinterpret_cast<const int16_t*>(view.bytes.data()), view.bytes.size() / 2);
  } else {
    count(reinterpret_cast<const int8_t*>(view.bytes.data()), view.bytes.size());
  }
}

struct Floats {
  std::vector<int64_t> dims;
  std::vector<float> values;
};

StatusOr<Floats> Copy(const eval::TensorView& view) {
  Floats floats{.dims = {view.dims.begin(), view.dims.end()}};
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor tensor,
                         ir::Tensor::FromVector(view.element_type, floats.dims,
                                                {view.bytes.begin(), view.bytes.end()}));
  LATHE_ASSIGN_OR_RETURN(floats.values, tensor.ValuesAsFloat());
  return floats;
}

Status Compare(const Pair& pair, const Floats& a, const Floats& b, Sums& sums) {
  if (a.dims != b.dims) {
    return WithContext(InvalidInput("it gives {}, in the other model {}",
                                    ir::ShapeText(std::span<const int64_t>(b.dims)),
                                    ir::ShapeText(std::span<const int64_t>(a.dims))),
                       ErrorContext::kNode, pair.name);
  }
  sums.difference.Add(a.values, b.values);
  return OkStatus();
}

std::optional<double> ShareOf(const Share& share) {
  if (share.elements == 0) return std::nullopt;
  return static_cast<double>(share.at_bounds) / static_cast<double>(share.elements);
}

LayerDifference Conclude(const Pair& pair, const Sums& sums) {
  LayerDifference difference;
  difference.layer = pair.name;
  difference.op = pair.a.node->op_text();
  difference.sqnr_db = sums.difference.SqnrDb();
  difference.cosine = sums.difference.Cosine();
  difference.largest = sums.difference.largest();
  difference.saturated_a = ShareOf(sums.saturated[0]);
  difference.saturated_b = ShareOf(sums.saturated[1]);
  return difference;
}

}  // namespace

StatusOr<std::vector<LayerDifference>> CompareModels(const ComparedModel& a, const ComparedModel& b,
                                                     const frontends::BatchSource& data,
                                                     eval::Engine& engine,
                                                     const RunControl& control) {
  LATHE_RETURN_IF_ERROR(
      WithContext(CheckInputNames(a.model, b.model), ErrorContext::kFile, b.path));
  const std::vector<Pair> pairs = MatchLayers(a.model, b.model);
  if (pairs.empty()) {
    return WithContext(InvalidInput("no layer has the name of one of {}", a.path),
                       ErrorContext::kFile, b.path);
  }
  std::vector<Sums> sums(pairs.size());
  std::vector<Floats> of_a(pairs.size());
  eval::CompileOptions options[2];
  for (int side = 0; side < 2; ++side) {
    options[side].threads = control.threads;
    options[side].input_shapes = control.input_shapes;
    options[side].outputs = false;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const LayerValues& layer = side == 0 ? pairs[i].a : pairs[i].b;
      options[side].taps.push_back(
          {layer.result, [&, i, side](const eval::TensorView& view) -> Status {
             LATHE_ASSIGN_OR_RETURN(Floats floats, Copy(view));
             if (side == 1) return Compare(pairs[i], of_a[i], floats, sums[i]);
             of_a[i] = std::move(floats);
             return OkStatus();
           }});
      if (layer.quantized == nullptr) continue;
      options[side].taps.push_back({layer.quantized, [&, i, side](const eval::TensorView& view) {
                                      CountBounds(view, side == 0 ? pairs[i].a : pairs[i].b,
                                                  sums[i].saturated[side]);
                                      return OkStatus();
                                    }});
    }
  }
  std::unique_ptr<eval::CompiledGraph> graphs[2];
  for (int side = 0; side < 2; ++side) {
    const ComparedModel& compared = side == 0 ? a : b;
    auto graph = engine.Compile(compared.model, options[side]);
    if (!graph.ok()) return WithContext(graph.status(), ErrorContext::kFile, compared.path);
    graphs[side] = *std::move(graph);
  }
  for (size_t batch = 0; batch < data.num_batches(); ++batch) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control, "comparing", batch, data.num_batches()));
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    for (int side = 0; side < 2; ++side) {
      const Status status = graphs[side]->Run(inputs).status();
      LATHE_RETURN_IF_ERROR(WithContext(status, ErrorContext::kFile, side == 0 ? a.path : b.path));
    }
    if (control.progress) control.progress("comparing", batch + 1, data.num_batches());
  }
  std::vector<LayerDifference> differences;
  for (size_t i = 0; i < pairs.size(); ++i) differences.push_back(Conclude(pairs[i], sums[i]));
  return differences;
}

}  // namespace lathe::flows
