#include "lathe/tools/type_text.h"

#include <gtest/gtest.h>

namespace lathe::tools {
namespace {

using ir::Type;

TEST(TypeText, SaysWhatIsKnown) {
  EXPECT_EQ(TypeText(Type()), "unknown");
  EXPECT_EQ(TypeText(Type::Tensor(ir::ElementType::kFloat32)), "f32[...]");
  EXPECT_EQ(TypeText(Type::Tensor(ir::ElementType::kFloat16, ir::Shape())), "f16[]");
  const ir::Shape shape = {ir::Dim::Symbol("batch"), ir::Dim(), ir::Dim::Known(8)};
  Type tensor = Type::Tensor(ir::ElementType::kInt8, shape);
  EXPECT_EQ(TypeText(tensor), "i8[batch,?,8]");
  Type sequence;
  sequence.kind = Type::Kind::kSequence;
  EXPECT_EQ(TypeText(sequence), "sequence of unknown");
  sequence.nested = &tensor;
  EXPECT_EQ(TypeText(sequence), "sequence of i8[batch,?,8]");
  Type optional;
  optional.kind = Type::Kind::kOptional;
  optional.nested = &sequence;
  EXPECT_EQ(TypeText(optional), "optional sequence of i8[batch,?,8]");
  Type map;
  map.kind = Type::Kind::kMap;
  map.element = ir::ElementType::kInt64;
  map.nested = &tensor;
  EXPECT_EQ(TypeText(map), "map from i64 to i8[batch,?,8]");
}

}  // namespace
}  // namespace lathe::tools
