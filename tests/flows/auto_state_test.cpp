#include "lathe/flows/auto_state.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "lathe/support/atomic_file.h"

namespace lathe::flows {
namespace {

class AutoStateTest : public testing::Test {
 protected:
  ~AutoStateTest() override { std::filesystem::remove(path_); }

  const std::string path_ = testing::TempDir() + "auto_state_" +
                            testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
};

TEST_F(AutoStateTest, ComesBackAsItWas) {
  AutoState state;
  state.job = "0123";
  state.float_value = 0.1 + 0.2;
  state.ranking = {{"b", 1.0 / 3}, {"a \"quoted\"", 1}};
  state.candidates = {{0, -1e-300}, {1, 5}};
  ASSERT_TRUE(WriteAutoState(state, path_).ok());
  const auto read = ReadAutoState(path_);
  ASSERT_TRUE(read.ok()) << FormatError(read.status());
  ASSERT_TRUE(read->has_value());
  const AutoState& same = **read;
  EXPECT_EQ(same.job, "0123");
  EXPECT_EQ(same.float_value, state.float_value);
  ASSERT_EQ(same.ranking->size(), 2u);
  EXPECT_EQ(same.ranking->at(0).similarity, 1.0 / 3);
  EXPECT_EQ(same.ranking->at(1).layer, "a \"quoted\"");
  ASSERT_EQ(same.candidates.size(), 2u);
  EXPECT_EQ(same.candidates[0].value, -1e-300);
  EXPECT_EQ(same.candidates[1].rolled_back, 1u);
}

TEST_F(AutoStateTest, KeepsWhatIsNotKnownYet) {
  AutoState state;
  state.job = "0123";
  ASSERT_TRUE(WriteAutoState(state, path_).ok());
  const auto read = ReadAutoState(path_);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->float_value, std::nullopt);
  EXPECT_FALSE((*read)->ranking.has_value());
  EXPECT_TRUE((*read)->candidates.empty());
}

TEST_F(AutoStateTest, NoFileIsNoState) {
  const auto read = ReadAutoState(path_);
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->has_value());
}

TEST_F(AutoStateTest, OtherFilesAreRefused) {
  for (const char* text :
       {"", "{", "[]", "{\"job\": 1, \"candidates\": []}", "{\"job\": \"a\"}",
        "{\"job\": \"a\", \"candidates\": [[0]]}", "{\"job\": \"a\", \"candidates\": [[1, 0.5]]}",
        "{\"job\": \"a\", \"candidates\": [[-1, 0.5]]}",
        "{\"job\": \"a\", \"ranking\": [[\"x\"]], \"candidates\": []}"}) {
    ASSERT_TRUE(WriteFileAtomically(path_, text).ok());
    EXPECT_EQ(FormatError(ReadAutoState(path_).status()),
              path_ +
                  ": this is not the state of an automatic calibration (remove it to begin "
                  "anew)")
        << text;
  }
}

}  // namespace
}  // namespace lathe::flows
