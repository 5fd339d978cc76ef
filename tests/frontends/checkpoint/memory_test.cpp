// A large checkpoint is mapped, not read.
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

constexpr int64_t kFloats = int64_t{1} << 28;
constexpr uint64_t kBytes = 4 * static_cast<uint64_t>(kFloats);

// Kilobytes; what the process held at most since the last ForgetPeak.
int64_t Peak() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}
void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

// A file of front, a hole of 1 GB and back: it takes no room on the disk.
std::string SparseFile(const TemporaryFolder& folder, const std::string& front,
                       const std::string& back) {
  const std::string path = folder.Write("checkpoint", front);
  const int file = ::open(path.c_str(), O_WRONLY);
  EXPECT_EQ(::ftruncate(file, static_cast<off_t>(front.size() + kBytes)), 0);
  EXPECT_EQ(::pwrite(file, back.data(), back.size(), static_cast<off_t>(front.size() + kBytes)),
            static_cast<ssize_t>(back.size()));
  ::close(file);
  return path;
}

void ExpectMapped(const std::string& path) {
  ForgetPeak();
  const int64_t before = Peak();
  const auto checkpoint = ReadCheckpoint(path);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const ir::Tensor& tensor = TensorOf(checkpoint->root, "w");
  EXPECT_EQ(tensor.byte_size(), kBytes);
  EXPECT_TRUE(tensor.file_range().has_value());
  ASSERT_GT(before, 0);
  EXPECT_LT(Peak() - before, 32 << 10);
}

TEST(Memory, AZipOfOneGigabyte) {
  const TemporaryFolder folder;
  const std::string value = PickleDict(
      {{"w", PickleTensor(PickleStorage("FloatStorage", "0", kFloats), 0, {kFloats}, {1})}});
  // An archive whose last entry is empty, and then grows.
  const std::string small = Zip({{"a/data.pkl", Pickle(value)}, {"a/data/0", ""}});
  const size_t directory = small.find("PK\x01\x02");
  std::string back = small.substr(directory);
  const size_t last = back.rfind("PK\x01\x02"), end = back.rfind("PK\x05\x06");
  back.replace(last + 20, 8, LittleEndian(kBytes, 4) + LittleEndian(kBytes, 4));
  back.replace(end + 16, 4, LittleEndian(directory + kBytes, 4));
  ExpectMapped(SparseFile(folder, small.substr(0, directory), back));
}

TEST(Memory, TheOlderFormOfOneGigabyte) {
  const TemporaryFolder folder;
  const std::string value = PickleDict(
      {{"w", PickleTensor(PickleStorage("FloatStorage", "0", kFloats), 0, {kFloats}, {1})}});
  std::string front = TorchOld(value, {{"0", ""}}, {4});
  front.replace(front.size() - 8, 8, LittleEndian(static_cast<uint64_t>(kFloats), 8));
  ExpectMapped(SparseFile(folder, front, ""));
}

TEST(Memory, SafetensorsOfOneGigabyte) {
  const TemporaryFolder folder;
  const std::string header = R"({"w":{"dtype":"F32","shape":[)" + std::to_string(kFloats) +
                             R"(],"data_offsets":[0,)" + std::to_string(kBytes) + "]}}";
  ExpectMapped(SparseFile(folder, LittleEndian(header.size(), 8) + header, ""));
}

TEST(Memory, AnNpzOfOneGigabyte) {
  const TemporaryFolder folder;
  const std::string npy = NpyOf("<f4", "(" + std::to_string(kFloats) + ",)", "");
  const std::string small = Zip({{"w.npy", npy}});
  const size_t directory = small.find("PK\x01\x02");
  std::string back = small.substr(directory);
  const uint64_t size = npy.size() + kBytes;
  back.replace(20, 8, LittleEndian(size, 4) + LittleEndian(size, 4));
  back.replace(back.rfind("PK\x05\x06") + 16, 4, LittleEndian(directory + kBytes, 4));
  ExpectMapped(SparseFile(folder, small.substr(0, directory), back));
}

}  // namespace
}  // namespace lathe::frontends
