// The SSD fork's prior boxes: constants of the net's extents.
#include <algorithm>
#include <array>
#include <cmath>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

using proto::PriorBoxParameter;

struct Size {
  float height = 0;
  float width = 0;
};

// Ratios beside 1, each once, and their inverses if `flip`.
std::vector<float> AspectRatios(const PriorBoxParameter& param) {
  constexpr float kSame = 1e-6F;
  std::vector<float> ratios = {1};
  for (const float ratio : param.aspect_ratio()) {
    const auto same = [&](float other) { return std::fabs(ratio - other) < kSame; };
    if (std::ranges::any_of(ratios, same)) continue;
    ratios.push_back(ratio);
    if (param.flip()) ratios.push_back(1 / ratio);
  }
  ratios.erase(ratios.begin());
  return ratios;
}

// The boxes of one place, in pixels. The fork keeps sizes as whole numbers.
std::vector<Size> BoxSizes(const PriorBoxParameter& param) {
  const std::vector<float> ratios = AspectRatios(param);
  std::vector<Size> sizes;
  for (int i = 0; i < param.min_size_size(); ++i) {
    const float least = std::trunc(param.min_size(i));
    sizes.push_back({least, least});
    if (param.max_size_size() > 0) {
      const float between = std::sqrt(least * std::trunc(param.max_size(i)));
      sizes.push_back({between, between});
    }
    for (const float ratio : ratios) {
      sizes.push_back({least / std::sqrt(ratio), least * std::sqrt(ratio)});
    }
  }
  return sizes;
}

Status CheckSizes(const PriorBoxParameter& param) {
  constexpr float kLargest = 1e9F;
  constexpr int kMost = 1000;
  if (param.min_size_size() > kMost || param.aspect_ratio_size() > kMost) {
    return Unsupported("has {} sizes and {} aspect ratios, at most {} are read",
                       param.min_size_size(), param.aspect_ratio_size(), kMost);
  }
  if (param.min_size_size() == 0) return InvalidInput("has no min_size");
  const int largest = param.max_size_size();
  if (largest != 0 && largest != param.min_size_size()) {
    return InvalidInput("has {} max_size for {} min_size", largest, param.min_size_size());
  }
  for (int i = 0; i < param.min_size_size(); ++i) {
    const float least = param.min_size(i);
    if (!(least > 0 && least < kLargest)) return InvalidInput("min_size is {}", least);
    if (largest > 0 && !(param.max_size(i) > least && param.max_size(i) < kLargest)) {
      return InvalidInput("max_size {} is not larger than min_size {}", param.max_size(i), least);
    }
  }
  for (const float ratio : param.aspect_ratio()) {
    if (!(ratio > 0 && ratio < kLargest)) return InvalidInput("aspect_ratio is {}", ratio);
  }
  const int variances = param.variance_size();
  if (variances > 1 && variances != 4) return InvalidInput("has {} variances", variances);
  return OkStatus();
}

// Of a pair of parameters that stand for both axes or one each; (0, 0) when none is said.
template <typename T>
StatusOr<std::array<T, 2>> Pair(std::string_view name, bool has_both, T both, bool has_h, T h,
                                bool has_w, T w) {
  if (!has_both && !has_h && !has_w) return std::array<T, 2>{0, 0};
  if (has_both && (has_h || has_w)) return InvalidInput("says {} in two ways", name);
  const std::array<T, 2> pair = has_both ? std::array<T, 2>{both, both} : std::array<T, 2>{h, w};
  if (!(pair[0] > 0 && pair[1] > 0)) {
    return InvalidInput("{} is {} and {}", name, pair[0], pair[1]);
  }
  return pair;
}

struct Grid {
  int64_t rows = 0;
  int64_t columns = 0;
  // Pixels of the image, and from one place to the next.
  float image_height = 0;
  float image_width = 0;
  float step_h = 0;
  float step_w = 0;
};

StatusOr<Grid> ReadGrid(const LayerBuilder& builder) {
  const PriorBoxParameter& param = builder.param().prior_box_param();
  const Dims& image = builder.bottom(1).dims;
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 2));
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(1, 2));
  Grid grid{builder.dims()[2], builder.dims()[3], static_cast<float>(image[2]),
            static_cast<float>(image[3])};
  LATHE_ASSIGN_OR_RETURN(
      const auto said,
      Pair<uint32_t>("img_size", param.has_img_size(), param.img_size(), param.has_img_h(),
                     param.img_h(), param.has_img_w(), param.img_w()));
  if (said[0] != 0) {
    grid.image_height = static_cast<float>(said[0]);
    grid.image_width = static_cast<float>(said[1]);
  }
  LATHE_ASSIGN_OR_RETURN(const auto step,
                         Pair<float>("step", param.has_step(), param.step(), param.has_step_h(),
                                     param.step_h(), param.has_step_w(), param.step_w()));
  grid.step_h = step[0] != 0 ? step[0] : grid.image_height / static_cast<float>(grid.rows);
  grid.step_w = step[1] != 0 ? step[1] : grid.image_width / static_cast<float>(grid.columns);
  return grid;
}

// Corners as parts of the image, row by row.
void AppendBoxes(const PriorBoxParameter& param, const Grid& grid, const std::vector<Size>& sizes,
                 std::vector<float>& values) {
  const auto add = [&](float corner) {
    values.push_back(param.clip() ? std::clamp(corner, 0.0F, 1.0F) : corner);
  };
  for (int64_t row = 0; row < grid.rows; ++row) {
    const float y = (static_cast<float>(row) + param.offset()) * grid.step_h;
    for (int64_t column = 0; column < grid.columns; ++column) {
      const float x = (static_cast<float>(column) + param.offset()) * grid.step_w;
      for (const Size& size : sizes) {
        add((x - size.width / 2) / grid.image_width);
        add((y - size.height / 2) / grid.image_height);
        add((x + size.width / 2) / grid.image_width);
        add((y + size.height / 2) / grid.image_height);
      }
    }
  }
}

void AppendVariances(const PriorBoxParameter& param, int64_t boxes, std::vector<float>& values) {
  constexpr float kDefault = 0.1F;
  for (int64_t box = 0; box < boxes; ++box) {
    for (int i = 0; i < 4; ++i) {
      if (param.variance_size() == 4) {
        values.push_back(param.variance(i));
      } else {
        values.push_back(param.variance_size() == 1 ? param.variance(0) : kDefault);
      }
    }
  }
}

}  // namespace

Status PriorBox(LayerBuilder& builder) {
  const PriorBoxParameter& param = builder.param().prior_box_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(2));
  if (builder.rank() != 4 || builder.bottom(1).dims.size() != 4) {
    return InvalidInput("bottoms {} and {} are no images", DimsText(builder.dims()),
                        DimsText(builder.bottom(1).dims));
  }
  LATHE_RETURN_IF_ERROR(CheckSizes(param));
  LATHE_ASSIGN_OR_RETURN(const Grid grid, ReadGrid(builder));
  const std::vector<Size> sizes = BoxSizes(param);
  constexpr int64_t kMostBoxes = 1 << 22;
  const auto a_place = static_cast<int64_t>(sizes.size());
  if (grid.rows > kMostBoxes || grid.columns > kMostBoxes / grid.rows ||
      a_place > kMostBoxes / (grid.rows * grid.columns)) {
    return Unsupported("makes more than {} boxes", kMostBoxes);
  }
  const int64_t boxes = grid.rows * grid.columns * a_place;
  std::vector<float> values;
  values.reserve(static_cast<size_t>(boxes) * 8);
  AppendBoxes(param, grid, sizes, values);
  AppendVariances(param, boxes, values);
  const Dims dims = {1, 2, 4 * boxes};
  return builder.Finish({"Constant", {}, {{"value", ir::Tensor::Of<float>(dims, values)}}}, dims);
}

}  // namespace lathe::frontends::caffe
