// Shapes and element types of all values, by onnx's inference functions and our own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::ir {

struct InferShapesOptions {
  // A contradiction (between what the file declares and what follows from the inputs, or inside a
  // node) is an error instead of an entry in `conflicts`.
  bool strict = false;
  // Give every named result of the main graph and its bodies a value_info entry, so that an
  // exported file shows the types. Without it, the graph's outputs keep the types that are
  // declared.
  bool list_types = false;
  // Leave out operators whose results are known down to the last extent: nothing can be learnt
  // about them, but contradictions are not found.
  bool skip_known = false;
};

struct ShapeConflict {
  std::string node;
  std::string message;
};

struct InferShapesResult {
  // Values whose type became more precise.
  size_t changed = 0;
  // Of these, values whose type a file shows: inputs and outputs of graphs, and what value_info
  // lists.
  size_t shown = 0;
  // Results of nodes whose rank is unknown in the end (only tensors have one).
  size_t unknown = 0;
  // What contradicted itself, in node order; the declared types stay.
  std::vector<ShapeConflict> conflicts;
};

// Infers types forward from the graph's inputs and constants, through bodies and local functions,
// and puts them on the values. Integer shape arithmetic (Shape, Gather, Concat, ...) is followed,
// so that a Reshape by computed extents is understood. Symbols stay symbols. Unknown operators and
// unknown inputs leave results unknown; that is no error. Reads constants of at most 4096 elements,
// and only those that decide a shape. The results of Conv, ConvTranspose, Gemm, MatMul and
// AveragePool of integers of 16 bits or fewer, which deploy graphs have, are the accumulators:
// int32. O(nodes), plus the bodies of local functions once a call. Errors: a contradiction when
// strict.
StatusOr<InferShapesResult> InferShapes(Rewriter& rewriter, const InferShapesOptions& options = {});

}  // namespace lathe::ir
