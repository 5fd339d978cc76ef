#include "lathe/passes/lowering/recurrent_factors.h"

#include "lathe/quant/dequant_word.h"

namespace lathe::passes {
namespace {

std::vector<float> Products(const std::vector<float>& weight_scales, float activation_scale) {
  std::vector<float> products;
  products.reserve(weight_scales.size());
  for (const float scale : weight_scales) {
    products.push_back(quant::DequantScale(scale, activation_scale));
  }
  return products;
}

}  // namespace

std::vector<float> RecurrentFactors::InputScales() const {
  return Products(layer.record->scale_w, layer.scale_d);
}

std::vector<float> RecurrentFactors::HiddenScales() const {
  return Products(layer.record->scale_r, scale_h);
}

StatusOr<RecurrentFactors> RecurrentFactorsOf(const quant::Record& record,
                                              const std::string& layer) {
  RecurrentFactors factors;
  LATHE_ASSIGN_OR_RETURN(factors.layer, FactorsOf(record, layer));
  const quant::LayerRecord& entry = *factors.layer.record;
  if (!entry.scale_h || !entry.offset_h || entry.scale_r.empty()) {
    return WithContext(WithContext(InvalidInput("the record lacks scale_h, offset_h or scale_r"),
                                   ErrorContext::kHint,
                                   "calibration did not finish: run it with batch_num batches"),
                       ErrorContext::kNode, layer);
  }
  factors.scale_h = *entry.scale_h;
  factors.offset_h = *entry.offset_h;
  return factors;
}

std::vector<float> PerChannel(const std::vector<float>& values, int64_t channels) {
  const auto count = static_cast<size_t>(channels);
  const size_t repeat = count / values.size();
  std::vector<float> result;
  result.reserve(count);
  for (const float value : values) result.insert(result.end(), repeat, value);
  return result;
}

std::vector<float> PerBias(const QuantLayer& layer, const std::vector<float>& of_w,
                           const std::vector<float>& of_r) {
  const std::vector<float> w = PerChannel(of_w, layer.channels);
  const std::vector<float> r = PerChannel(of_r, layer.channels);
  const auto rows = static_cast<std::ptrdiff_t>(layer.channels / layer.directions);
  std::vector<float> result;
  result.reserve(w.size() + r.size());
  for (std::ptrdiff_t from = 0; from < static_cast<std::ptrdiff_t>(layer.channels); from += rows) {
    result.insert(result.end(), w.begin() + from, w.begin() + from + rows);
    result.insert(result.end(), r.begin() + from, r.begin() + from + rows);
  }
  return result;
}

}  // namespace lathe::passes
