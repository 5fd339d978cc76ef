// The calibration of a loaded model: fusion, weight factors, activation factors.
#pragma once

#include <memory>

#include "lathe/eval/engine.h"
#include "lathe/flows/balance_model.h"
#include "lathe/flows/calibration.h"
#include "lathe/flows/make_settings.h"
#include "lathe/frontends/data/batches.h"

namespace lathe::flows {

struct CalibratedModel {
  // BatchNormalization folded, weights balanced and still float but for those that
  // AdaRound learnt: what LowerModel takes.
  std::unique_ptr<ir::Model> fused;
  quant::Record record;
  // Layers that stay float because of their weights or data.
  passes::QuantReport report;
  // Sentences for the summary: what joint quantisation did.
  std::vector<std::string> notes;
};

// Error: `data` has fewer than batch_num batches.
Status CheckEnoughBatches(const quant::QuantSettings& settings, const frontends::BatchSource& data);

// Uses the first batch_num batches of `data`; fewer are an error. `model` is used up. Layers with
// dmq_balancer_param take their factors from `balance`, a record of BalanceModel; null: they are
// measured first.
StatusOr<CalibratedModel> CalibrateModel(std::unique_ptr<ir::Model> model,
                                         const quant::QuantSettings& settings, eval::Engine& engine,
                                         const frontends::BatchSource& data,
                                         const RunControl& control,
                                         const BalanceRecord* balance = nullptr);

// The reference's modified model: fused, with the weights of the record's layers rounded to what
// their integers stand for (ConvTranspose: as they are), and `op_data_type` on each quantised node.
StatusOr<std::unique_ptr<ir::Model>> MakeModifiedModel(const CalibratedModel& calibrated,
                                                       const quant::QuantSettings& settings);

}  // namespace lathe::flows
