// Files that are damaged, or lie about what they hold.
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

const std::string kSix = BytesOf<float>({1, 2, 3, 4, 5, 6});
constexpr int64_t kMany = int64_t{1} << 62;

// The error of a zip whose root has one tensor 'w' of storage '0', six floats.
std::string TensorError(const std::string& tensor) {
  const TemporaryFolder folder;
  return ReadError(folder, TorchZip(PickleDict({{"w", tensor}}), {{"0", kSix}}));
}
std::string TensorError(int64_t offset, const std::vector<int64_t>& dims,
                        const std::vector<int64_t>& strides) {
  return TensorError(PickleTensor(PickleStorage("FloatStorage", "0", 6), offset, dims, strides));
}

TEST(Damage, TensorsThatReachOutOfTheirStorage) {
  const std::string out = "tensor 'w': it reaches out of its storage '0' of 6 elements";
  EXPECT_EQ(TensorError(0, {6}, {1}), "no error");
  EXPECT_EQ(TensorError(1, {6}, {1}), out);
  EXPECT_EQ(TensorError(0, {2, 3}, {4, 1}), out);
  EXPECT_EQ(TensorError(6, {}, {}), out);
  EXPECT_EQ(TensorError(kMany, {1}, {1}), out);
  EXPECT_EQ(TensorError(0, {2, 2}, {kMany, kMany}), out);
  EXPECT_EQ(TensorError(kMany, {2, 2}, {kMany, kMany}), out);
}

TEST(Damage, ShapesThatOverflow) {
  EXPECT_EQ(TensorError(0, {kMany, 4}, {0, 0}),
            "tensor 'w': shape has more elements than an int64 counts");
  EXPECT_EQ(TensorError(0, {kMany}, {0}),
            "tensor 'w': shape takes more bytes than an int64 counts");
  // 64 times this small file is less than 64 MiB, which is the limit then; the name takes a part.
  EXPECT_EQ(TensorError(0, {(1 << 24) - 32}, {0}), "no error");
  EXPECT_EQ(TensorError(0, {1 << 24}, {0}),
            "tensor 'w': more than 67108864 bytes would have to be copied into memory (64 times "
            "the file)");
}

TEST(Damage, ArgumentsOfAnotherKind) {
  const auto error = [](const std::string& tensor) {
    const std::string text = TensorError(tensor);
    return text.substr(0, text.find(" (byte"));
  };
  const std::string bad =
      "the arguments of torch._utils._rebuild_tensor_v2 are not what PyTorch writes";
  const std::string storage = PickleStorage("FloatStorage", "0", 6);
  const std::string function = PickleGlobalName("torch._utils", "_rebuild_tensor_v2");
  EXPECT_EQ(error(PickleTensor("N", 0, {6}, {1})), bad);
  EXPECT_EQ(error(PickleTensor(storage, -1, {6}, {1})), bad);
  EXPECT_EQ(error(PickleTensor(storage, 0, {-6}, {1})), bad);
  EXPECT_EQ(error(PickleTensor(storage, 0, {6}, {-1})), bad);
  EXPECT_EQ(error(PickleTensor(storage, 0, {6}, {1, 1})), bad);
  EXPECT_EQ(
      error(PickleTensor(storage, 0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1))),
      bad);
  EXPECT_EQ(error(PickleCall(function, {storage})), bad);
  EXPECT_EQ(error(function + "NR"), "a type is called");
  EXPECT_EQ(error(PickleStorage("FloatStorage", "0", -1)),
            "a storage id that PyTorch does not write");
  EXPECT_EQ(error("NQ"), "a persistent id that PyTorch does not write");
}

TEST(Damage, Storages) {
  EXPECT_EQ(TensorError(PickleTensor(PickleStorage("FloatStorage", "9", 6), 0, {6}, {1})),
            "tensor 'w': its storage '9' is not in the file");
  EXPECT_EQ(TensorError(PickleTensor(PickleStorage("FloatStorage", "0", 5), 0, {5}, {1})),
            "tensor 'w': its storage '0' has 24 bytes in the file, not 5 elements of 4 bytes");
  EXPECT_EQ(TensorError(PickleTensor(PickleStorage("FloatStorage", "0", kMany), 0, {5}, {1})),
            "tensor 'w': its storage '0' has 24 bytes in the file, not 4611686018427387904 "
            "elements of 4 bytes");
  // The tensor in a dict of the root.
  EXPECT_EQ(TensorError(PickleDict(
                {{"v", PickleTensor(PickleStorage("FloatStorage", "9", 6), 0, {6}, {1})}})),
            "in 'w': tensor 'v': its storage '9' is not in the file");
}

TEST(Damage, StoragesOfTheOlderForm) {
  const TemporaryFolder folder;
  const std::string value =
      PickleDict({{"w", PickleTensor(PickleStorage("FloatStorage", "0", 6, "N"), 0, {6}, {1})}});
  const std::string good = TorchOld(value, {{"0", kSix}}, {4});
  EXPECT_EQ(ReadError(folder, good), "no error");
  for (const size_t cut : {1, 24, 25, 32}) {
    EXPECT_EQ(ReadError(folder, good.substr(0, good.size() - cut)),
              "storage '0' is cut short by the file's end");
  }
  EXPECT_EQ(ReadError(folder, TorchOld(value, {}, {})),
            "tensor 'w': its storage '0' is not in the file");
  EXPECT_EQ(ReadError(folder, TorchOld(value, {{"0", kSix}, {"1", kSix}}, {4, 4})),
            "storage '1' is in the file, but no tensor uses it");
  EXPECT_EQ(ReadError(folder, TorchOld(value, {{"0", kSix}, {"0", kSix}}, {4, 4})),
            "storage '0' is there twice");
  std::string huge = good;
  huge.replace(huge.size() - 32, 8, 8, '\xff');
  EXPECT_EQ(ReadError(folder, huge), "storage '0' is cut short by the file's end");
}

TEST(Damage, Pickles) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& pickle) {
    return ReadError(folder, Zip({{"a/data.pkl", pickle}}));
  };
  EXPECT_EQ(error(""), "no pickle of protocol 2 to 5 (byte 0 of the pickle)");
  EXPECT_EQ(error("}."), "no pickle of protocol 2 to 5 (byte 0 of the pickle)");
  EXPECT_EQ(error("\x80\x02"),
            "the pickle is cut short: 1 bytes claimed, 0 are left (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02."),
            "the pickle ends with 0 values instead of one (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02}}."),
            "the pickle ends with 2 values instead of one (byte 4 of the pickle)");
  EXPECT_EQ(error("\x80\x02J"),
            "the pickle is cut short: 4 bytes claimed, 0 are left (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02X\xff\xff\xff\x7fw"),
            "the pickle is cut short: 2147483647 bytes claimed, 1 are left (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02"
                  "cmodule"),
            "the pickle is cut short: a line without an end (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02u"),
            "the pickle has no mark where one is needed (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02}(Nu"), "a key has no value (byte 5 of the pickle)");
  EXPECT_EQ(error("\x80\x02](N\x85s"), "the pickle takes a value too many (byte 6 of the pickle)");
  EXPECT_EQ(error("\x80\x02]NNs"), "keys are set in a list (byte 5 of the pickle)");
  EXPECT_EQ(error("\x80\x02}Na"), "items are appended to a dict (byte 4 of the pickle)");
  EXPECT_EQ(error("\x80\x02h\x07"), "nothing was remembered as 7 (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02q\x07"), "the pickle takes a value too many (byte 2 of the pickle)");
  EXPECT_EQ(error("\x80\x02NN\x93"),
            "the name of a function or class is not a text (byte 4 of the pickle)");
}

TEST(Damage, AListThatContainsItself) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadError(folder, TorchZip(PickleDict({{"l", "]q\1h\1a"}}) + "q\2" +
                                           PickleText("self") + "h\2s",
                                       {})),
            "no error");
}

TEST(Damage, AnEndlessPickleEnds) {
  const TemporaryFolder folder;
  std::string steps = "\x80\x02}";
  for (int i = 0; i < (1 << 24); ++i) steps += "q\1";
  EXPECT_EQ(ReadError(folder, Zip({{"a/data.pkl", steps}})),
            "the pickle takes more than 16777216 steps (byte 33554431 of the pickle)");
}

TEST(Damage, OneDictUnderManyNamesIsCountedEachTime) {
  const TemporaryFolder folder;
  PickleEntries inner, outer = {{"first", ""}};
  for (int i = 0; i < 2000; ++i) inner.emplace_back("inner" + std::to_string(i), "N");
  outer[0].second = PickleDict(inner) + "q\1";
  for (int i = 0; i < 2000; ++i) outer.emplace_back("outer" + std::to_string(i), "h\1");
  EXPECT_EQ(ReadError(folder, TorchZip(PickleDict(outer), {})).substr(0, 50),
            "in 'outer461': more than 67108864 bytes would have");
}

TEST(Damage, NamesMustBeUtf8) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadError(folder, TorchZip(PickleDict({{"\xff", "N"}}), {})),
            "the key '\\xff' is not UTF-8");
}

TEST(Damage, TheDescriptionsCheckSum) {
  const TemporaryFolder folder;
  std::string bytes = TorchZip(PickleDict({{"key", "N"}}), {});
  bytes[bytes.find("key")] = 'K';
  EXPECT_EQ(ReadError(folder, bytes), "'archive/data.pkl': its check sum is wrong");
}

}  // namespace
}  // namespace lathe::frontends
