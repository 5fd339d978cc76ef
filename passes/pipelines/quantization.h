// The pipelines of post-training quantisation: which passes, in which order, and why there.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

// What comes before anything looks at layers.
//   freeze-inputs   first: constants that are also inputs hide weights from every later pass
//   name-nodes      before configuration, which calls layers by name; before any pass that removes
//                   nodes, since unnamed nodes are called by their place
//   fold-weights    before anything asks whether a weight is constant; after freeze-inputs, since a
//                   weight may be computed from such an input
//   normalize-gemm  after fold-weights: it needs constants
inline constexpr std::string_view kPreparePipeline =
    "freeze-inputs,name-nodes,fold-weights,normalize-gemm";
// What comes before anything looks at the quantisers of a QDQ model, whose weights must stay what
// they are.
//   fold-quantizers   last: constants may come from frozen inputs, and nodes go
inline constexpr std::string_view kQuantizersPipeline = "freeze-inputs,name-nodes,fold-quantizers";
// The first by the name "prepare".
const PipelineDescriptor& PreparePipelineDescriptor();

// Float graph to float graph with BatchNormalization folded; `skip` names convolutions to leave
// alone.
std::string FusionPipeline(bool do_fusion, std::span<const std::string> skip);

// Which operands are quantised; everything after follows these marks.
inline constexpr std::string_view kMarkingPipeline = "mark-quant-points";

// Marked graph to the graph that is run on calibration data; AdaRound comes between the two.
//   fake-quantize-weights   before observers: activations are observed behind rounded weights
//   insert-balance          before observers: activations are observed as the layer meets them
//   insert-calibration      last: nothing may be rewritten behind an observer's back
inline constexpr std::string_view kCalibrationPipeline = "fake-quantize-weights,insert-balance";
inline constexpr std::string_view kObservingPipeline = "insert-calibration";

// Fused float graph with the record's balance factors applied to weights; before everything that
// reads weights.
inline constexpr std::string_view kBalancingPipeline = "balance-weights";

// Marked graph to the reference's modified model, which also holds rounded weights of LSTM and GRU.
inline constexpr std::string_view kModifiedPipeline = "fake-quantize-weights{recurrent=true}";

// Calibrated graph to integers (the reference's 4.2, steps 1 to 8).
//   transpose-gemm-weight   before quantize-weights, so that integers are laid out once
//   insert-balance          before insert-ascend-quant: what is quantised is the balanced value
//   insert-ascend-quant     before insert-ascend-dequant only by custom
//   insert-tensor-quant     after both: an edge of a layer's result begins behind AscendDequant
//   quantize-bias           once, before the graph is copied for the two emitters
//   share-ascend-quant      last: it compares AscendQuant nodes
inline constexpr std::string_view kLoweringPipeline =
    "mark-quant-points,transpose-gemm-weight,insert-balance,insert-ascend-quant,quantize-weights,"
    "insert-ascend-dequant,insert-tensor-quant,quantize-bias,share-ascend-quant";

// Calibrated graph to a standard QDQ model, whose operator set must be at least 13.
//   insert-balance          before lower-to-qdq: what is quantised is the balanced value
//   quantize-weights, quantize-bias   before lower-to-qdq, which dequantises what they left
inline constexpr std::string_view kQdqPipeline =
    "mark-quant-points,insert-balance,quantize-weights,quantize-bias,lower-to-qdq";

// Lowered graph to what is emitted.
//   lower-recurrent        before lower-to-deploy, which forgets the marks
//   simulate-recurrent     before lower-to-fake-quant, which rewrites the nodes that it inserts
inline constexpr std::string_view kDeployPipeline = "lower-recurrent,lower-to-deploy";
inline constexpr std::string_view kFakeQuantPipeline = "simulate-recurrent,lower-to-fake-quant";

}  // namespace lathe::passes
