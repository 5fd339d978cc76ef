// The 64-bit parameter of AscendDequant (the reference's 5.2).
#pragma once

#include <bit>
#include <cstdint>

namespace lathe::quant {

// Bits 0..31 hold deq_scale's float32 bits, 32..39 the shift N, 40..47 offset_w. Files hold N =
// offset_w = 0.
struct DequantParam {
  float deq_scale = 1.0f;
  uint8_t shift = 0;
  int8_t offset_w = 0;

  bool operator==(const DequantParam&) const = default;
};

constexpr uint64_t EncodeDequantWord(DequantParam param) {
  return uint64_t{std::bit_cast<uint32_t>(param.deq_scale)} | uint64_t{param.shift} << 32 |
         uint64_t{static_cast<uint8_t>(param.offset_w)} << 40;
}

constexpr DequantParam DecodeDequantWord(uint64_t word) {
  return {std::bit_cast<float>(static_cast<uint32_t>(word)), static_cast<uint8_t>(word >> 32),
          static_cast<int8_t>(static_cast<uint8_t>(word >> 40))};
}

// scale_w * scale_d in float32.
constexpr float DequantScale(float scale_w, float scale_d) { return scale_w * scale_d; }

// deq_scale with 10 mantissa bits, cut off and not rounded: what a layer with FORCE_FP16_QUANT
// carries.
constexpr float TruncateDequantScale(float deq_scale) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(deq_scale) & 0xFFFFE000u);
}

}  // namespace lathe::quant
