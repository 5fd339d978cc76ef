// Execution of graphs, as an interface: flows receive an Engine and do not know what runs behind
// it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::eval {

// A dense row-major tensor that somebody else owns; valid during the call that hands it over.
struct TensorView {
  ir::ElementType element_type = ir::ElementType::kUndefined;
  std::span<const int64_t> dims;
  std::span<const std::byte> bytes;

  // The elements, when the element type is float32.
  std::span<const float> floats() const {
    return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
  }
};

// Receives a value of the graph once a run: as it is produced, or for an input or constant at some
// moment of the run. Calls for one run come one after another, from whatever thread the engine
// uses; the callee may use threads of its own. An error stops the run. Floating-point values of
// other widths may come as float32, in which the engine computes; other values come in their own
// type.
struct Tap {
  // A value of the compiled model's main graph: a graph input, an initializer or a node output.
  const ir::Value* value = nullptr;
  std::function<Status(const TensorView&)> observe;
};

struct CompileOptions {
  std::vector<Tap> taps;
  // Fixed shapes for graph inputs, by input name; others keep the model's.
  std::vector<std::pair<std::string, std::vector<int64_t>>> input_shapes;
  // Threads to use; 0: as many as the machine has.
  int threads = 0;
  // Whether the graph's own outputs are wanted; a calibration run may only want the taps.
  bool outputs = true;
};

class CompiledGraph {
 public:
  virtual ~CompiledGraph() = default;
  // One tensor a graph input that has no default, in graph order; returns the graph's outputs in
  // order. Errors name the input and say what it should be: wrong count, type, rank or extent.
  virtual StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> inputs) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  // The result refers to the model's tensors and taps; the model must outlive it and must not
  // change. Errors name the operator that the engine cannot run.
  virtual StatusOr<std::unique_ptr<CompiledGraph>> Compile(const ir::Model& model,
                                                           const CompileOptions& options) = 0;
};

}  // namespace lathe::eval
