// The optional folder of test data beside the repository.
#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lathe/frontends/data/npy.h"
#include "lathe/ir/tensor.h"

namespace lathe::test {

inline std::string SharedFolder() {
  const char* folder = std::getenv("LATHE_SHARED_DIR");
  return folder != nullptr ? folder : std::string(LATHE_SOURCE_DIR) + "/../shared";
}

// The arrays STEM0.npy, STEM1.npy, ... of a folder, as many as there are.
inline std::vector<ir::Tensor> Arrays(const std::filesystem::path& folder,
                                      const std::string& stem) {
  std::vector<ir::Tensor> arrays;
  for (int i = 0;; ++i) {
    const std::filesystem::path path = folder / (stem + std::to_string(i) + ".npy");
    if (!std::filesystem::exists(path)) return arrays;
    auto array = frontends::ReadNpy(path.string());
    EXPECT_TRUE(array.ok()) << array.status();
    arrays.push_back(*std::move(array));
  }
}

// Signal to noise in dB; infinity when equal.
inline double Decibels(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return -std::numeric_limits<double>::infinity();
  double noise = 0, signal = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - expected[i];
    noise += difference * difference;
    signal += static_cast<double>(expected[i]) * expected[i];
  }
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

// Empty when the tensor holds no floats.
inline std::vector<float> Floats(const ir::Tensor& tensor) {
  auto values = tensor.ValuesAsFloat();
  if (!values.ok()) return {};
  return *std::move(values);
}

inline double Decibels(const ir::Tensor& got, const ir::Tensor& expected) {
  const auto a = got.ValuesAsFloat(), b = expected.ValuesAsFloat();
  if (!a.ok() || !b.ok()) return -std::numeric_limits<double>::infinity();
  return Decibels(*a, *b);
}

}  // namespace lathe::test

#define LATHE_REQUIRE_SHARED(folder)                                               \
  if (!std::filesystem::exists(::lathe::test::SharedFolder() + "/" folder))        \
  GTEST_SKIP() << "NOT TESTED: no " << ::lathe::test::SharedFolder() << "/" folder \
               << "; set LATHE_SHARED_DIR to the folder of test data"
