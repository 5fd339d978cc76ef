#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

// The name of what is selected, "root" for the root, or the error.
std::string Selected(const std::string& bytes, std::optional<std::string_view> name) {
  const TemporaryFolder folder;
  const auto checkpoint = ReadBytes(folder, bytes);
  if (!checkpoint.ok()) return FormatError(checkpoint.status());
  const auto dict = SelectStateDict(*checkpoint, name);
  if (!dict.ok()) return ErrorText(folder, dict.status());
  return (*dict)->name.empty() ? "root" : (*dict)->name;
}

const std::string kTensor = PickleTensor(PickleStorage("ByteStorage", "0", 1), 0, {}, {});

std::string File(const PickleEntries& root) { return TorchZip(PickleDict(root), {{"0", "a"}}); }

TEST(Select, TheRootOrTheOneThatIsNamed) {
  EXPECT_EQ(Selected(File({{"w", kTensor}}), std::nullopt), "root");
  EXPECT_EQ(Selected(File({{"w", kTensor}, {"ema", PickleDict({{"w", kTensor}})}}), std::nullopt),
            "root");
  EXPECT_EQ(Selected(File({{"w", kTensor}, {"ema", PickleDict({{"w", kTensor}})}}), "ema"), "ema");
  EXPECT_EQ(Selected(File({{"state_dict", PickleOrderedDict({{"w", kTensor}})}}), "state_dict"),
            "state_dict");
}

TEST(Select, NeverGuesses) {
  const std::string file = File({{"epoch", PickleInt(1)},
                                 {"state_dict", PickleDict({{"w", kTensor}, {"b", kTensor}})},
                                 {"optimizer", PickleDict({{"lr", PickleInt(1)}})},
                                 {"ema", PickleDict({{"w", kTensor}})}});
  EXPECT_EQ(Selected(file, std::nullopt),
            "its tensors stand in dicts: 'state_dict' (2 tensors), 'ema' (1 tensors) (name the "
            "state dict: --state-dict-name NAME, in Python state_dict_name)");
  EXPECT_EQ(Selected(file, "state_dicts"),
            "there is no state dict 'state_dicts'; it has 'state_dict' (2 tensors), 'ema' (1 "
            "tensors) (did you mean 'state_dict'?)");
  EXPECT_EQ(Selected(file, "epoch"),
            "'epoch' is an integer, not a state dict; it has 'state_dict' (2 tensors), 'ema' (1 "
            "tensors)");
  EXPECT_EQ(Selected(file, "optimizer"),
            "the state dict 'optimizer' holds no tensors; it has 'state_dict' (2 tensors), 'ema' "
            "(1 tensors)");
}

TEST(Select, WhereThereIsNothingToName) {
  EXPECT_EQ(Selected(File({{"epoch", PickleInt(1)}}), std::nullopt), "it holds no tensors");
  EXPECT_EQ(Selected(File({{"w", kTensor}}), "w"),
            "'w' is a tensor, not a state dict; it has none");
  EXPECT_EQ(Selected(File({{"w", kTensor}}), "state_dict"),
            "there is no state dict 'state_dict'; it has none");
  EXPECT_EQ(Selected(Zip({{"x.npy", NpyOf("|u1", "(1,)", "a")}}), "state_dict"),
            "there is no state dict 'state_dict': tensors of this form (.npz file) have no dict "
            "around them (leave the state dict's name out)");
}

}  // namespace
}  // namespace lathe::frontends
