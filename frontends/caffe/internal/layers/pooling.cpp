#include "lathe/frontends/caffe/internal/layers/pooling.h"

#include <algorithm>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

constexpr size_t kFirstSpatial = 2;
constexpr int64_t kRank = 4;

Status PoolAll(LayerBuilder& builder) {
  const proto::PoolingParameter& param = builder.param().pooling_param();
  if (param.has_kernel_size() || param.has_kernel_h() || param.has_kernel_w()) {
    return InvalidInput("says a kernel beside global_pooling");
  }
  const bool average = param.pool() == proto::PoolingParameter::AVE;
  return builder.Finish({average ? "GlobalAveragePool" : "GlobalMaxPool", {builder.x()}},
                        Dims{builder.dims()[0], builder.dims()[1], 1, 1});
}

bool RoundsUp(const proto::PoolingParameter& param) {
  return param.has_ceil_mode() ? param.ceil_mode()
                               : param.round_mode() == proto::PoolingParameter::CEIL;
}

}  // namespace

bool PoolGeometry::reaches_beyond() const {
  return std::ranges::any_of(beyond, [](int64_t size) { return size > 0; });
}

bool PoolGeometry::is_padded() const {
  return std::ranges::any_of(window.pad, [](int64_t size) { return size > 0; });
}

std::vector<int64_t> PoolGeometry::PadsWithEnds() const {
  std::vector<int64_t> pads = window.SymmetricPads();
  for (size_t i = 0; i < beyond.size(); ++i) pads[beyond.size() + i] += beyond[i];
  return pads;
}

StatusOr<PoolGeometry> LayPoolWindows(const Window& window, std::span<const int64_t> sizes,
                                      bool round_up) {
  PoolGeometry geometry{.window = window};
  const bool padded = geometry.is_padded();
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t kernel = window.kernel[i];
    const int64_t stride = window.stride[i];
    const int64_t pad = window.pad[i];
    const int64_t room = sizes[i] + 2 * pad - kernel;
    if (pad >= kernel)
      return InvalidInput("pad {} is not smaller than the kernel, {}", pad, kernel);
    if (room < 0) {
      return InvalidInput("the kernel covers {} along axis {}, the padded bottom has {}", kernel,
                          kFirstSpatial + i, sizes[i] + 2 * pad);
    }
    int64_t out = room / stride + 1;
    if (round_up && room % stride != 0) ++out;
    if (padded && (out - 1) * stride >= sizes[i] + pad) --out;
    if ((out - 1) * stride - pad >= sizes[i]) {
      return InvalidInput("the last window along axis {} lies outside of the bottom",
                          kFirstSpatial + i);
    }
    geometry.out.push_back(out);
    geometry.beyond.push_back(std::max<int64_t>(0, (out - 1) * stride - room));
  }
  return geometry;
}

Op MaxPool(ir::Value* value, const PoolGeometry& geometry) {
  return {"MaxPool",
          {value},
          {{"kernel_shape", geometry.window.kernel},
           {"pads", geometry.PadsWithEnds()},
           {"strides", geometry.window.stride}}};
}

Op AveragePool(LayerBuilder& builder, ir::Value* value, const PoolGeometry& geometry) {
  std::vector<int64_t> pads = geometry.PadsWithEnds();
  if (geometry.is_padded() && geometry.reaches_beyond()) {
    const std::vector<int64_t>& pad = geometry.window.pad;
    ir::Value* by = builder.Ints("pads", {0, 0, pad[0], pad[1], 0, 0, pad[0], pad[1]});
    value = builder.Add("pad", {"Pad", {value, by}});
    pads = {0, 0, geometry.beyond[0], geometry.beyond[1]};
  }
  const int64_t count_padding = geometry.is_padded() && !geometry.reaches_beyond() ? 1 : 0;
  return {"AveragePool",
          {value},
          {{"count_include_pad", count_padding},
           {"kernel_shape", geometry.window.kernel},
           {"pads", std::move(pads)},
           {"strides", geometry.window.stride}}};
}

Status Pooling(LayerBuilder& builder) {
  const proto::PoolingParameter& param = builder.param().pooling_param();
  if (builder.num_tops() == 2)
    return Unsupported("gives the mask of its maxima, which is not read");
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(builder.RequireRank(kRank));
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
  if (param.pool() == proto::PoolingParameter::STOCHASTIC) {
    return Unsupported("pools stochastically, which is not read");
  }
  if (param.global_pooling()) return PoolAll(builder);
  LATHE_ASSIGN_OR_RETURN(const Window window, PoolingWindow(param));
  const std::span<const int64_t> sizes(builder.dims().data() + kFirstSpatial, 2);
  LATHE_ASSIGN_OR_RETURN(const PoolGeometry geometry,
                         LayPoolWindows(window, sizes, RoundsUp(param)));
  const Dims dims = {builder.dims()[0], builder.dims()[1], geometry.out[0], geometry.out[1]};
  if (param.pool() == proto::PoolingParameter::MAX) {
    return builder.Finish(MaxPool(builder.x(), geometry), dims);
  }
  return builder.Finish(AveragePool(builder, builder.x(), geometry), dims);
}

}  // namespace lathe::frontends::caffe
