// Tensors inside an integer region: rows of channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe::runtime::integer {

enum class Element : uint8_t {
  kFloat,  // float32
  kInt8,   // quantised to 8 bits or fewer, stored as uint8 q + 128: what vpdpbusd takes
  kInt16,  // quantised to 16 bits, stored as it is
  kInt32,  // sums of a layer, clipped to int32
};

constexpr size_t ElementSize(Element element) {
  return element == Element::kInt8 ? 1 : element == Element::kInt16 ? 2 : 4;
}

// What AscendQuant makes of a tensor: q = clamp(rint(x * scale) + offset, low, high). Layers work
// on q - offset.
struct QuantParams {
  float scale = 1.0f;
  int32_t offset = 0;
  int32_t low = -128;
  int32_t high = 127;

  bool operator==(const QuantParams&) const = default;
};

// How the logical dims (ONNX's order) lie in memory. Of rank 2 and less there is only kPlain.
enum class Layout : uint8_t {
  kPlain,         // in their own order; the last one counts channels
  kChannelsLast,  // axis 1 is moved to the end and counts channels
};

// Row r, channel c stands at r * stride + c; stride is a multiple of 16, what lies between channels
// and stride may be written but means nothing.
struct TensorInfo {
  Element element = Element::kFloat;
  Layout layout = Layout::kPlain;
  std::vector<int64_t> dims;
  size_t rows = 1;
  size_t channels = 1;
  size_t stride = 16;
  QuantParams quant;

  size_t bytes() const { return rows * stride * ElementSize(element); }
  // Distance in elements between neighbours along each logical axis.
  std::vector<int64_t> Strides() const;
};

constexpr size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Rows, channels and stride from dims and layout (kPlain where the rank leaves no choice).
TensorInfo MakeTensorInfo(Element element, Layout layout, std::vector<int64_t> dims);

}  // namespace lathe::runtime::integer
