// The search for shifts N (quant/search_n.h) over what layers compute from data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/search_n.h"

namespace lathe::flows {

// Layers that share their N.
struct ShiftGroup {
  struct Layer {
    // The record's name of it.
    std::string name;
    // What it computes, in real numbers, in the network that is run.
    const ir::Value* result = nullptr;
  };
  std::vector<Layer> layers;
  // One N for all channels, not one a channel. Version 1 takes the channels for one then, so they
  // must have one scale.
  bool one_shift = false;
};

// Runs `network` over the first `batch_num` batches and writes shift_bit of each layer into the
// record, whose scales say what the integers behind the results are. All layers of a group have
// equally many scales. Errors: a result without the channels that the record says, or of other
// values than floats; NaN.
Status SearchShifts(const ir::Model& network, const std::vector<ShiftGroup>& groups,
                    quant::SearchNVersion version, int64_t batch_num, eval::Engine& engine,
                    const frontends::BatchSource& data, const RunControl& control,
                    quant::Record& record);

// Makes scale_d * scale_w of these layers equal in the record (quant/joint_scales.h); false, and
// nothing is changed, when float32 has no common product.
bool ShareScales(std::span<const std::string> layers, quant::Record& record);

}  // namespace lathe::flows
