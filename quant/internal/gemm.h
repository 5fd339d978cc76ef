// Matrix products in float32 for the optimisation of weights.
//
// Each element of a product is summed along k in order, so the bits do not depend on how rows and
// columns are split into calls. They do depend on whether the machine has fused multiply-add.
#pragma once

#include <cstddef>
#include <vector>

namespace lathe::quant::internal {

// A matrix read by strides: element (i, j) is data[i * row + j * column].
struct MatrixView {
  const float* data;
  size_t row;
  size_t column;
};

// The right factor B [k, n], copied into the order in which the kernel reads it. Can be filled
// again without allocating.
class PackedMatrix {
 public:
  void Pack(size_t k, size_t n, const MatrixView& b);
  // To be filled with Set, every element; different elements may be set from different threads.
  void Reset(size_t k, size_t n);
  void Set(size_t k, size_t n, float value);
  size_t k() const { return k_; }
  size_t n() const { return n_; }

 private:
  friend void Multiply(size_t m, const MatrixView& a, const PackedMatrix& b, float* c, size_t ldc,
                       bool accumulate, size_t first, size_t count);
  size_t k_ = 0;
  size_t n_ = 0;
  size_t stride_ = 0;
  // Panels of a kernel's width, padded with zeros; starts at an aligned address.
  std::vector<float> storage_;
  float* panels_ = nullptr;
};

// C [m, n] = A [m, count] * rows [first, first + count) of B, or += with `accumulate`; C is
// row-major with `ldc` elements a row. One thread.
void Multiply(size_t m, const MatrixView& a, const PackedMatrix& b, float* c, size_t ldc,
              bool accumulate, size_t first, size_t count);
// The same with all rows of B.
inline void Multiply(size_t m, const MatrixView& a, const PackedMatrix& b, float* c, size_t ldc,
                     bool accumulate) {
  Multiply(m, a, b, c, ldc, accumulate, 0, b.k());
}

}  // namespace lathe::quant::internal
