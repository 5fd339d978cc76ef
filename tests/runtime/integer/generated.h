// Generated layers, and the check that the runtime gives the bytes of the slow evaluator.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "../graphs.h"
#include "slow_evaluator.h"

namespace lathe::test {

int64_t CountOf(const std::vector<int64_t>& dims);

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  int64_t Int(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  bool Chance(double p) { return std::bernoulli_distribution(p)(random_); }
  float Float(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  // Some of them on rounding edges or out of range.
  std::vector<float> Floats(int64_t count);
  ir::Tensor Weights(const std::vector<int64_t>& dims);
  // int8, or of 4 bits: two in a byte along the axis of input channels, or an INT4 tensor.
  ir::Tensor AnyWeights(std::vector<int64_t> dims, size_t input_axis);
  ir::Tensor Bias(const std::vector<int64_t>& dims);

  // Of 4, 8 or, if allowed, 16 bits.
  ir::Value& Quant(GraphBuilder& graph, ir::Value& x, const std::string& name, bool allow_wide);
  // With shifts, offset_w, results rounded to float16: where they are allowed, and then sometimes.
  ir::Value& Dequant(GraphBuilder& graph, ir::Value& sums, const std::string& name,
                     int64_t channels, bool shifts, bool offsets, bool halves);
  // A convolution, transposed or not, of a quantised tensor with these dims, which become those of
  // the result; returns floats.
  ir::Value& Conv(GraphBuilder& graph, ir::Value& q, std::vector<int64_t>& dims,
                  const std::string& name, bool transposed, bool halves);
  ir::Value& Activation(GraphBuilder& graph, ir::Value& x, const std::string& name);
  // The graph's result is `x`, or an activation behind it.
  void End(GraphBuilder& graph, ir::Value& x);

 private:
  std::mt19937 random_;
};

struct Fed {
  std::string name;
  std::vector<int64_t> dims;
  std::vector<float> data;
};

// The graph through the slow evaluator and through the runtime: on every instruction set, for
// different numbers of threads. Zeros of either sign are equal, all else is to the bit.
void CheckGenerated(const GraphBuilder& graph, const std::vector<Fed>& inputs,
                    const std::string& what);

// How many nets a test generates: `normal`, more when LATHE_FUZZ_ITERATIONS asks for it.
int Rounds(int normal);

}  // namespace lathe::test
