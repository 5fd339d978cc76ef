#include "lathe/quant/config/tensor_quantize.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <absl/container/flat_hash_set.h>

#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/decimal_text.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

constexpr std::string_view kWhere = "tensor_quantize";

// An error when `index` is no input of the node, or one that cannot be quantised.
Status CheckInput(std::string_view where, const TensorNode& node, int64_t index) {
  const auto count = static_cast<int64_t>(node.refusals.size());
  if (index < 0 || index >= count) {
    return InvalidInput("{}: {} has no input {}, its inputs are 0 to {}", where, Quoted(node.name),
                        index, count - 1);
  }
  const std::string& refusal = node.refusals[static_cast<size_t>(index)];
  if (refusal.empty()) return OkStatus();
  return InvalidInput("{}: input {} of {} cannot be quantised: {}", where, index, Quoted(node.name),
                      refusal);
}

const TensorNode* FindNode(const std::vector<TensorNode>& nodes, std::string_view name) {
  const auto found = std::ranges::find(nodes, name, &TensorNode::name);
  return found == nodes.end() ? nullptr : &*found;
}

std::vector<std::string_view> Names(const std::vector<TensorNode>& nodes) {
  std::vector<std::string_view> names;
  for (const TensorNode& node : nodes) names.push_back(node.name);
  return names;
}

Status WrongType(std::string_view name, std::string_view type) {
  return InvalidInput(
      "{}: {} is of type {}; only inputs of Add and MaxPool are quantised on their "
      "own",
      kWhere, Quoted(name), type);
}

Status CheckEntry(const TensorQuantizeConfig& entry, const NetworkDescription& network) {
  const TensorNode* node = FindNode(network.tensors, entry.layer_name);
  if (node == nullptr) {
    for (const LayerDescription& layer : network.layers) {
      if (layer.name == entry.layer_name) return WrongType(layer.name, ToString(layer.type));
    }
    for (const OtherNode& other : network.others) {
      if (other.name == entry.layer_name) return WrongType(other.name, other.type);
    }
    return UnknownLayer(kWhere, entry.layer_name, Names(network.tensors));
  }
  LATHE_RETURN_IF_ERROR(CheckInput(kWhere, *node, entry.input_index));
  const std::string where =
      fmt::format("{} of {}, input {}", kWhere, Quoted(entry.layer_name), entry.input_index);
  LATHE_RETURN_IF_ERROR(CheckActivationValues(where, entry.activation));
  if (entry.activation.num_bits != 8) {
    return InvalidInput("{}: num_bits is {}: AscendAntiQuant, which turns it back, takes 8", where,
                        entry.activation.num_bits);
  }
  return OkStatus();
}

bool HasOnlyActivation(const LayerRecord& record) {
  LayerRecord rest = record;
  rest.scale_d.reset();
  rest.offset_d.reset();
  rest.act_type.reset();
  rest.is_tensor_quantize.reset();
  rest.op_data_type.reset();
  return rest == LayerRecord();
}

Status CheckFields(const LayerRecord& record) {
  if (!record.scale_d) return InvalidInput("scale_d is missing");
  if (!record.offset_d) return InvalidInput("offset_d is missing");
  if (record.act_type.value_or("INT8") != "INT8") {
    return InvalidInput("act_type is {}, a tensor on its own takes INT8", Quoted(*record.act_type));
  }
  if (!HasOnlyActivation(record)) {
    return InvalidInput("a tensor on its own has scale_d, offset_d and act_type only");
  }
  if (!std::isfinite(*record.scale_d) || *record.scale_d <= 0) {
    return InvalidInput("scale_d is {}, it must be finite and above 0",
                        DecimalText(ShortestDecimal(*record.scale_d)));
  }
  if (*record.offset_d < -128 || *record.offset_d > 127) {
    return InvalidInput("offset_d is {}, it must be from -128 to 127", *record.offset_d);
  }
  return OkStatus();
}

}  // namespace

std::string TensorKey(std::string_view node, int64_t input_index) {
  return fmt::format("{}:{}", node, input_index);
}

std::optional<TensorName> ParseTensorKey(std::string_view key) {
  const size_t colon = key.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  TensorName name{.node = key.substr(0, colon)};
  const std::string_view digits = key.substr(colon + 1);
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, name.input_index);
  if (digits.empty() || error != std::errc() || stop != end) return std::nullopt;
  return name;
}

Status CheckTensorQuantize(const std::vector<TensorQuantizeConfig>& entries,
                           const NetworkDescription& network) {
  absl::flat_hash_set<std::string> seen;
  for (const TensorQuantizeConfig& entry : entries) {
    LATHE_RETURN_IF_ERROR(CheckEntry(entry, network));
    const std::string key = TensorKey(entry.layer_name, entry.input_index);
    if (!seen.insert(key).second) {
      return InvalidInput("{}: input {} of {} is there twice", kWhere, entry.input_index,
                          Quoted(entry.layer_name));
    }
    // Both would be called that in the record.
    for (const LayerDescription& layer : network.layers) {
      if (layer.name == key) {
        return InvalidInput("{}: input {} of {} cannot be told from layer {}: rename one", kWhere,
                            entry.input_index, Quoted(entry.layer_name), Quoted(layer.name));
      }
    }
  }
  return OkStatus();
}

Status CheckTensorRecord(const LayerRecord& record, std::string_view key,
                         const std::vector<TensorNode>& nodes) {
  const std::string where = fmt::format("record of {}", Quoted(key));
  const std::optional<TensorName> name = ParseTensorKey(key);
  if (!name) {
    return InvalidInput(
        "{}: is_tensor_quantize is set: the key must be the name of an Add or "
        "MaxPool, a colon and the number of its input",
        where);
  }
  const TensorNode* node = FindNode(nodes, name->node);
  if (node == nullptr) {
    Status status =
        InvalidInput("{}: the model has no Add or MaxPool {}", where, Quoted(name->node));
    const std::string hint = DidYouMean(name->node, Names(nodes));
    return hint.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, hint);
  }
  LATHE_RETURN_IF_ERROR(CheckInput(where, *node, static_cast<int64_t>(name->input_index)));
  Status status = CheckFields(record);
  if (status.ok()) return status;
  return InvalidInput("{}: {}", where, std::string(status.message()));
}

}  // namespace lathe::quant
