#include "lathe/quant/dequant_word.h"

#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

TEST(DequantWord, IsTheReferences) {
  const float deq0 = DequantScale(0.0078125f, 0.015686275f);
  const float deq1 = DequantScale(0.0023622047f, 0.015686275f);
  EXPECT_FLOAT_EQ(deq0, 1.2254903e-4f);
  EXPECT_FLOAT_EQ(deq1, 3.7054193e-5f);
  EXPECT_EQ(EncodeDequantWord({deq0}), 956334209u);
  EXPECT_EQ(EncodeDequantWord({deq0}), 0x0000000039008081u);
  EXPECT_EQ(EncodeDequantWord({deq1}), 0x00000000381B6AA3u);
  EXPECT_EQ(EncodeDequantWord({TruncateDequantScale(deq0)}), 0x39008000u);
  EXPECT_EQ(EncodeDequantWord({TruncateDequantScale(deq1)}), 0x381B6000u);
}

TEST(DequantWord, FieldsLieWhereTheDecoderReadsThem) {
  EXPECT_EQ(EncodeDequantWord({1.0f, 3, -2}), 0x0000FE033F800000u);
  for (const DequantParam param : {DequantParam{1.0f, 0, 0}, DequantParam{-2.5f, 16, 127},
                                   DequantParam{1e-30f, 255, -128}, DequantParam{0.0f, 1, -1}}) {
    EXPECT_EQ(DecodeDequantWord(EncodeDequantWord(param)), param);
  }
}

}  // namespace
}  // namespace lathe::quant
