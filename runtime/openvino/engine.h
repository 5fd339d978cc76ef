// The Engine on OpenVINO's CPU plugin: float graphs, fake-quant models among them.
//
// Computes in float32 whatever the machine offers (OpenVINO would take bfloat16 where it can) and
// whatever floating-point type the model has; integers of 32 and 64 bits in int32 (what does not
// fit is an error where it can be seen). Constants are handed over by address and taps are side
// branches of the graph, so a run holds neither a second copy of the weights in the message nor the
// values of all taps at once. A graph is compiled for the shapes it is fed; data whose shapes keep
// changing gets one for any shape.
//
// The bytes of results do not depend on CompileOptions::threads. They may depend on the machine: on
// its vector instructions and, for long sums of few elements, on its number of cores.
//
// Errors name operator and node: what OpenVINO's frontend does not convert or its plugin does not
// run, and what it would compute wrongly without a word (prepare.h). One plugin is loaded a
// process.
#pragma once

#include <memory>

#include "lathe/eval/engine.h"

namespace lathe::runtime {

std::unique_ptr<eval::Engine> MakeOpenVinoEngine();

}  // namespace lathe::runtime
