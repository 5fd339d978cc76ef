// Weights: the blobs of a caffemodel's layers, found by name. The file is walked in place and its
// blobs become ranges of it; nothing else of a layer is read.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/tensor.h"
#include "lathe/support/mapped_file.h"
#include "lathe/support/status.h"

namespace lathe::frontends::caffe {

class CaffeModel {
 public:
  // O(layers). Errors carry the file: not a caffemodel, damaged, HDF5.
  static StatusOr<CaffeModel> Open(const std::string& path);

  const std::string& path() const { return file_->path(); }
  bool Has(std::string_view layer) const { return layers_.contains(layer); }
  // The names of layers that have blobs, in the file's order.
  std::vector<std::string_view> Names() const;
  // The blobs of a layer as float tensors in the shapes that the file says; old blobs have four
  // extents. None when the file has no such layer. Costs O(blobs); blobs of doubles, and those
  // that are not stored in one piece, are copied. Errors: damaged, integers instead of floats, a
  // shape that does not fit its values.
  StatusOr<std::vector<ir::Tensor>> Blobs(std::string_view layer) const;

 private:
  using Message = std::span<const std::byte>;
  struct Layer {
    std::string_view name;
    std::vector<Message> blobs;
  };

  // Where names and blobs stand in a layer's message; V0's are in one more message.
  static Status ReadLayer(Message message, uint32_t name_field, uint32_t blobs_field,
                          uint32_t inner_field, Layer& layer);
  void Add(Layer layer);
  StatusOr<ir::Tensor> ReadBlob(Message message) const;

  std::shared_ptr<const MappedFile> file_;
  Message bytes_;
  std::vector<Layer> order_;
  // Index into order_.
  absl::flat_hash_map<std::string_view, size_t> layers_;
};

}  // namespace lathe::frontends::caffe
