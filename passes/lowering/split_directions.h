// A reverse or bidirectional LSTM or GRU as forward layers, since the accelerator's operator knows
// no other direction.
#pragma once

#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// Replaces the layer's node by one forward node a direction, called `<layer>.forward` and
// `<layer>.reverse`:
//
//     %y, %y_h, %y_c = LSTM(%x, %w, %r, %b, %lens, %h, %c) {direction = "bidirectional"}
//     ->  %y0, %y_h0, %y_c0 = LSTM(%x, %w[0:1], ..., %lens, %h[0:1], %c[0:1])
//         %y1, %y_h1, %y_c1 = LSTM(R(%x), %w[1:2], ..., %lens, %h[1:2], %c[1:2])
//         %y = Concat(%y0, R(%y1)) {axis = 1}    %y_h = Concat(%y_h0, %y_h1)    %y_c likewise
//
// R turns the steps around: a Slice with step -1, or, with sequence_lens, ReverseSequence, which
// leaves the steps behind the end of a sample where they are. Results nobody reads are not made;
// the others keep their names, and the node that makes %y gets the layer's. Constants are cut.
// Returns the layers in the order of the directions; a forward layer as it is. O(node).
// Errors: a constant that cannot be read.
StatusOr<std::vector<QuantLayer>> SplitDirections(ir::Rewriter& rewriter, const QuantLayer& layer);

}  // namespace lathe::passes
