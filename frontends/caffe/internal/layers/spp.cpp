#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/frontends/caffe/internal/layers/pooling.h"

namespace lathe::frontends::caffe {

// A pyramid of poolings: level l cuts each axis into 2^l windows; all are joined channel by
// channel.
Status Spp(LayerBuilder& builder) {
  const proto::SPPParameter& param = builder.param().spp_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
  if (param.pool() == proto::SPPParameter::STOCHASTIC) {
    return Unsupported("pools stochastically, which is not read");
  }
  constexpr uint32_t kHighest = 16;
  if (param.pyramid_height() < 1 || param.pyramid_height() > kHighest) {
    return InvalidInput("pyramid_height is {}", param.pyramid_height());
  }
  Op join{"Concat", {}, {{"axis", int64_t{1}}}};
  int64_t count = 0;
  for (uint32_t level = 0; level < param.pyramid_height(); ++level) {
    const int64_t bins = int64_t{1} << level;
    Window window{.dilation = {1, 1}};
    for (const size_t axis : {2, 3}) {
      const int64_t size = builder.dims()[axis];
      const int64_t kernel = (size + bins - 1) / bins;
      window.kernel.push_back(kernel);
      window.stride.push_back(kernel);
      window.pad.push_back((kernel * bins - size + 1) / 2);
    }
    const std::span<const int64_t> sizes(builder.dims().data() + 2, 2);
    auto geometry = LayPoolWindows(window, sizes, /*round_up=*/true);
    if (!geometry.ok()) return AtPlace(geometry.status(), fmt::format("pyramid level {}", level));
    Op pool = param.pool() == proto::SPPParameter::MAX
                  ? MaxPool(builder.x(), *geometry)
                  : AveragePool(builder, builder.x(), *geometry);
    ir::Value* pooled = builder.Add(fmt::format("pool{}", level), std::move(pool));
    join.inputs.push_back(builder.Add(fmt::format("flatten{}", level),
                                      {"Flatten", {pooled}, {{"axis", int64_t{1}}}}));
    count += builder.dims()[1] * geometry->out[0] * geometry->out[1];
  }
  return builder.Finish(std::move(join), Dims{builder.dims()[0], count});
}

}  // namespace lathe::frontends::caffe
