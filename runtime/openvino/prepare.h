// What is handed to OpenVINO in place of a model, and what it cannot carry.
#pragma once

#include <memory>
#include <span>

#include "lathe/eval/engine.h"

namespace lathe::runtime {

// A copy of `model` for OpenVINO's ONNX frontend. Its outputs are the model's (unless
// options.outputs is false), then one for each tap, so that every tapped value has a place that no
// conversion takes away. Inputs have the shapes that the options fix. Constants stand at addresses
// that their elements may have (in a file they need not, and OpenVINO does not ask): those that do
// not are copied.
//
// Errors: a tap of another model or of an omitted output; what CheckCarried finds. O(model).
StatusOr<std::unique_ptr<ir::Model>> PrepareForOpenVino(const ir::Model& model,
                                                        const eval::CompileOptions& options);

// OpenVINO's CPU plugin has no strings (they end the process) and computes 64-bit and unsigned
// 32-bit integers in int32, clamping without a word; some attributes it ignores.
// Errors name operator and node: a string constant, input or output of an operator; an integer
// constant beyond int32 where clamping it changes the result (as the end of a Slice or the limit of
// a Loop it does not); an attribute or
// operator that it is known to compute otherwise than ONNX says.
Status CheckCarried(const ir::Model& model);

// The same for an input's data. O(elements) for wide integers, else O(1).
Status CheckCarried(std::string_view input, const ir::Tensor& tensor);

}  // namespace lathe::runtime
