// The calibration of a loaded model: fusion, weight factors, activation factors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/ada_round_model.h"
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

// What is known before activations are looked at.
struct CalibratedWeights {
  // BatchNormalization folded, all weights float and unbalanced.
  std::unique_ptr<ir::Model> fused;
  // Where activations will be observed: the same, marked, balanced, with rounded weights.
  std::unique_ptr<ir::Model> observed;
  // Of the layers with ada_quantize.
  std::vector<RoundedWeight> rounded;
  quant::QuantSettings settings;
  // Balance and weight factors.
  quant::Record record;
  passes::QuantReport report;
};

// Uses the first batch_num batches of `data`; fewer are an error. `model` is used up. Layers with
// dmq_balancer_param take their factors from `balance`, a record of BalanceModel; null: they are
// measured first.
StatusOr<CalibratedModel> CalibrateModel(std::unique_ptr<ir::Model> model,
                                         const quant::QuantSettings& settings, eval::Engine& engine,
                                         const frontends::BatchSource& data,
                                         const RunControl& control,
                                         const BalanceRecord* balance = nullptr);

// The two halves of CalibrateModel. The first looks at the first batch of `data`, and only where a
// layer has ada_quantize or, without `balance`, dmq_balancer_param.
StatusOr<CalibratedWeights> CalibrateWeights(std::unique_ptr<ir::Model> model,
                                             const quant::QuantSettings& settings,
                                             eval::Engine& engine,
                                             const frontends::BatchSource& data,
                                             const RunControl& control,
                                             const BalanceRecord* balance = nullptr);
StatusOr<CalibratedModel> CalibrateActivations(CalibratedWeights weights, eval::Engine& engine,
                                               const frontends::BatchSource& data,
                                               const RunControl& control);

// What stands between the two, for MakeModifiedModel: the record has no activation factors yet.
StatusOr<CalibratedModel> ApplyWeights(const CalibratedWeights& weights);

// The reference's modified model: fused, with the weights of the record's layers rounded to what
// their integers stand for (ConvTranspose: as they are), and `op_data_type` on each quantised node.
StatusOr<std::unique_ptr<ir::Model>> MakeModifiedModel(const CalibratedModel& calibrated,
                                                       const quant::QuantSettings& settings);

}  // namespace lathe::flows
