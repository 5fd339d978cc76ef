#include "lathe/quant/second_order_rounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <Eigen/Cholesky>

#include "lathe/quant/affine.h"

namespace lathe::quant {
namespace {

// What is added to the diagonal: this share of each element, and of their mean.
constexpr double kOwnDamping = 1e-2;
constexpr double kMeanDamping = 1e-6;

Status Check(std::span<const float> weights, std::span<const float> scales, size_t columns,
             std::span<const double> moments, int num_bits) {
  if (columns == 0 || columns * columns != moments.size() || weights.empty() ||
      weights.size() % columns != 0) {
    return InvalidInput("{} weights do not fit {} moments", weights.size(), moments.size());
  }
  if (scales.size() != 1 && scales.size() != weights.size() / columns) {
    return InvalidInput("{} scales for {} rows of weights", scales.size(),
                        weights.size() / columns);
  }
  if (num_bits < 4 || num_bits > 8) {
    return InvalidInput("weights of {} bits; they can have 4 to 8", num_bits);
  }
  const auto good_scale = [](float scale) { return std::isfinite(scale) && scale > 0; };
  if (!std::ranges::all_of(scales, good_scale)) {
    return InvalidInput("a scale of the weights is not positive and finite");
  }
  const auto finite = [](auto value) { return std::isfinite(value); };
  if (!std::ranges::all_of(weights, finite) || !std::ranges::all_of(moments, finite)) {
    return InvalidInput("a weight or a moment is not finite");
  }
  return OkStatus();
}

// Columns in the order in which they are rounded, last first: by their diagonal element.
std::vector<size_t> SortColumns(std::span<const double> moments, size_t columns) {
  std::vector<size_t> order(columns);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return moments[i * columns + i]; });
  return order;
}

// Damped, in the given order.
Eigen::MatrixXd Arrange(std::span<const double> moments, std::span<const size_t> order) {
  const size_t columns = order.size();
  const auto extent = static_cast<Eigen::Index>(columns);
  Eigen::MatrixXd matrix(extent, extent);
  double trace = 0;
  for (size_t i = 0; i < columns; ++i) {
    trace += moments[i * columns + i];
    for (size_t j = 0; j < columns; ++j) {
      matrix(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
          moments[order[i] * columns + order[j]];
    }
  }
  matrix.diagonal() *= 1 + kOwnDamping;
  const double mean = trace / static_cast<double>(columns);
  matrix.diagonal().array() += mean > 0 ? kMeanDamping * mean : 1.0;
  return matrix;
}

}  // namespace

Status RoundBySecondMoments(std::span<float> weights, std::span<const float> scales,
                            std::span<const double> moments, int num_bits, ThreadPool& pool) {
  const auto columns = static_cast<size_t>(std::lround(std::sqrt(moments.size())));
  LATHE_RETURN_IF_ERROR(Check(weights, scales, columns, moments, num_bits));
  const std::vector<size_t> order = SortColumns(moments, columns);
  // M = L L^T, so e M e^T is the squared length of e L, whose element j has no share of the columns
  // before j: the last column is rounded first, and each one makes up for those behind it.
  const Eigen::LLT<Eigen::MatrixXd> cholesky(Arrange(moments, order));
  if (cholesky.info() != Eigen::Success) {
    return InvalidInput("the moments are not those of any data");
  }
  const Eigen::MatrixXd& lower = cholesky.matrixLLT();
  const double low = MinQuantized(num_bits);
  const double high = MaxQuantized(num_bits);
  pool.ParallelFor(weights.size() / columns, [&](size_t row, int) {
    const std::span<float> mine = weights.subspan(row * columns, columns);
    const float scale = scales[scales.size() == 1 ? 0 : row];
    Eigen::VectorXd error(static_cast<Eigen::Index>(columns));
    for (auto j = static_cast<Eigen::Index>(columns) - 1; j >= 0; --j) {
      const Eigen::Index behind = error.size() - j - 1;
      const double carried = lower.col(j).tail(behind).dot(error.tail(behind)) / lower(j, j);
      float& weight = mine[order[static_cast<size_t>(j)]];
      const double wanted = (double{weight} + carried) / double{scale};
      const double rounded = std::clamp(std::nearbyint(wanted), low, high);
      const float result = static_cast<float>(rounded) * scale;
      error[j] = double{weight} - double{result};
      weight = result;
    }
  });
  return OkStatus();
}

}  // namespace lathe::quant
