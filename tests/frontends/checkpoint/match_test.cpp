#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/frontends/checkpoint/match_state.h"

namespace lathe::frontends {
namespace {

using ir::ElementType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ir::Tensor Floats(std::vector<int64_t> dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return ir::Tensor::Of(std::move(dims), std::vector<float>(static_cast<size_t>(count), 1.5F));
}

StateDict Dict(const std::vector<std::string>& names) {
  StateDict dict;
  for (const std::string& name : names) dict.tensors.push_back({name, Floats({2})});
  return dict;
}

std::vector<StateSlot> Slots(const std::vector<std::string>& names) {
  std::vector<StateSlot> slots;
  for (const std::string& name : names) slots.push_back({name, ElementType::kFloat32, {2}});
  return slots;
}

std::string Error(const StateMatch& match) { return std::string(CheckMatch(match).message()); }

TEST(Match, ByName) {
  const StateDict dict = Dict({"b", "a"});
  const StateMatch match = MatchState(Slots({"a", "b"}), dict);
  EXPECT_TRUE(match.complete());
  EXPECT_TRUE(CheckMatch(match).ok());
  ASSERT_EQ(match.tensors.size(), 2u);
  EXPECT_TRUE(match.tensors[0].SharesStorageWith(dict.tensors[1].tensor));
  EXPECT_TRUE(match.tensors[1].SharesStorageWith(dict.tensors[0].tensor));
}

TEST(Match, MissingAndExtraKeysAreListed) {
  const StateMatch match = MatchState(Slots({"conv1.weight", "x", "conv1.bias"}),
                                      Dict({"conv.weight", "conv1.bias", "epoch"}));
  EXPECT_THAT(match.missing, ElementsAre("conv1.weight", "x"));
  EXPECT_THAT(match.extra, ElementsAre("conv.weight", "epoch"));
  EXPECT_THAT(match.misshapen, IsEmpty());
  EXPECT_FALSE(match.tensors[0]);
  EXPECT_TRUE(match.tensors[2]);
  EXPECT_EQ(Error(match),
            "the keys do not match the model's: 2 missing: 'conv1.weight' (did you mean "
            "'conv.weight'?), 'x'; 2 extra: 'conv.weight', 'epoch'");
}

TEST(Match, ShapesAndTypesMustFit) {
  StateDict dict;
  dict.tensors = {
      {"dims", Floats({3, 4})},
      {"count", ir::Tensor::Scalar<int64_t>(4)},
      {"half", *ir::Tensor::FromVector(ElementType::kFloat16, {2}, std::vector<std::byte>(4))},
      {"clip", Floats({1})},
      {"scalar", Floats({})}};
  dict.others = {{"nothing", "None"}};
  const StateMatch match = MatchState({{"dims", ElementType::kFloat32, {4, 3}},
                                       {"count", ElementType::kFloat32, {}},
                                       {"half", ElementType::kFloat32, {2}},
                                       {"clip", ElementType::kFloat32, {}},
                                       {"scalar", ElementType::kFloat32, {1}},
                                       {"nothing", ElementType::kFloat32, {}}},
                                      dict);
  EXPECT_EQ(Error(match),
            "the keys do not match the model's: 4 misshapen: 'dims' is f32[3,4], not f32[4,3], "
            "'count' is i64[], not f32[], 'scalar' is f32[], not f32[1], 'nothing' is None, not "
            "f32[]");
  // Another floating-point type is the caller's to convert; [1] fits [] as it does in torch.
  EXPECT_TRUE(match.tensors[2]);
  ASSERT_TRUE(match.tensors[3]);
  EXPECT_EQ(match.tensors[3].rank(), 0);
}

TEST(Match, ThePrefixOfDataParallelModels) {
  const auto complete = [](const std::vector<std::string>& slots,
                           const std::vector<std::string>& keys) {
    return MatchState(Slots(slots), Dict(keys)).complete();
  };
  EXPECT_TRUE(complete({"a", "b.c"}, {"module.a", "module.b.c"}));
  EXPECT_TRUE(complete({"module.a", "module.b.c"}, {"a", "b.c"}));
  EXPECT_TRUE(complete({"module.a"}, {"module.a"}));
  // A submodule that has this name by chance.
  EXPECT_TRUE(complete({"module.a", "b"}, {"module.a", "b"}));
  EXPECT_TRUE(complete({"module.a", "b"}, {"module.module.a", "module.b"}));
  // Only some keys have it: nothing is guessed.
  const StateMatch some = MatchState(Slots({"a", "b"}), Dict({"module.a", "b"}));
  EXPECT_THAT(some.missing, ElementsAre("a"));
  EXPECT_THAT(some.extra, ElementsAre("module.a"));
  // Extra keys are listed as they stand in the checkpoint.
  EXPECT_THAT(MatchState(Slots({"a"}), Dict({"module.a", "module.b"})).extra,
              ElementsAre("module.b"));
}

TEST(Match, EmptySides) {
  EXPECT_TRUE(MatchState({}, {}).complete());
  EXPECT_THAT(MatchState(Slots({"a"}), {}).missing, ElementsAre("a"));
  EXPECT_THAT(MatchState({}, Dict({"module.a"})).extra, ElementsAre("module.a"));
}

TEST(Match, LongListsAreCut) {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("layer" + std::to_string(i));
  const std::string error = Error(MatchState(Slots(names), {}));
  EXPECT_TRUE(error.starts_with("the keys do not match the model's: 1000 missing: 'layer0', "))
      << error;
  EXPECT_TRUE(error.ends_with("'layer19' and 980 more")) << error;
}

}  // namespace
}  // namespace lathe::frontends
