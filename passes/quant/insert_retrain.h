// Fake quantisation in ONNX's own operators, whose ranges are constants that can be trained.
#pragma once

#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/core/model_form.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/quant/retrain.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// What the inserted nodes and constants of a layer are called: `<layer>` and one of these, or
// kActivationQuantizer.
inline constexpr std::string_view kWeightQuantizer = ".wts_quant";
inline constexpr std::string_view kClipMax = ".quant_module.acts_clip_max";
inline constexpr std::string_view kClipMin = ".quant_module.acts_clip_min";
inline constexpr std::string_view kWeightScales = ".quant_module.wts_scales";
// The same of the hidden state and the recurrence weight of LSTM and GRU.
inline constexpr std::string_view kHiddenQuantizer = ".acts_h_quant";
inline constexpr std::string_view kRecurrenceQuantizer = ".rec_wts_quant";
inline constexpr std::string_view kHiddenClipMax = ".quant_module.acts_h_clip_max";
inline constexpr std::string_view kHiddenClipMin = ".quant_module.acts_h_clip_min";
inline constexpr std::string_view kRecurrenceScales = ".quant_module.rec_wts_scales";

// Puts into the graph, for each layer (the reference's 4.3):
//
//     %scale = (max(%clip_max, 0) - min(%clip_min, 0)) / (2^n - 1)       %offset = round(...)
//     %x'    = (clip(round(%x / %scale + %offset)) - %offset) * %scale    in front of input 0
//     %w'    = clip(round(%w / %s)) * %s                                  in front of the weight
//
// where clip_max, clip_min and, for ULQ weights, s are initializers that start as `states` say, and
// for ARQ weights s follows from the largest magnitude of %w. Layers that share their clips share
// %x'. With fixed_min the lower clip is the constant 0. The last node of each is called
// `<layer>.acts_quant` and `<layer>.wts_quant`. In front of LSTM and GRU stand two pairs, the
// second before initial_h and R. Errors: a layer in a local function. O(nodes inserted); no weight
// is copied.
Status InsertRetrain(ir::Model& model, const std::vector<RetrainLayer>& layers,
                     const std::vector<quant::RetrainState>& states);

}  // namespace lathe::passes
