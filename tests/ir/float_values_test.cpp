#include "lathe/ir/float_values.h"

#include <cstring>
#include <memory>

#include <gtest/gtest.h>

namespace lathe::ir {
namespace {

std::vector<float> Elements(const FloatValues& values) {
  return {values.span().begin(), values.span().end()};
}

TEST(FloatValues, AreSeenWhereTheyStand) {
  const Tensor tensor = Tensor::Of({3}, std::vector<float>{1, 2, 3});
  const auto values = FloatValues::Of(tensor);
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(Elements(*values), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(reinterpret_cast<const std::byte*>(values->span().data()), tensor.Read()->data());
}

TEST(FloatValues, AreCopiedFromOddAddressesAndOtherTypes) {
  const auto block = std::make_shared<std::vector<std::byte>>(9);
  const float number = 2.5f;
  std::memcpy(block->data() + 1, &number, sizeof(number));
  std::memcpy(block->data() + 5, &number, sizeof(number));
  const TensorBytes odd(std::span<const std::byte>(*block).subspan(1), block);
  auto values = FloatValues::Of(*Tensor::FromBytes(ElementType::kFloat32, {2}, odd));
  ASSERT_TRUE(values.ok());
  // Also after a move.
  const FloatValues moved = *std::move(values);
  EXPECT_EQ(Elements(moved), (std::vector<float>{2.5f, 2.5f}));
  EXPECT_EQ(Elements(*FloatValues::Of(Tensor::Scalar(0.5))), (std::vector<float>{0.5f}));
}

TEST(FloatValues, OutliveTheTensor) {
  Tensor tensor = TakeFloats({2}, {4, 5});
  const auto values = FloatValues::Of(tensor);
  tensor = Tensor();
  EXPECT_EQ(Elements(*values), (std::vector<float>{4, 5}));
}

TEST(FloatValues, OfIntegersAreRefused) {
  EXPECT_EQ(FloatValues::Of(Tensor::Scalar<int8_t>(1)).status().message(),
            "tensor holds i8, not floating-point numbers");
}

TEST(TakeFloats, CopiesNothing) {
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const float* data = values.data();
  const Tensor tensor = TakeFloats({2, 3}, std::move(values));
  EXPECT_EQ(tensor.element_type(), ElementType::kFloat32);
  EXPECT_EQ(tensor.dims()[1], 3);
  EXPECT_EQ(tensor.Read()->data(), reinterpret_cast<const std::byte*>(data));
  EXPECT_EQ(TakeFloats({0}, {}).num_elements(), 0);
}

}  // namespace
}  // namespace lathe::ir
