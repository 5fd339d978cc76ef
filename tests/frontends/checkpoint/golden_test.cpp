// The reference's own checkpoints, if they are at hand.
#include <algorithm>
#include <filesystem>
#include <set>

#include <gmock/gmock.h>

#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/tests/ir/shared_models.h"

namespace lathe::frontends {
namespace {

using ::testing::HasSubstr;

class GoldenCheckpoints : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path golden = ir::SharedFolder() / "golden";
    if (!std::filesystem::exists(golden)) {
      GTEST_SKIP() << golden << " is missing: the reference's checkpoints are NOT tested";
    }
    for (const auto& entry : std::filesystem::directory_iterator(golden)) {
      if (std::filesystem::exists(entry.path() / "retrained.pth")) cases_.push_back(entry.path());
    }
    std::ranges::sort(cases_);
    ASSERT_GE(cases_.size(), 11u);
  }
  std::vector<std::filesystem::path> cases_;
};

// "conv1.sub_module.weight" is "conv1.weight" in the checkpoint.
std::string KeyOf(std::string name) {
  const std::string wrapper = ".sub_module";
  if (const size_t at = name.find(wrapper); at != std::string::npos) {
    name.erase(at, wrapper.size());
  }
  return name;
}

// The float checkpoint and the model exported from it hold the same tensors.
TEST_F(GoldenCheckpoints, FloatStateIsThatOfTheModel) {
  for (const std::filesystem::path& folder : cases_) {
    SCOPED_TRACE(folder);
    const auto checkpoint = ReadCheckpoint(folder / "float_state.pth");
    ASSERT_TRUE(checkpoint.ok()) << FormatError(checkpoint.status());
    const auto dict = SelectStateDict(*checkpoint, "state_dict");
    ASSERT_TRUE(dict.ok()) << FormatError(dict.status());
    const auto model = ImportOnnx(folder / "original.onnx");
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    std::vector<StateSlot> slots;
    std::vector<ir::Tensor> wanted;
    for (const ir::Value* value : (*model)->graph().initializers()) {
      const ir::Tensor& tensor = value->tensor();
      const std::string key = KeyOf(std::string(value->name_text()));
      // The exporter's own constants.
      if (key.find('.') == std::string::npos) continue;
      slots.push_back({key, tensor.element_type(), {tensor.dims().begin(), tensor.dims().end()}});
      wanted.push_back(tensor);
    }
    const StateMatch match = MatchState(slots, **dict);
    EXPECT_TRUE(match.missing.empty()) << CheckMatch(match);
    EXPECT_TRUE(match.misshapen.empty()) << CheckMatch(match);
    for (const std::string& name : match.extra) EXPECT_THAT(name, HasSubstr("num_batches_tracked"));
    ASSERT_GE(slots.size(), 8u);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!match.tensors[i]) continue;
      EXPECT_TRUE(*match.tensors[i].EqualContents(wanted[i])) << slots[i].name;
    }
  }
}

// Every tensor of a retrained checkpoint is in the file as it stands. (What it holds is compared
// with Python's own reading, in python_pickles_test.py.)
TEST_F(GoldenCheckpoints, RetrainedStateIsRead) {
  size_t tensors = 0;
  for (const std::filesystem::path& folder : cases_) {
    SCOPED_TRACE(folder);
    const auto checkpoint = ReadCheckpoint(folder / "retrained.pth");
    ASSERT_TRUE(checkpoint.ok()) << FormatError(checkpoint.status());
    const auto dict = SelectStateDict(*checkpoint, "state_dict");
    ASSERT_TRUE(dict.ok()) << FormatError(dict.status());
    EXPECT_TRUE((*dict)->others.empty());
    EXPECT_TRUE(checkpoint->root.tensors.empty());
    for (const NamedTensor& named : (*dict)->tensors) {
      ++tensors;
      EXPECT_TRUE(named.tensor.file_range().has_value()) << named.name;
      EXPECT_TRUE(named.tensor.Read().ok()) << named.name;
    }
  }
  EXPECT_GT(tensors, 1200u);
}

}  // namespace
}  // namespace lathe::frontends
