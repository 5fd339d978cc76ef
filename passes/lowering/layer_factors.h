// The factors of a marked layer, read from the record.
#pragma once

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct LayerFactors {
  const quant::LayerRecord* record = nullptr;
  float scale_d = 1.0f;
  int32_t offset_d = 0;
  quant::RecordBits bits;

  // Number of weight scales: 1 or the layer's channels.
  bool channel_wise() const { return record->scale_w.size() > 1; }
};

// Errors: the record has no entry for the layer, or one without factors.
StatusOr<LayerFactors> FactorsOf(const quant::Record& record, const std::string& layer);

// The factors of an input that is quantised on its own, with 8 bits.
struct TensorFactors {
  float scale = 1.0f;
  int32_t offset = 0;
};

// Errors: the record has no entry with scale_d and offset_d for the key.
StatusOr<TensorFactors> TensorFactorsOf(const quant::Record& record, const std::string& key);

}  // namespace lathe::passes
