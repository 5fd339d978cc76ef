// The weights of a net's layers: blobs of the caffemodel, checked against what the layers ask for,
// and shared where `param` names say so.
#pragma once

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/frontends/caffe/internal/caffemodel.h"
#include "lathe/frontends/caffe/internal/layer_builder.h"

namespace lathe::frontends::caffe {

class Weights : public WeightSource {
 public:
  Weights(const CaffeModel& model, ir::Rewriter& rewriter) : model_(model), rewriter_(rewriter) {}

  StatusOr<ir::Value*> Constant(const proto::LayerParameter& layer, size_t blob, const Dims& dims,
                                std::string_view part, const Dims& as) override;
  StatusOr<ir::Tensor> Tensor(const proto::LayerParameter& layer, size_t blob,
                              const Dims& dims) override;
  Status CheckCount(const proto::LayerParameter& layer, size_t count) override;

 private:
  // The layer's blobs; those of the layer that is asked for again and again are kept.
  StatusOr<const std::vector<ir::Tensor>*> BlobsOf(const std::string& layer);
  StatusOr<ir::Tensor> Find(const proto::LayerParameter& layer, size_t blob);

  const CaffeModel& model_;
  ir::Rewriter& rewriter_;
  std::string layer_;
  std::vector<ir::Tensor> blobs_;
  // By the name that a `param` gives them.
  absl::flat_hash_map<std::string, ir::Tensor> shared_;
  absl::flat_hash_map<std::string, ir::Value*> shared_constants_;
};

}  // namespace lathe::frontends::caffe
