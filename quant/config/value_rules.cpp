#include "lathe/quant/config/value_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <string>

#include <absl/numeric/int128.h>

#include "lathe/support/decimal_text.h"

namespace lathe::quant {
namespace {

std::string Text(double value) { return DecimalText(value); }
std::string Text(const std::array<double, 2>& pair) {
  return fmt::format("[{}, {}]", Text(pair[0]), Text(pair[1]));
}

Status CheckOneOf(std::string_view where, std::string_view key, int64_t value,
                  std::initializer_list<int64_t> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return OkStatus();
  return InvalidInput("{}: {} is {}, allowed are {}", where, key, value, fmt::join(allowed, ", "));
}

// A positive double as digits * 10^exponent, the shortest decimal that means it.
struct Decimal {
  absl::int128 digits = 0;
  int digit_count = 0;
  int exponent = 0;
};

Decimal ToDecimal(double value) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  Decimal decimal;
  for (const char c : text.substr(0, e)) {
    if (c == '.') continue;
    decimal.digits = decimal.digits * 10 + (c - '0');
    ++decimal.digit_count;
  }
  const size_t sign = text[e + 1] == '+' ? 1 : 0;
  std::from_chars(text.data() + e + 1 + sign, text.data() + text.size(), decimal.exponent);
  decimal.exponent -= decimal.digit_count - 1;
  return decimal;
}

// start + step <= end for positive numbers, as decimals: 0.8 + 0.1 <= 0.9 holds, although not for
// doubles.
bool StepFits(double start, double end, double step) {
  const std::array<Decimal, 3> decimals = {ToDecimal(start), ToDecimal(end), ToDecimal(step)};
  int least = decimals[0].exponent;
  for (const Decimal& decimal : decimals) least = std::min(least, decimal.exponent);
  std::array<absl::int128, 3> aligned;
  for (size_t i = 0; i < decimals.size(); ++i) {
    const int shift = decimals[i].exponent - least;
    // So far apart that doubles decide it, and that 128 bits would not hold the digits.
    if (decimals[i].digit_count + shift > 37) return step <= end - start;
    aligned[i] = decimals[i].digits;
    for (int k = 0; k < shift; ++k) aligned[i] *= 10;
  }
  return aligned[0] + aligned[2] <= aligned[1];
}

Status CheckPercentile(std::string_view where, std::string_view key, double value) {
  if (value > 0.5 && value <= 1.0) return OkStatus();
  return InvalidInput("{}: {} is {}, it must be above 0.5 and at most 1", where, key, Text(value));
}

Status CheckIfmr(std::string_view where, const IfmrParameters& ifmr) {
  LATHE_RETURN_IF_ERROR(CheckPercentile(where, "max_percentile", ifmr.max_percentile));
  LATHE_RETURN_IF_ERROR(CheckPercentile(where, "min_percentile", ifmr.min_percentile));
  const auto [start, end] = ifmr.search_range;
  if (!(start > 0 && end > start && std::isfinite(end))) {
    return InvalidInput("{}: search_range is {}, it must be [a, b] with 0 < a < b", where,
                        Text(ifmr.search_range));
  }
  const double step = ifmr.search_step;
  if (!(step > 0 && std::isfinite(step) && StepFits(start, end, step))) {
    return InvalidInput(
        "{}: search_step is {}, it must be above 0 and at most the width of search_range {}", where,
        Text(step), Text(ifmr.search_range));
  }
  return OkStatus();
}

Status CheckInsideZeroOne(std::string_view where, std::string_view key, double value) {
  if (value > 0 && value < 1) return OkStatus();
  return InvalidInput("{}: {} is {}, it must be above 0 and below 1", where, key, Text(value));
}

}  // namespace

Status CheckBatchNum(int64_t batch_num) {
  if (batch_num > 0) return OkStatus();
  return InvalidInput("batch_num is {}, it must be above 0", batch_num);
}

Status CheckActivationValues(std::string_view where, const ActivationConfig& activation) {
  LATHE_RETURN_IF_ERROR(CheckOneOf(where, "num_bits", activation.num_bits, {4, 8, 16}));
  if (const auto* ifmr = std::get_if<IfmrParameters>(&activation.algorithm)) {
    return CheckIfmr(where, *ifmr);
  }
  const auto& hfmg = std::get<HfmgParameters>(activation.algorithm);
  return CheckOneOf(where, "num_of_bins", hfmg.num_of_bins, {1024, 2048, 4096, 8192});
}

Status CheckWeightValues(std::string_view where, const WeightConfig& weight) {
  LATHE_RETURN_IF_ERROR(CheckOneOf(where, "num_bits", weight.num_bits, {4, 6, 7, 8}));
  if (!weight.ada.has_value()) return OkStatus();
  const AdaParameters& ada = *weight.ada;
  LATHE_RETURN_IF_ERROR(CheckInsideZeroOne(where, "reg_param", ada.reg_param));
  LATHE_RETURN_IF_ERROR(CheckInsideZeroOne(where, "warm_start", ada.warm_start));
  if (ada.num_iteration < 0) {
    return InvalidInput("{}: num_iteration is {}, it must not be negative", where,
                        ada.num_iteration);
  }
  const auto [start, end] = ada.beta_range;
  if (!(end > 0 && start > end && std::isfinite(start))) {
    return InvalidInput("{}: beta_range is {}, it must be [a, b] with a > b > 0", where,
                        Text(ada.beta_range));
  }
  return OkStatus();
}

Status CheckBalancing(std::string_view where, double dmq_balancer_param) {
  if (dmq_balancer_param >= 0.2 && dmq_balancer_param <= 0.8) return OkStatus();
  return InvalidInput("{}: dmq_balancer_param is {}, it must be from 0.2 to 0.8", where,
                      Text(dmq_balancer_param));
}

}  // namespace lathe::quant
