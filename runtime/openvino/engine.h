// The Engine on OpenVINO's CPU plugin: float graphs, fake-quant models among them.
//
// Computes in float32 whatever the machine offers (OpenVINO would take bfloat16 where it can).
// Constants are handed over by address and taps are side branches of the graph, so a run holds
// neither a second copy of the weights in the message nor the values of all taps at once.
#pragma once

#include <memory>

#include "lathe/eval/engine.h"

namespace lathe::runtime {

std::unique_ptr<eval::Engine> MakeOpenVinoEngine();

}  // namespace lathe::runtime
