// The state of turning a region's nodes into steps: what is known of each value so far.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>

#include "lathe/quant/dequant_word.h"
#include "lathe/runtime/integer/build.h"
#include "lathe/runtime/integer/known.h"

namespace lathe::runtime::integer {

// A value of the region. It may be at hand as a tensor, in either layout, or be what a step's
// epilogue computes last, in which case it becomes a tensor only when somebody wants it.
struct ValueState {
  Domain domain = Domain::kFloat;
  std::optional<TensorId> tensor[2];
  // The step's epilogue, and its position among the steps.
  std::shared_ptr<Epilogue> epilogue;
  size_t step = 0;
  // Shape and layout of what the epilogue makes.
  TensorInfo info;
  // Position among the region's inputs.
  std::optional<size_t> input;
  // Of the weights behind these sums: offset_w that was subtracted from them.
  std::vector<int8_t> weight_offsets;
};

// An epilogue that may go on.
struct Chain {
  std::shared_ptr<Epilogue> epilogue;
  size_t step = 0;
  TensorInfo info;
};

class Builder {
 public:
  Builder(const Region& region, const Kernels& kernels);
  StatusOr<BuiltRegion> Build();

 private:
  // ---- builder.cpp: values ----
  ValueState& State(const ir::Value& value) { return states_[&value]; }
  Status Expect(const ir::Node& node, const ir::Value& value, Domain domain);
  StatusOr<std::vector<int64_t>> Dims(const ir::Value& value) const;
  // The value as a tensor, in the layout if the rank allows a choice.
  StatusOr<TensorId> Need(const ir::Value& value, Layout layout);
  // As a tensor in whatever layout is at hand; `wanted` where there is none yet.
  StatusOr<TensorId> NeedAny(const ir::Value& value, Layout wanted);
  // Nobody but one node looks at the value, so that the epilogue that makes it may go on.
  bool Extendable(const ir::Value& value);
  // The layout that the nodes behind the value work on.
  Layout Preferred(const ir::Value& value, int depth = 0) const;
  // `value` is what `epilogue` makes, at the end of the step added last.
  void Open(const ir::Value& value, const std::shared_ptr<Epilogue>& epilogue,
            const TensorInfo& info);
  // An epilogue whose last result is `value` and that may go on: its own, or one of a new step on
  // its tensor. `layout` is a wish unless `exact`.
  StatusOr<Chain> Continue(const ir::Value& value, Layout layout, bool exact = false);
  // `to` is what the chain makes from now on: floats.
  void Hand(const Chain& chain, const ir::Value& to);
  Status Export(const ir::Value& value);

  // ---- build_layers.cpp ----
  Status Node(const ir::Node& node);
  Status Quant(const ir::Node& node);
  Status Dequant(const ir::Node& node);
  Status AntiQuant(const ir::Node& node);
  Status Layer(const ir::Node& node);
  Status AveragePool(const ir::Node& node);
  Status QuantizedNode(const ir::Node& node, Domain domain);

  // ---- build_floats.cpp ----
  Status FloatNode(const ir::Node& node);
  Status Clamp(const ir::Node& node);
  Status Binary(const ir::Node& node);
  Status MaxPool(const ir::Node& node);
  // Operators that move elements, of floats and of quantised tensors.
  Status Reshape(const ir::Node& node);
  Status Concat(const ir::Node& node);
  Status Pad(const ir::Node& node);
  Status Transpose(const ir::Node& node);

  // ---- build_recurrent.cpp ----
  Status Recurrent(const ir::Node& node);

  const Region& region_;
  std::unique_ptr<Program> program_;
  std::vector<std::string> notes_;
  // References to states stay valid.
  absl::node_hash_map<const ir::Value*, ValueState> states_;
  absl::flat_hash_set<const ir::Value*> outputs_;
  // Results that an earlier node's step has made already: the Add behind a MatMul.
  absl::flat_hash_set<const ir::Node*> done_;
};

}  // namespace lathe::runtime::integer
