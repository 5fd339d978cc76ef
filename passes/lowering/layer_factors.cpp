#include "lathe/passes/lowering/layer_factors.h"

namespace lathe::passes {

StatusOr<LayerFactors> FactorsOf(const quant::Record& record, const std::string& layer) {
  const quant::LayerRecord* entry = record.Find(layer);
  if (entry == nullptr) {
    return WithContext(InvalidInput("the record has no entry for the layer"), ErrorContext::kNode,
                       layer);
  }
  if (!entry->scale_d || !entry->offset_d || entry->scale_w.empty()) {
    return WithContext(WithContext(InvalidInput("the record lacks scale_d, offset_d or scale_w"),
                                   ErrorContext::kHint,
                                   "calibration did not finish: run it with batch_num batches"),
                       ErrorContext::kNode, layer);
  }
  LayerFactors factors;
  factors.record = entry;
  factors.scale_d = *entry->scale_d;
  factors.offset_d = *entry->offset_d;
  auto bits = quant::ResolveRecordBits(*entry);
  if (!bits.ok()) return WithContext(bits.status(), ErrorContext::kNode, layer);
  factors.bits = *bits;
  return factors;
}

StatusOr<TensorFactors> TensorFactorsOf(const quant::Record& record, const std::string& key) {
  const quant::LayerRecord* entry = record.Find(key);
  if (entry == nullptr || !entry->scale_d || !entry->offset_d) {
    return InvalidInput("the record has no scale_d and offset_d for '{}'", key);
  }
  return TensorFactors{.scale = *entry->scale_d, .offset = *entry->offset_d};
}

}  // namespace lathe::passes
