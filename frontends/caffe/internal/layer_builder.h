// What the conversion of one layer works with: its parameters, bottoms and weights on one side,
// nodes and tops on the other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/proto/caffe.pb.h"
#include "lathe/support/status.h"

namespace lathe::frontends::caffe {

namespace proto = LatheCaffe;

// Extents of a blob.
using Dims = std::vector<int64_t>;
// An extent that is known only when the net runs: dim 0 of inputs, and what is made of it.
inline constexpr int64_t kFree = -1;
// Caffe's limit of a blob's axes.
inline constexpr size_t kMostAxes = 32;

struct Blob {
  ir::Value* value = nullptr;
  Dims dims;
};

// "[?,3,8,8]".
std::string DimsText(const Dims& dims);
// The product of the extents from `begin` to `end`; kFree when one of them is. The blob was checked
// (LayerBuilder::Finish), so it cannot overflow.
int64_t CountOf(const Dims& dims, size_t begin, size_t end);
// Equal, or one depends on the batch where the other does not: they are equal for some batch.
bool CanBeEqual(const Dims& a, const Dims& b);

// An operator of ONNX.
struct Op {
  std::string type;
  std::vector<ir::Value*> inputs;
  std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {};
};

// Gives the weights of layers (net_builder.h).
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // The blob, of the shape `dims`, as a constant of the graph in the shape `as`.
  virtual StatusOr<ir::Value*> Constant(const proto::LayerParameter& layer, size_t blob,
                                        const Dims& dims, std::string_view part,
                                        const Dims& as) = 0;
  // The blob's values.
  virtual StatusOr<ir::Tensor> Tensor(const proto::LayerParameter& layer, size_t blob,
                                      const Dims& dims) = 0;
  // Blobs that the layer has; an error when it has others than `count`.
  virtual Status CheckCount(const proto::LayerParameter& layer, size_t count) = 0;
};

class LayerBuilder {
 public:
  struct Top {
    // The name that its value must have.
    ir::Name name;
    Blob blob;
  };

  // `node_name` is unique; `tops` are the unique names of its values.
  LayerBuilder(ir::Rewriter& rewriter, WeightSource& weights, const proto::LayerParameter& param,
               ir::Name node_name, std::vector<Blob> bottoms, const std::vector<ir::Name>& tops);

  ir::Rewriter& rewriter() const { return rewriter_; }
  const proto::LayerParameter& param() const { return param_; }
  size_t num_bottoms() const { return bottoms_.size(); }
  const Blob& bottom(size_t i = 0) const { return bottoms_[i]; }
  ir::Value* x() const { return bottoms_[0].value; }
  const Dims& dims() const { return bottoms_[0].dims; }
  int64_t rank() const { return static_cast<int64_t>(bottoms_[0].dims.size()); }
  size_t num_tops() const { return tops_.size(); }
  const std::vector<Top>& tops() const { return tops_; }

  // Errors: the layer has other numbers of bottoms or tops.
  Status CheckCounts(size_t bottoms, size_t tops = 1) const {
    return CheckCounts(bottoms, bottoms, tops, tops);
  }
  Status CheckCounts(size_t least_bottoms, size_t most_bottoms, size_t least_tops,
                     size_t most_tops) const;
  // An axis from 0; a negative one counts from the end. Errors: beyond the rank (`allow_end`: the
  // rank itself is an axis, too).
  StatusOr<int64_t> Axis(int64_t axis, bool allow_end = false) const;
  // Errors: an extent of bottom `i` from axis `begin` on is free.
  Status RequireKnown(size_t i, size_t begin) const;
  Status RequireRank(int64_t rank) const;

  // Weights: as WeightSource.
  StatusOr<ir::Value*> Weight(size_t blob, const Dims& dims, std::string_view part) const {
    return weights_.Constant(param_, blob, dims, part, dims);
  }
  StatusOr<ir::Value*> Weight(size_t blob, const Dims& dims, std::string_view part,
                              const Dims& as) const {
    return weights_.Constant(param_, blob, dims, part, as);
  }
  StatusOr<ir::Tensor> WeightTensor(size_t blob, const Dims& dims) const {
    return weights_.Tensor(param_, blob, dims);
  }
  Status CheckWeights(size_t count) const { return weights_.CheckCount(param_, count); }

  // A constant, "LAYER/part".
  ir::Value* Constant(std::string_view part, ir::Tensor tensor);
  ir::Value* Scalar(std::string_view part, float value);
  ir::Value* Ints(std::string_view part, const std::vector<int64_t>& values);

  // A node with one result, "LAYER/part"; with an empty part the node that has the layer's name.
  ir::Value* Add(std::string_view part, Op op);
  // The same with several results.
  std::vector<ir::Value*> AddSeveral(std::string_view part, Op op, size_t count);
  // The node that gives all tops, named as Add names it; `dims` are their extents. Errors: an
  // extent that is not positive, a blob of more than 2^31 - 1 values (a free extent counts as 1).
  Status Finish(Op op, const std::vector<Dims>& dims, std::string_view part = "");
  Status Finish(Op op, const Dims& dims, std::string_view part = "") {
    return Finish(std::move(op), std::vector<Dims>{dims}, part);
  }
  // For nodes with bodies: a node without results, "LAYER/part" or the layer's own; its next result
  // "LAYER/part"; its next result as top `i`, whose extents Finish would check.
  ir::Node& Create(std::string_view part, Op op);
  ir::Value* AddResult(ir::Node& node, std::string_view part);
  void AddTop(size_t i, ir::Node& node, const Dims& dims);
  // Finish for top `i` alone.
  Status FinishTop(size_t i, Op op, const Dims& dims, std::string_view part = "");

 private:
  std::string PartName(std::string_view part) const;

  ir::Rewriter& rewriter_;
  WeightSource& weights_;
  const proto::LayerParameter& param_;
  ir::Name node_name_;
  std::vector<Blob> bottoms_;
  std::vector<Top> tops_;
};

// A chain of operators with one data operand each, of which the last has the layer's name.
class Chain {
 public:
  explicit Chain(LayerBuilder& builder) : builder_(builder) {}
  // `op.inputs` holds null where the value so far goes.
  void Then(std::string_view part, Op op) { steps_.emplace_back(part, std::move(op)); }
  // Without a step: an Identity. The top has the extents `dims`.
  Status Finish(ir::Value* value, const Dims& dims);

 private:
  LayerBuilder& builder_;
  std::vector<std::pair<std::string, Op>> steps_;
};

}  // namespace lathe::frontends::caffe
