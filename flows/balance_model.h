// The balancing pre-pass: one factor an input channel for each layer that asks for it (the
// reference's quantize_preprocess and 7.5).
#pragma once

#include <memory>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"

namespace lathe::flows {

// The first layer of the settings with dmq_balancer_param, or null.
const quant::LayerSettings* FindBalancedLayer(const quant::QuantSettings& settings);

// Fuses the model as the settings say, runs the first batch, as the reference does, and returns an
// entry with tensor_balance_factor for each layer with dmq_balancer_param, in graph order. `model`
// is used up. Memory: that of the run. Errors: no layer has one; a layer's input is not finite, or
// its factors leave their range (both name the layer).
StatusOr<quant::Record> BalanceModel(std::unique_ptr<ir::Model> model,
                                     const quant::QuantSettings& settings, eval::Engine& engine,
                                     const frontends::BatchSource& data, const RunControl& control);

// The same for a model that is fused already.
StatusOr<quant::Record> MeasureBalance(const ir::Model& fused, const quant::QuantSettings& settings,
                                       eval::Engine& engine, const frontends::BatchSource& data,
                                       const RunControl& control);

// A record that was read, and from where, for messages.
struct BalanceRecord {
  quant::Record record;
  std::string path;
};

// The balance factors that a record holds for the layers with dmq_balancer_param, and nothing else
// of it, in graph order. Errors: the record is empty, does not fit the model (2.6), or has no
// factors for such a layer. They carry its file.
StatusOr<quant::Record> SelectBalance(const BalanceRecord& balance,
                                      const quant::QuantSettings& settings, const ir::Model& fused);

}  // namespace lathe::flows
