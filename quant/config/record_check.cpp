#include "lathe/quant/config/record_check.h"

#include <cmath>
#include <limits>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/tensor_quantize.h"
#include "lathe/support/decimal_text.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

// The reference's FLT_EPS.
constexpr float kEpsilon = std::numeric_limits<float>::epsilon();

bool IsRecurrent(RecordKind kind) { return kind == RecordKind::kLstm || kind == RecordKind::kGru; }

std::string_view Name(RecordKind kind) {
  switch (kind) {
    case RecordKind::kConv:
      return "Conv";
    case RecordKind::kConvTranspose:
      return "ConvTranspose";
    case RecordKind::kGemm:
      return "Gemm";
    case RecordKind::kMatMul:
      return "MatMul";
    case RecordKind::kAveragePool:
      return "AveragePool";
    case RecordKind::kLstm:
      return "LSTM";
    case RecordKind::kGru:
      return "GRU";
  }
  return "unknown";
}

// How many weight scales a layer may have: `one`, or `many`.
struct ScaleCounts {
  int64_t one = 1;
  int64_t many = 1;
};

ScaleCounts AllowedCounts(const RecordLayer& layer, const RecordCheckOptions& options) {
  switch (layer.kind) {
    case RecordKind::kConv:
    case RecordKind::kConvTranspose:
      return {1, layer.cout};
    case RecordKind::kLstm:
      return {4 * layer.directions, layer.cout};
    case RecordKind::kGru:
      return {3 * layer.directions, layer.cout};
    case RecordKind::kGemm:
    case RecordKind::kMatMul:
      return {1, options.scale_a_column ? layer.cout : 1};
    case RecordKind::kAveragePool:
      return {1, 1};
  }
  return {1, 1};
}

Status CheckPresent(std::string_view field, bool present) {
  if (present) return OkStatus();
  return InvalidInput("{} is missing", field);
}

Status CheckPresence(const LayerRecord& record, RecordKind kind) {
  LATHE_RETURN_IF_ERROR(CheckPresent("scale_d", record.scale_d.has_value()));
  LATHE_RETURN_IF_ERROR(CheckPresent("offset_d", record.offset_d.has_value()));
  LATHE_RETURN_IF_ERROR(CheckPresent("scale_w", !record.scale_w.empty()));
  LATHE_RETURN_IF_ERROR(CheckPresent("offset_w", !record.offset_w.empty()));
  if (!IsRecurrent(kind)) return OkStatus();
  LATHE_RETURN_IF_ERROR(CheckPresent("scale_h", record.scale_h.has_value()));
  LATHE_RETURN_IF_ERROR(CheckPresent("offset_h", record.offset_h.has_value()));
  LATHE_RETURN_IF_ERROR(CheckPresent("scale_r", !record.scale_r.empty()));
  return CheckPresent("offset_r", !record.offset_r.empty());
}

Status CheckPrecisionMode(const LayerRecord& record) {
  if (!record.fakequant_precision_mode.has_value()) return OkStatus();
  const std::string& mode = *record.fakequant_precision_mode;
  if (mode == "DEFAULT" || mode == "FORCE_FP16_QUANT") return OkStatus();
  return InvalidInput("fakequant_precision_mode is {}, allowed are DEFAULT, FORCE_FP16_QUANT",
                      Quoted(mode));
}

Status CheckScale(std::string_view field, float scale) {
  if (std::isfinite(scale) && scale > 0) return OkStatus();
  return InvalidInput("{} is {}, it must be finite and above 0", field,
                      DecimalText(ShortestDecimal(scale)));
}

Status CheckActivationOffset(std::string_view field, int32_t offset, int bits) {
  const int32_t least = bits == 16 ? -32768 : -128;
  const int32_t most = bits == 16 ? 32767 : 127;
  if (offset >= least && offset <= most) return OkStatus();
  return InvalidInput("{} is {}, it must be from {} to {} for {}-bit activations", field, offset,
                      least, most, bits);
}

// scale_w and offset_w, or scale_r and offset_r.
Status CheckWeightFactors(std::string_view suffix, const std::vector<float>& scales,
                          const std::vector<int32_t>& offsets, const RecordLayer& layer,
                          const RecordCheckOptions& options) {
  if (scales.size() != offsets.size()) {
    return InvalidInput("there are {} scale_{} and {} offset_{}, they must be equally many",
                        scales.size(), suffix, offsets.size(), suffix);
  }
  const ScaleCounts allowed = AllowedCounts(layer, options);
  const auto count = static_cast<int64_t>(scales.size());
  if (count != allowed.one && count != allowed.many) {
    if (allowed.one == allowed.many) {
      return InvalidInput("there are {} scale_{}, this {} takes {}", count, suffix,
                          Name(layer.kind), allowed.one);
    }
    return InvalidInput("there are {} scale_{}, this {} takes {} or {}", count, suffix,
                        Name(layer.kind), allowed.one, allowed.many);
  }
  return OkStatus();
}

Status CheckWeightValues(std::string_view suffix, const std::vector<float>& scales,
                         const std::vector<int32_t>& offsets) {
  for (size_t i = 0; i < scales.size(); ++i) {
    LATHE_RETURN_IF_ERROR(CheckScale(fmt::format("scale_{}[{}]", suffix, i), scales[i]));
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] != 0) {
      return InvalidInput("offset_{}[{}] is {}, weights have no offset: it must be 0", suffix, i,
                          offsets[i]);
    }
  }
  return OkStatus();
}

Status CheckBalanceFactors(const LayerRecord& record, const RecordLayer& layer) {
  const std::vector<float>& factors = record.tensor_balance_factor;
  if (factors.empty()) return OkStatus();
  if (layer.kind == RecordKind::kAveragePool || IsRecurrent(layer.kind)) {
    return InvalidInput("tensor_balance_factor is not allowed, {} cannot be balanced",
                        Name(layer.kind));
  }
  if (static_cast<int64_t>(factors.size()) != layer.cin) {
    return InvalidInput("there are {} tensor_balance_factor, this {} has {} input channels",
                        factors.size(), Name(layer.kind), layer.cin);
  }
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] >= kEpsilon && factors[i] <= 1 / kEpsilon)) {
      return InvalidInput("tensor_balance_factor[{}] is {}, it must be from {} to {}", i,
                          DecimalText(ShortestDecimal(factors[i])),
                          DecimalText(ShortestDecimal(kEpsilon)),
                          DecimalText(ShortestDecimal(1 / kEpsilon)));
    }
  }
  return OkStatus();
}

// The ONNX flavour's reference, 1.7: none, all 0, or all a number of bits.
Status CheckShifts(const LayerRecord& record, RecordKind kind) {
  const std::vector<uint32_t>& shifts = record.shift_bit;
  if (shifts.empty()) return OkStatus();
  if (kind == RecordKind::kAveragePool || IsRecurrent(kind)) {
    return InvalidInput("shift_bit is not allowed, the sums of {} are not shifted", Name(kind));
  }
  if (shifts.size() != record.scale_w.size()) {
    return InvalidInput("there are {} scale_w and {} shift_bit, they must be equally many",
                        record.scale_w.size(), shifts.size());
  }
  constexpr uint32_t kMostBits = 16;
  for (size_t i = 0; i < shifts.size(); ++i) {
    if ((shifts[i] == 0) != (shifts[0] == 0) || shifts[i] > kMostBits) {
      return InvalidInput("shift_bit[{}] is {}: either all are 0, or all are from 1 to {}", i,
                          shifts[i], kMostBits);
    }
  }
  return OkStatus();
}

Status CheckFields(const LayerRecord& record, const RecordLayer& layer,
                   const RecordCheckOptions& options) {
  if (HasNoFactors(record)) return CheckBalanceFactors(record, layer);
  LATHE_RETURN_IF_ERROR(CheckPresence(record, layer.kind));
  LATHE_RETURN_IF_ERROR(CheckShifts(record, layer.kind));
  LATHE_ASSIGN_OR_RETURN(const RecordBits bits, ResolveRecordBits(record));
  if (record.dst_type == "INT4" && layer.name.find("AvgPool") != std::string::npos) {
    return InvalidInput("dst_type is 'INT4', average pooling takes INT8");
  }
  LATHE_RETURN_IF_ERROR(CheckPrecisionMode(record));
  if (const auto& type = record.op_data_type; type && *type != "FLOAT32" && *type != "FLOAT16") {
    return InvalidInput("op_data_type is {}, allowed are FLOAT32, FLOAT16", Quoted(*type));
  }

  const bool recurrent = IsRecurrent(layer.kind);
  LATHE_RETURN_IF_ERROR(CheckWeightFactors("w", record.scale_w, record.offset_w, layer, options));
  if (recurrent) {
    LATHE_RETURN_IF_ERROR(CheckWeightFactors("r", record.scale_r, record.offset_r, layer, options));
  }
  LATHE_RETURN_IF_ERROR(CheckScale("scale_d", *record.scale_d));
  LATHE_RETURN_IF_ERROR(CheckActivationOffset("offset_d", *record.offset_d, bits.activation));
  LATHE_RETURN_IF_ERROR(CheckWeightValues("w", record.scale_w, record.offset_w));
  if (recurrent) {
    LATHE_RETURN_IF_ERROR(CheckScale("scale_h", *record.scale_h));
    LATHE_RETURN_IF_ERROR(CheckActivationOffset("offset_h", *record.offset_h, bits.activation));
    LATHE_RETURN_IF_ERROR(CheckWeightValues("r", record.scale_r, record.offset_r));
    if (options.for_deploy && record.act_type != "INT8" && record.act_type != "INT16") {
      return InvalidInput("act_type is {}, a deployed {} needs INT8 or INT16",
                          record.act_type.has_value() ? Quoted(*record.act_type) : "missing",
                          Name(layer.kind));
    }
  }
  return CheckBalanceFactors(record, layer);
}

}  // namespace

Status CheckLayerRecord(const LayerRecord& record, const RecordLayer& layer,
                        const RecordCheckOptions& options) {
  Status status = CheckFields(record, layer, options);
  if (status.ok()) return status;
  return InvalidInput("record of {}: {}", Quoted(layer.name), std::string(status.message()));
}

Status CheckRecord(const Record& record, const RecordNetwork& network,
                   const RecordCheckOptions& options) {
  absl::flat_hash_map<std::string_view, const RecordLayer*> layers;
  for (const RecordLayer& layer : network.layers) layers.emplace(layer.name, &layer);
  absl::flat_hash_set<std::string_view> seen;
  for (size_t i = 0; i < record.entries.size(); ++i) {
    const RecordEntry& entry = record.entries[i];
    if (!entry.key.has_value()) return InvalidInput("record entry {} has no key", i);
    const std::string& key = *entry.key;
    if (!entry.value.has_value()) {
      return InvalidInput("record of {}: there is no value", Quoted(key));
    }
    if (!seen.insert(key).second) return InvalidInput("record of {}: is there twice", Quoted(key));
    if (entry.value->is_tensor_quantize.value_or(false)) {
      LATHE_RETURN_IF_ERROR(CheckTensorRecord(*entry.value, key, network.tensors));
      continue;
    }
    const auto layer = layers.find(key);
    if (layer == layers.end()) {
      for (const OtherNode& other : network.others) {
        if (other.name == key) return CannotQuantise("record", other);
      }
      std::vector<std::string_view> names;
      for (const RecordLayer& known : network.layers) names.push_back(known.name);
      return UnknownLayer("record", key, names);
    }
    LATHE_RETURN_IF_ERROR(CheckLayerRecord(*entry.value, *layer->second, options));
  }
  return OkStatus();
}

}  // namespace lathe::quant
