// What is refused is refused by name, and nothing of it is executed.
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

const std::string kHint = " (save the state dict alone: torch.save(model.state_dict(), FILE))";

TEST(Refusal, AFunctionIsNotCalled) {
  const TemporaryFolder folder;
  const std::string attack = PickleCall(PickleGlobalName("posix", "system"),
                                        {PickleText("touch " + folder.File("attacked"))});
  EXPECT_EQ(ReadError(folder, TorchZip(PickleDict({{"w", attack}}), {})),
            "'posix.system' is not read: a checkpoint may hold tensors, dicts, lists, numbers and "
            "texts (byte 10 of the pickle, at key 'w')" +
                kHint);
  EXPECT_EQ(ReadError(folder, TorchOld(attack, {}, {})).substr(0, 26),
            "'posix.system' is not read");
  // By the newer opcode, whose names stand on the stack.
  EXPECT_EQ(ReadError(folder, TorchZip(PickleText("builtins") + PickleText("eval") + "\x93", {})),
            "'builtins.eval' is not read: a checkpoint may hold tensors, dicts, lists, numbers and "
            "texts (byte 24 of the pickle)" +
                kHint);
  EXPECT_FALSE(std::filesystem::exists(folder.File("attacked")));
}

TEST(Refusal, SaysAtWhichKey) {
  const TemporaryFolder folder;
  const std::string space = PickleGlobalName("argparse", "Namespace") + ")\x81";
  const auto error = [&](const std::string& value) {
    const std::string text = ReadError(folder, TorchZip(value, {}));
    return text.substr(text.find(" (byte"), text.find(" (save") - text.find(" (byte"));
  };
  EXPECT_EQ(error(PickleDict({{"epoch", PickleInt(1)}, {"args", space}})),
            " (byte 25 of the pickle, at key 'args')");
  EXPECT_EQ(error(PickleDict({{"a", PickleDict({{"b", PickleList({"N", space})}})}})),
            " (byte 21 of the pickle, at key 'b')");
  // One entry alone is set without a mark.
  EXPECT_EQ(error("}" + PickleText("only") + space + "s"),
            " (byte 12 of the pickle, at key 'only')");
  EXPECT_EQ(error(PickleDict(
                {{"w", PickleCall(PickleGlobalName("torch._utils", "_rebuild_tensor_v2"),
                                  {PickleTuple({PickleText("storage"),
                                                PickleGlobalName("torch", "QInt8Storage")})})}})),
            " (byte 57 of the pickle, at key 'w')");
}

TEST(Refusal, ObjectsOfOtherKinds) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& value) {
    const std::string text = ReadError(folder, TorchZip(value, {{"0", "abcd"}}));
    return text.substr(0, text.find(" (byte"));
  };
  EXPECT_EQ(error(PickleGlobalName("torch", "Size") + ")\x81"), "an object of a class is not read");
  EXPECT_EQ(error("\x8f"), "a set is not read");
  EXPECT_EQ(error("I1\n"), "an opcode of pickle protocol 0 is not read");
  EXPECT_EQ(error("\x82\1"), "an entry of Python's extension registry is not read");
  EXPECT_EQ(error("\xff"), "0xff is no pickle opcode that is read");
  EXPECT_EQ(error("\x80\x01"), "pickle protocol 1 is not read (known: 2 to 5)");
  EXPECT_EQ(error(PickleTuple({PickleText("module"), "N", "N", "N"}) + "Q"),
            "a whole module was saved, not its state dict; a module is not read");
  EXPECT_EQ(error(PickleGlobalName("torch._utils", "_rebuild_qtensor")),
            "'torch._utils._rebuild_qtensor' is not read: a checkpoint may hold tensors, dicts, "
            "lists, numbers and texts");
  EXPECT_EQ(error(PickleGlobalName("numpy.core.multiarray", "scalar")),
            "'numpy.core.multiarray.scalar' is not read: a checkpoint may hold tensors, dicts, "
            "lists, numbers and texts");
  EXPECT_EQ(error(PickleCall(PickleGlobalName("torch", "FloatStorage"), {PickleInt(4)})),
            "a call of torch.FloatStorage is not read");
  EXPECT_EQ(error("]" + PickleDict({}) + "b"), "state set on a list is not read");
  EXPECT_EQ(error(PickleCall(PickleGlobalName("torch._utils", "_rebuild_tensor_v2"),
                             {PickleStorage("FloatStorage", "0", 1), PickleInt(0), PickleCounts({}),
                              PickleCounts({}), "\x89", "N", PickleDict({{"neg", "\x88"}})})),
            "a conjugated or negated view of a tensor is not read");
}

TEST(Refusal, FilesThatAreNoCheckpoints) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadError(folder, ""),
            "it is no checkpoint that is read: neither PyTorch's .pth, nor safetensors, .npz or "
            "ONNX");
  EXPECT_EQ(ReadError(folder, "some text"),
            "it is no checkpoint that is read: neither PyTorch's .pth, nor safetensors, .npz or "
            "ONNX");
  EXPECT_EQ(ReadError(folder, NpyOf("|u1", "(1,)", "a")),
            "it is a single .npy array, which has no name (save it with numpy.savez)");
  EXPECT_EQ(ReadError(folder, Zip({{"a/readme.txt", "text"}})),
            "it is a zip archive, but neither a PyTorch checkpoint nor an .npz file");
  EXPECT_EQ(
      ReadError(folder, Zip({{"net/data.pkl", Pickle("N")}, {"net/constants.pkl", Pickle(")")}})),
      "it is a TorchScript program, not a checkpoint");
  EXPECT_EQ(ReadError(folder, Zip({{"a/data.pkl", "x"}, {"b/data.pkl", "y"}})),
            "both 'a/data.pkl' and 'b/data.pkl' could be the checkpoint");
  EXPECT_EQ(ReadError(folder, Pickle(PickleDict({{"a", PickleInt(1)}}))),
            "it is a pickle, but not one of torch.save (save it with "
            "torch.save(model.state_dict(), FILE))");
  EXPECT_EQ(ReadError(folder, TorchZip(PickleInt(4), {})),
            "it holds an integer, not a dict of tensors");
}

TEST(Refusal, CompressedStorages) {
  const TemporaryFolder folder;
  const std::string value = PickleDict({});
  EXPECT_EQ(ReadError(folder, Zip({{"a/data.pkl", Pickle(value)}}, {true})),
            "'a/data.pkl' is compressed; PyTorch stores its data as it is (save it again with "
            "torch.save)");
}

}  // namespace
}  // namespace lathe::frontends
