#include "lathe/flows/value_difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::flows {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double distance = std::abs(a - b);
  if (std::isnan(distance)) return kInfinity;
  return distance;
}

}  // namespace

void ValueDifference::Add(std::span<const float> a, std::span<const float> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    const double distance = Distance(x, y);
    signal_ += x * x;
    other_ += y * y;
    product_ += x * y;
    noise_ += distance * distance;
    largest_ = std::max(largest_, distance);
  }
}

double ValueDifference::SqnrDb() const {
  if (noise_ == 0) return kInfinity;
  if (noise_ == kInfinity) return -kInfinity;
  return 10 * std::log10(signal_ / noise_);
}

double ValueDifference::Cosine() const {
  if (signal_ == 0 && other_ == 0) return 1;
  const double cosine = product_ / (std::sqrt(signal_) * std::sqrt(other_));
  return std::isfinite(cosine) ? std::clamp(cosine, -1.0, 1.0) : 0;
}

}  // namespace lathe::flows
