#include <gtest/gtest.h>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"

namespace lathe::ir {
namespace {

TEST(NameTable, InternsEachTextOnce) {
  NameTable names;
  const Name a = names.Intern("a");
  const Name b = names.Intern("b");
  EXPECT_NE(a, b);
  EXPECT_EQ(names.Intern("a"), a);
  EXPECT_EQ(names.Text(b), "b");
  EXPECT_EQ(names.size(), 3u);
}

TEST(NameTable, EmptyTextIsTheEmptyName) {
  NameTable names;
  EXPECT_TRUE(names.Intern("").empty());
  EXPECT_EQ(names.Text(Name{}), "");
}

TEST(NameTable, FindDoesNotIntern) {
  NameTable names;
  Name found;
  EXPECT_FALSE(names.Find("x", &found));
  EXPECT_TRUE(found.empty());
  const Name x = names.Intern("x");
  EXPECT_TRUE(names.Find("x", &found));
  EXPECT_EQ(found, x);
  EXPECT_EQ(names.size(), 2u);
}

TEST(NameTable, TextsStayWhereTheyAre) {
  NameTable names;
  const std::string_view first = names.Text(names.Intern("first"));
  for (int i = 0; i < 10000; ++i) names.Intern(std::to_string(i));
  EXPECT_EQ(first, "first");
}

TEST(TypeTable, EqualTypesAreOnePointer) {
  TypeTable types;
  Shape shape = {Dim::Known(1), Dim::Symbol("N"), Dim()};
  const Type* a = types.Intern(Type::Tensor(ElementType::kInt8, shape));
  EXPECT_EQ(types.Intern(Type::Tensor(ElementType::kInt8, shape)), a);
  EXPECT_NE(types.Intern(Type::Tensor(ElementType::kInt8)), a);
  shape[0] = Dim::Known(2);
  EXPECT_NE(types.Intern(Type::Tensor(ElementType::kInt8, shape)), a);
  shape[0] = Dim::Known(1);
  shape[0].set_denotation("DATA_BATCH");
  EXPECT_NE(types.Intern(Type::Tensor(ElementType::kInt8, shape)), a);
  EXPECT_EQ(types.Intern(Type()), types.unknown());
}

TEST(TypeTable, KnowsItsOwnTypes) {
  TypeTable types;
  TypeTable others;
  const Type* mine = types.Intern(Type::Tensor(ElementType::kInt8));
  const Type* theirs = others.Intern(Type::Tensor(ElementType::kInt8));
  EXPECT_TRUE(types.Owns(mine));
  EXPECT_FALSE(types.Owns(theirs));
}

TEST(Type, ScalarAndUnknownRankDiffer) {
  EXPECT_NE(Type::Tensor(ElementType::kFloat32, Shape{}), Type::Tensor(ElementType::kFloat32));
  EXPECT_EQ(Type::Tensor(ElementType::kFloat32, Shape{}).rank(), 0);
  EXPECT_EQ(Type::Tensor(ElementType::kFloat32).rank(), -1);
}

TEST(Type, StaticShapeNeedsEveryExtent) {
  EXPECT_EQ(Type::Tensor(ElementType::kFloat32, std::vector<int64_t>{2, 0}).StaticShape(),
            (std::vector<int64_t>{2, 0}));
  EXPECT_FALSE(
      Type::Tensor(ElementType::kFloat32, Shape{Dim::Known(2), Dim::Symbol("N")}).StaticShape());
  EXPECT_FALSE(Type::Tensor(ElementType::kFloat32).StaticShape());
}

TEST(ElementType, NamesParseBack) {
  for (int i = 0; i <= kLastElementType; ++i) {
    const auto type = static_cast<ElementType>(i);
    EXPECT_EQ(ParseElementType(ElementTypeName(type)), type);
    EXPECT_EQ(ElementTypeFromOnnx(i), type);
  }
  EXPECT_FALSE(ParseElementType("float"));
  EXPECT_FALSE(ElementTypeFromOnnx(kLastElementType + 1));
  EXPECT_FALSE(ElementTypeFromOnnx(-1));
}

TEST(ElementType, SmallElementsArePacked) {
  EXPECT_EQ(ElementBytes(ElementType::kInt4, 3), 2u);
  EXPECT_EQ(ElementBytes(ElementType::kUint2, 5), 2u);
  EXPECT_EQ(ElementBytes(ElementType::kFloat4E2M1, 4), 2u);
  EXPECT_EQ(ElementBytes(ElementType::kComplex128, 2), 32u);
  EXPECT_EQ(ElementBytes(ElementType::kFloat6E2M3, 3), 3u);
}

TEST(Model, UniqueNamesAppendANumber) {
  Model model;
  EXPECT_EQ(model.Text(model.UniqueNodeName("conv")), "conv");
  EXPECT_EQ(model.Text(model.UniqueNodeName("conv")), "conv1");
  EXPECT_EQ(model.Text(model.UniqueNodeName("conv1")), "conv11");
  EXPECT_EQ(model.Text(model.UniqueNodeName("conv")), "conv2");
  // Values and nodes have names of their own.
  EXPECT_EQ(model.Text(model.UniqueValueName("conv")), "conv");
}

TEST(Model, OriginsMergeSortedAndOnce) {
  Model model;
  const Origin a = model.OriginOf(model.Intern("a"));
  const Origin b = model.OriginOf(model.Intern("b"));
  const Origin ab = model.MergeOrigins(std::vector<Origin>{b, a, b});
  EXPECT_EQ(model.OriginNames(ab), (std::vector<Name>{model.Intern("a"), model.Intern("b")}));
  EXPECT_EQ(model.MergeOrigins(std::vector<Origin>{a, ab}), ab);
  EXPECT_EQ(model.MergeOrigins(std::vector<Origin>{a, a}), a);
  EXPECT_EQ(model.MergeOrigins({}), Origin{});
  EXPECT_TRUE(model.OriginNames({}).empty());
}

TEST(Model, DefaultDomainHasTwoNames) {
  Model model;
  Rewriter(model).MutableInfo().opset_imports = {{"ai.onnx", 17}, {"x.y", 2}};
  EXPECT_EQ(model.OpsetVersion(""), 17);
  EXPECT_EQ(model.OpsetVersion("ai.onnx"), 17);
  EXPECT_EQ(model.OpsetVersion("x.y"), 2);
  EXPECT_EQ(model.OpsetVersion("z"), 0);
}

}  // namespace
}  // namespace lathe::ir
