#include "lathe/runtime/openvino/element_types.h"

#include <array>
#include <utility>

namespace lathe::runtime {
namespace {

using Pair = std::pair<ir::ElementType, ov::element::Type_t>;

constexpr std::array<Pair, 15> kPairs = {{
    {ir::ElementType::kFloat32, ov::element::Type_t::f32},
    {ir::ElementType::kFloat16, ov::element::Type_t::f16},
    {ir::ElementType::kBfloat16, ov::element::Type_t::bf16},
    {ir::ElementType::kFloat64, ov::element::Type_t::f64},
    {ir::ElementType::kInt8, ov::element::Type_t::i8},
    {ir::ElementType::kUint8, ov::element::Type_t::u8},
    {ir::ElementType::kInt16, ov::element::Type_t::i16},
    {ir::ElementType::kUint16, ov::element::Type_t::u16},
    {ir::ElementType::kInt32, ov::element::Type_t::i32},
    {ir::ElementType::kUint32, ov::element::Type_t::u32},
    {ir::ElementType::kInt64, ov::element::Type_t::i64},
    {ir::ElementType::kUint64, ov::element::Type_t::u64},
    {ir::ElementType::kBool, ov::element::Type_t::boolean},
    {ir::ElementType::kInt4, ov::element::Type_t::i4},
    {ir::ElementType::kUint4, ov::element::Type_t::u4},
}};

}  // namespace

std::optional<ov::element::Type> ToOpenVino(ir::ElementType type) {
  for (const auto& [ours, theirs] : kPairs) {
    if (ours == type) return ov::element::Type(theirs);
  }
  return std::nullopt;
}

std::optional<ir::ElementType> FromOpenVino(const ov::element::Type& type) {
  for (const auto& [ours, theirs] : kPairs) {
    if (ov::element::Type(theirs) == type) return ours;
  }
  return std::nullopt;
}

}  // namespace lathe::runtime
