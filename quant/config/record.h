// The record file as plain values: what calibration, retraining and pruning found out about each
// layer (the reference's 2.6 and 2.7). Everything a file says is kept, including what it leaves
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::quant {

// Convention: q = clamp(round(x / scale) + offset), x' = (q - offset) * scale.
struct LayerRecord {
  // Activation.
  std::optional<float> scale_d;
  std::optional<int32_t> offset_d;
  // Weight: one value for the layer, or one for each output channel. LSTM and GRU: W.
  std::vector<float> scale_w;
  std::vector<int32_t> offset_w;
  std::vector<uint32_t> shift_bit;
  // One for each input channel: the activation is divided by it, the weight multiplied.
  std::vector<float> tensor_balance_factor;
  std::optional<bool> skip_fusion;
  // The ONNX flavour's: scale_d and offset_d are those of one input (see tensor_quantize.h).
  std::optional<bool> is_tensor_quantize;
  // "INT4", "INT8", ...: see ResolveRecordBits.
  std::optional<std::string> dst_type;
  std::optional<std::string> act_type;
  std::optional<std::string> wts_type;
  std::optional<std::string> fakequant_precision_mode;
  // The ONNX flavour's note on the layer, "FLOAT32" or "FLOAT16"; the model itself says it.
  std::optional<std::string> op_data_type;
  // LSTM and GRU: the initial hidden state and R.
  std::optional<float> scale_h;
  std::optional<int32_t> offset_h;
  std::vector<float> scale_r;
  std::vector<int32_t> offset_r;
  bool operator==(const LayerRecord&) const = default;
};

struct KvCacheRecord {
  std::vector<float> scale;
  std::vector<int32_t> offset;
  bool operator==(const KvCacheRecord&) const = default;
};

struct RecordEntry {
  std::optional<std::string> key;
  std::optional<LayerRecord> value;
  std::optional<KvCacheRecord> kv_cache_value;
  bool operator==(const RecordEntry&) const = default;
};

// Numbers are those of the file.
enum class PruneAttributeType {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kFloats = 4,
  kInts = 5,
  kStrings = 6,
};

struct PruneAttribute {
  std::optional<std::string> name;
  std::optional<PruneAttributeType> type;
  std::optional<float> f;
  std::optional<int64_t> i;
  std::optional<std::string> s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  bool operator==(const PruneAttribute&) const = default;
};

struct PruneNode {
  std::string name;
  std::vector<PruneAttribute> attributes;
  bool operator==(const PruneNode&) const = default;
};

struct PruneRecord {
  std::vector<PruneNode> producers;
  std::vector<PruneNode> consumers;
  std::optional<PruneNode> selective_prune;
  bool operator==(const PruneRecord&) const = default;
};

struct Record {
  std::vector<RecordEntry> entries;
  std::vector<PruneRecord> prune_records;
  bool operator==(const Record&) const = default;

  // The values of a layer, or nullptr; of several entries the first. Linear in the number of
  // entries.
  const LayerRecord* Find(std::string_view key) const;
};

// No scale, offset or shift is given (a single one that is zero counts as not given): the layer is
// in the file but is not quantised. Balance factors alone are no such factors.
bool HasNoFactors(const LayerRecord& record);

struct RecordBits {
  int activation = 8;
  int weight = 8;
  bool operator==(const RecordBits&) const = default;
};

// dst_type, where present, decides both (INT4 or INT8); else act_type (INT4, INT8, INT16) and
// wts_type (INT4, INT6, INT7, INT8), each 8 bits where absent. Other texts are errors.
StatusOr<RecordBits> ResolveRecordBits(const LayerRecord& record);

}  // namespace lathe::quant
