// Both of PyTorch's forms, written opcode by opcode.
#include <gmock/gmock.h>

#include "lathe/support/half.h"
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using ir::ElementType;
using ::testing::ElementsAre;
using namespace test;  // NOLINT: writers of files

const std::string kSix = BytesOf<float>({1, 2, 3, 4, 5, 6});

std::vector<std::string> Names(const StateDict& dict) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : dict.tensors) names.push_back(tensor.name);
  return names;
}

TEST(Torch, StateDictOfAZip) {
  const TemporaryFolder folder;
  const auto checkpoint = ReadBytes(
      folder,
      TorchZip(PickleOrderedDict(
                   {{"w", PickleTensor(PickleStorage("FloatStorage", "0", 6), 0, {2, 3}, {3, 1})},
                    {"n", PickleTensor(PickleStorage("LongStorage", "1", 1), 0, {}, {})}}),
               {{"0", kSix}, {"1", BytesOf<int64_t>({-7})}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->form, CheckpointForm::kTorchZip);
  EXPECT_THAT(Names(checkpoint->root), ElementsAre("w", "n"));
  EXPECT_TRUE(checkpoint->nested.empty());
  const ir::Tensor& w = TensorOf(checkpoint->root, "w");
  EXPECT_THAT(w.dims(), ElementsAre(2, 3));
  EXPECT_THAT(*w.Values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  // In the file, not in memory.
  ASSERT_TRUE(w.file_range().has_value());
  EXPECT_EQ(ReadAll(folder.File("checkpoint")).substr(w.file_range()->offset, kSix.size()), kSix);
  EXPECT_EQ(*TensorOf(checkpoint->root, "n").ScalarValue<int64_t>(), -7);
}

TEST(Torch, TheOlderForm) {
  const TemporaryFolder folder;
  // A part of a storage, as files of torch 0.3 have it.
  const std::string part = PickleTuple({PickleText("94"), PickleInt(2), PickleInt(3)});
  const auto checkpoint = ReadBytes(
      folder,
      TorchOld(
          PickleDict(
              {{"h", PickleTensor(PickleStorage("HalfStorage", "77", 2, "N"), 0, {2}, {1})},
               {"w", PickleTensor(PickleStorage("FloatStorage", "93", 6, "N"), 0, {2, 3}, {3, 1})},
               {"v", PickleTensor(PickleStorage("FloatStorage", "93", 6, part), 1, {2}, {1})}}),
          {{"77", BytesOf<uint16_t>({FloatToHalf(0.5F), FloatToHalf(-2)})}, {"93", kSix}}, {2, 4}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->form, CheckpointForm::kTorchOld);
  EXPECT_THAT(*TensorOf(checkpoint->root, "w").Values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_TRUE(TensorOf(checkpoint->root, "w").file_range().has_value());
  EXPECT_THAT(*TensorOf(checkpoint->root, "v").Values<float>(), ElementsAre(4, 5));
  EXPECT_EQ(TensorOf(checkpoint->root, "h").element_type(), ElementType::kFloat16);
  EXPECT_THAT(*TensorOf(checkpoint->root, "h").ValuesAsFloat(), ElementsAre(0.5F, -2));
}

TEST(Torch, EveryStorageType) {
  const TemporaryFolder folder;
  const struct {
    const char* storage;
    ElementType type;
  } kTypes[] = {
      {"FloatStorage", ElementType::kFloat32},
      {"DoubleStorage", ElementType::kFloat64},
      {"HalfStorage", ElementType::kFloat16},
      {"BFloat16Storage", ElementType::kBfloat16},
      {"LongStorage", ElementType::kInt64},
      {"IntStorage", ElementType::kInt32},
      {"ShortStorage", ElementType::kInt16},
      {"CharStorage", ElementType::kInt8},
      {"ByteStorage", ElementType::kUint8},
      {"BoolStorage", ElementType::kBool},
      {"ComplexFloatStorage", ElementType::kComplex64},
      {"ComplexDoubleStorage", ElementType::kComplex128},
  };
  const std::string bytes = "0123456789abcdefghijklmnopqrstuv";
  for (const auto& [name, type] : kTypes) {
    const int64_t count = 32 * 8 / ir::ElementBits(type);
    // Every other element, so that the bytes of each move as one.
    const auto checkpoint = ReadBytes(
        folder,
        TorchZip(
            PickleDict({{"x", PickleTensor(PickleStorage(name, "0", count), 0, {count / 2}, {2})}}),
            {{"0", bytes}}));
    ASSERT_TRUE(checkpoint.ok()) << name << checkpoint.status();
    const ir::Tensor& x = TensorOf(checkpoint->root, "x");
    EXPECT_EQ(x.element_type(), type) << name;
    const auto width = static_cast<size_t>(ir::ElementBits(type)) / 8;
    std::string expected;
    for (size_t at = 0; at < bytes.size(); at += 2 * width) expected += bytes.substr(at, width);
    const auto read = x.Read();
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(read->data()), read->size()), expected)
        << name;
  }
}

TEST(Torch, SharedStorageOffsetsAndStrides) {
  const TemporaryFolder folder;
  const std::string storage = PickleStorage("FloatStorage", "0", 6);
  // "a" is put into the pickle's memo, and meant again as "tied".
  const auto checkpoint = ReadBytes(
      folder, TorchZip(PickleDict({{"a", PickleTensor(storage, 0, {2, 3}, {3, 1}) + "q\x05"},
                                   {"tied", "h\x05"},
                                   {"transposed", PickleTensor(storage, 0, {3, 2}, {1, 3})},
                                   {"tail", PickleTensor(storage, 4, {2}, {1})},
                                   {"spread", PickleTensor(storage, 1, {2, 2}, {0, 3})},
                                   {"one", PickleTensor(storage, 5, {1, 1}, {99, 77})},
                                   {"empty", PickleTensor(storage, 6, {0, 4}, {4, 1})},
                                   {"last", PickleTensor(storage, 5, {}, {})}}),
                       {{"0", kSix}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const StateDict& root = checkpoint->root;
  EXPECT_TRUE(TensorOf(root, "a").SharesStorageWith(TensorOf(root, "tied")));
  EXPECT_THAT(*TensorOf(root, "transposed").Values<float>(), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_FALSE(TensorOf(root, "transposed").file_range().has_value());
  EXPECT_THAT(*TensorOf(root, "tail").Values<float>(), ElementsAre(5, 6));
  EXPECT_EQ(TensorOf(root, "tail").file_range()->offset,
            TensorOf(root, "a").file_range()->offset + 16);
  EXPECT_THAT(*TensorOf(root, "spread").Values<float>(), ElementsAre(2, 5, 2, 5));
  EXPECT_THAT(*TensorOf(root, "one").Values<float>(), ElementsAre(6));
  EXPECT_TRUE(TensorOf(root, "one").file_range().has_value());
  EXPECT_THAT(TensorOf(root, "empty").dims(), ElementsAre(0, 4));
  EXPECT_THAT(*TensorOf(root, "last").Values<float>(), ElementsAre(6));
}

TEST(Torch, BigEndianFilesAreTurnedRound) {
  const TemporaryFolder folder;
  const std::string value =
      PickleDict({{"x", PickleTensor(PickleStorage("ShortStorage", "0", 2), 0, {2}, {1})},
                  {"c", PickleTensor(PickleStorage("ComplexFloatStorage", "1", 1), 0, {}, {})}});
  const TorchStorage storages = {{"0", std::string("\0\1\2\0", 4)}, {"1", "abcdefgh"}};
  const auto big = ReadBytes(folder, TorchZip(value, storages, "big"));
  ASSERT_TRUE(big.ok()) << big.status();
  EXPECT_THAT(*TensorOf(big->root, "x").Values<int16_t>(), ElementsAre(1, 512));
  const auto halves = TensorOf(big->root, "c").Read();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(halves->data()), 8), "dcbahgfe");
  const auto little = ReadBytes(folder, TorchZip(value, storages, "little"));
  ASSERT_TRUE(little.ok()) << little.status();
  EXPECT_THAT(*TensorOf(little->root, "x").Values<int16_t>(), ElementsAre(256, 2));
  EXPECT_EQ(ReadError(folder, TorchZip(value, storages, "odd")),
            "the byte order 'odd' is neither 'little' nor 'big'");
}

TEST(Torch, ParametersAndTypesWithoutAStorageOfTheirOwn) {
  const TemporaryFolder folder;
  const std::string parameter =
      PickleCall(PickleGlobalName("torch._utils", "_rebuild_parameter"),
                 {PickleTensor(PickleStorage("FloatStorage", "0", 6), 0, {6}, {1}), "\x88", "N"});
  const std::string untyped =
      PickleTuple({PickleText("storage"), PickleGlobalName("torch.storage", "UntypedStorage"),
                   PickleText("1"), PickleText("cpu"), PickleInt(8)}) +
      "Q";
  const std::string unsigned_numbers = PickleCall(
      PickleGlobalName("torch._utils", "_rebuild_tensor_v3"),
      {untyped, PickleInt(1), PickleCall(PickleGlobalName("torch", "Size"), {PickleCounts({3})}),
       PickleCounts({1}), "\x89", "N", PickleGlobalName("torch", "uint16")});
  const auto checkpoint =
      ReadBytes(folder, TorchZip(PickleDict({{"p", parameter}, {"u", unsigned_numbers}}),
                                 {{"0", kSix}, {"1", BytesOf<uint16_t>({1, 2, 3, 65535})}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*TensorOf(checkpoint->root, "p").Values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(*TensorOf(checkpoint->root, "u").Values<uint16_t>(), ElementsAre(2, 3, 65535));
}

TEST(Torch, NestedDictsAndOtherEntries) {
  const TemporaryFolder folder;
  const std::string tensor =
      PickleTensor(PickleStorage("FloatStorage", "0", 6), 0, {6}, {1}) + "q\x01";
  const auto checkpoint = ReadBytes(
      folder,
      TorchZip(PickleDict({{"epoch", PickleInt(3)},
                           {"loss", "G01234567"},
                           {"state_dict", PickleOrderedDict({{"w", tensor}, {"note", "N"}})},
                           {"optimizer", PickleDict({{"groups", PickleList({PickleInt(1)})}})},
                           {"mean", "h\x01"},
                           {"device", PickleCall(PickleGlobalName("torch", "device"),
                                                 {PickleText("cuda"), PickleInt(0)})},
                           {"mean", "h\x01"}}) +
                   "(" + PickleInt(7) + PickleText("under a number") + "u",
               {{"0", kSix}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  // A key that is there twice counts once.
  EXPECT_THAT(Names(checkpoint->root), ElementsAre("mean"));
  std::string others;
  for (const OtherEntry& other : checkpoint->root.others) {
    others += other.name + ": " + std::string(other.kind) + "; ";
  }
  EXPECT_EQ(others,
            "epoch: an integer; loss: a float; state_dict: a dict; optimizer: a dict; "
            "device: a text; 7: a text; ");
  ASSERT_EQ(checkpoint->nested.size(), 2u);
  EXPECT_EQ(checkpoint->nested[0].name, "state_dict");
  EXPECT_THAT(Names(checkpoint->nested[0]), ElementsAre("w"));
  EXPECT_EQ(checkpoint->nested[0].others[0].kind, "None");
  EXPECT_EQ(checkpoint->nested[1].name, "optimizer");
  EXPECT_TRUE(checkpoint->nested[1].tensors.empty());
}

TEST(Torch, PairsAsPython2WroteThem) {
  const TemporaryFolder folder;
  const std::string text = std::string("U\x01") + "w";
  const std::string tensor = PickleTensor(PickleStorage("FloatStorage", "0", 6), 0, {6}, {1});
  const auto checkpoint =
      ReadBytes(folder, TorchZip(PickleCall(PickleGlobalName("collections", "OrderedDict"),
                                            {PickleList({PickleList({text, tensor})})}),
                                 {{"0", kSix}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(Names(checkpoint->root), ElementsAre("w"));
}

}  // namespace
}  // namespace lathe::frontends
