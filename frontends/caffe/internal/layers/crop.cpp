#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {

// Bottom 0 cut to the extents of bottom 1 from `axis` on.
Status Crop(LayerBuilder& builder) {
  const proto::CropParameter& param = builder.param().crop_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(2));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(param.axis()));
  const Dims& from = builder.dims();
  const Dims& like = builder.bottom(1).dims;
  const auto first = static_cast<size_t>(axis);
  if (like.size() != from.size()) {
    return InvalidInput("bottoms {} and {} have different numbers of axes", DimsText(from),
                        DimsText(like));
  }
  const size_t cut = from.size() - first;
  const auto offsets = static_cast<size_t>(param.offset_size());
  if (offsets > 1 && offsets != cut) {
    return InvalidInput("has {} offsets for {} axes", offsets, cut);
  }
  Dims dims = from;
  std::vector<int64_t> axes;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  for (size_t i = 0; i < cut; ++i) {
    const size_t at = first + i;
    const int64_t offset =
        offsets == 0 ? 0 : int64_t{param.offset(offsets == 1 ? 0 : static_cast<int>(i))};
    // One batch is as long as the other.
    if (from[at] == kFree && like[at] == kFree && offset == 0) continue;
    if (from[at] == kFree || like[at] == kFree) {
      return Unsupported("crops axis {}, which depends on the batch", at);
    }
    if (offset + like[at] > from[at]) {
      return InvalidInput("bottom {} has no {} values from {} on along axis {}", DimsText(from),
                          like[at], offset, at);
    }
    dims[at] = like[at];
    axes.push_back(static_cast<int64_t>(at));
    starts.push_back(offset);
    ends.push_back(offset + like[at]);
  }
  if (axes.empty()) return builder.Finish({"Identity", {builder.x()}}, dims);
  return builder.Finish({"Slice",
                         {builder.x(), builder.Ints("starts", starts), builder.Ints("ends", ends),
                          builder.Ints("axes", axes)}},
                        dims);
}

}  // namespace lathe::frontends::caffe
