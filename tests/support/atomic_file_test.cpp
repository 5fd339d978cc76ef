#include "lathe/support/atomic_file.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace lathe {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

class AtomicFile : public testing::Test {
 protected:
  AtomicFile() {
    std::string name = (std::filesystem::temp_directory_path() / "lathe-atomic-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~AtomicFile() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string folder_;
};

TEST_F(AtomicFile, FilesAppearTogetherAtCommit) {
  AtomicFileSet files;
  const auto a = files.Add(Path("a"));
  const auto b = files.Add(Path("b"));
  ASSERT_TRUE(a.ok() && b.ok());
  ASSERT_TRUE((*a)->Append("first ").ok());
  ASSERT_TRUE((*b)->Append(std::string(1'000'000, 'x')).ok());
  ASSERT_TRUE((*a)->Append("second").ok());
  EXPECT_EQ((*a)->size(), 12u);
  EXPECT_FALSE(std::filesystem::exists(Path("a")));
  ASSERT_TRUE(files.Commit().ok());
  EXPECT_EQ(Read("a"), "first second");
  EXPECT_EQ(Read("b"), std::string(1'000'000, 'x'));
  EXPECT_THAT(Names(), UnorderedElementsAre("a", "b"));
}

TEST_F(AtomicFile, SmallAndLargePiecesKeepTheirOrder) {
  std::string expected;
  AtomicFileSet files;
  const auto file = files.Add(Path("a"));
  ASSERT_TRUE(file.ok());
  for (int i = 0; i < 40; ++i) {
    const std::string piece(static_cast<size_t>(1) << (i % 20), static_cast<char>('a' + i % 26));
    expected += piece;
    ASSERT_TRUE((*file)->Append(piece).ok());
  }
  ASSERT_TRUE(files.Commit().ok());
  EXPECT_TRUE(Read("a") == expected);
}

TEST_F(AtomicFile, WhatIsStagedCanBeRead) {
  AtomicFileSet files;
  const auto file = files.Add(Path("a"));
  ASSERT_TRUE(file.ok() && (*file)->Append("text").ok());
  const auto staged = files.Staged(Path("a"));
  ASSERT_TRUE(staged.ok() && *staged) << FormatError(staged.status());
  EXPECT_NE(**staged, Path("a"));
  EXPECT_EQ(Read(std::filesystem::path(**staged).filename()), "text");
  const auto other = files.Staged(Path("b"));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*other, std::nullopt);
  ASSERT_TRUE((*file)->Append(" and more").ok());
  ASSERT_TRUE(files.Commit().ok());
  EXPECT_EQ(Read("a"), "text and more");
}

TEST_F(AtomicFile, WithoutCommitNothingIsLeft) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  {
    AtomicFileSet files;
    const auto a = files.Add(Path("a"));
    ASSERT_TRUE(a.ok() && (*a)->Append("new").ok());
    ASSERT_TRUE(files.Add(Path("b")).ok());
  }
  EXPECT_EQ(Read("a"), "old");
  EXPECT_THAT(Names(), UnorderedElementsAre("a"));
}

TEST_F(AtomicFile, ReplacesWhatStoodThere) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "new").ok());
  EXPECT_EQ(Read("a"), "new");
  EXPECT_THAT(Names(), UnorderedElementsAre("a"));
}

TEST_F(AtomicFile, ModeFollowsTheUmask) {
  const mode_t before = ::umask(027);
  const Status status = WriteFileAtomically(Path("a"), "text");
  ::umask(before);
  ASSERT_TRUE(status.ok());
  struct stat info {};
  ASSERT_EQ(::stat(Path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST_F(AtomicFile, AFailedCommitTakesBackTheOthers) {
  ASSERT_TRUE(WriteFileAtomically(Path("old"), "old").ok());
  {
    AtomicFileSet files;
    for (const char* name : {"old", "new", "blocked"}) {
      const auto file = files.Add(Path(name));
      ASSERT_TRUE(file.ok() && (*file)->Append("text").ok());
    }
    // A folder that appears at the last file's place cannot be replaced by a file.
    std::filesystem::create_directories(Path("blocked/inside"));
    const Status status = files.Commit();
    EXPECT_EQ(FormatError(status), Path("blocked") + ": cannot replace: Is a directory");
  }
  EXPECT_EQ(Read("old"), "old");
  EXPECT_THAT(Names(), UnorderedElementsAre("old", "blocked"));
  EXPECT_TRUE(std::filesystem::exists(Path("blocked/inside")));
}

TEST_F(AtomicFile, PlacesThatCannotBeWritten) {
  AtomicFileSet files;
  EXPECT_EQ(FormatError(files.Add(Path("none/a")).status()),
            Path("none/a") + ": cannot create: No such file or directory");
  EXPECT_EQ(FormatError(files.Add(folder_).status()), folder_ + ": cannot write: Is a directory");
  ASSERT_TRUE(files.Add(Path("a")).ok());
  EXPECT_EQ(FormatError(files.Add(Path("a")).status()), Path("a") + ": would be written twice");
}

// A limit on the size of files stands for a disk that fills.
TEST_F(AtomicFile, ADiskThatFillsIsAnErrorAndLeavesNothing) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit small = before;
  small.rlim_cur = 100'000;
  const auto signal = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = WriteFileAtomically(Path("a"), std::string(1'000'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, signal);
  EXPECT_EQ(FormatError(status), Path("a") + ": cannot write: File too large");
  EXPECT_THAT(Names(), IsEmpty());
}

}  // namespace
}  // namespace lathe
