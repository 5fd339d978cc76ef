// Damaged checkpoints are errors or other tensors, never crashes. LATHE_FUZZ_ITERATIONS sets how
// many are tried; the seeds are fixed.
#include <random>

#include <gtest/gtest.h>

#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

constexpr int kIterations = 300;

// Walks what was read, so that a sanitizer sees every byte of it.
uint64_t Sum(const StateDict& dict) {
  uint64_t sum = 0;
  for (const NamedTensor& tensor : dict.tensors) {
    const auto bytes = tensor.tensor.Read();
    // What an extent without a stride makes of a few bytes can be long.
    if (!bytes.ok() || bytes->size() > 1 << 16) continue;
    for (const std::byte byte : bytes->bytes()) sum += static_cast<uint64_t>(byte);
  }
  return sum;
}

// Reads one file; 1 when that went well.
int Try(const TemporaryFolder& folder, const std::string& bytes) {
  const auto checkpoint = ReadBytes(folder, bytes);
  if (!checkpoint.ok()) {
    EXPECT_FALSE(checkpoint.status().message().empty());
    return 0;
  }
  uint64_t sum = Sum(checkpoint->root);
  for (const StateDict& dict : checkpoint->nested) sum += Sum(dict);
  const StateMatch match = MatchState({{"w", ir::ElementType::kFloat32, {2, 3}}}, checkpoint->root);
  EXPECT_EQ(CheckMatch(match).ok(), match.complete());
  return sum > 0 ? 1 : 0;
}

void Fuzz(const std::vector<std::string>& seeds, unsigned seed) {
  const TemporaryFolder folder;
  for (const std::string& bytes : seeds) ASSERT_EQ(Try(folder, bytes), 1);
  std::mt19937 random(seed);
  int read = 0;
  for (int i = 0; i < FuzzIterations(kIterations); ++i) {
    read += Try(folder, Damage(seeds[random() % seeds.size()], random));
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, FuzzIterations(kIterations));
}

const std::string kSix = BytesOf<float>({1, 2, 3, 4, 5, 6});

std::string Value() {
  const std::string storage = PickleStorage("FloatStorage", "0", 6);
  return PickleDict(
      {{"w", PickleTensor(storage, 0, {2, 3}, {3, 1}) + "q\x01"},
       {"t", PickleTensor(storage, 0, {3, 2}, {1, 3})},
       {"state_dict",
        PickleOrderedDict({{"w", "h\x01"},
                           {"n", PickleTensor(PickleStorage("LongStorage", "1", 1), 0, {}, {})}})},
       {"list", PickleList({PickleInt(1), PickleInt(-70000), "N", "\x88"})}});
}

TEST(FuzzCheckpoint, TorchZip) {
  const TorchStorage storages = {{"0", kSix}, {"1", BytesOf<int64_t>({-7})}};
  Fuzz({TorchZip(Value(), storages), TorchZip(Value(), storages, "big")}, 1);
}

// The check sum of the description stops nearly every damaged one; here it is always right.
TEST(FuzzCheckpoint, Pickle) {
  const TemporaryFolder folder;
  std::mt19937 random(2);
  const std::string good = Pickle(Value());
  const auto read_with = [&](const std::string& pickle) {
    return Try(
        folder,
        Zip({{"a/data.pkl", pickle}, {"a/data/0", kSix}, {"a/data/1", BytesOf<int64_t>({-7})}}));
  };
  ASSERT_EQ(read_with(good), 1);
  int read = 0;
  for (int i = 0; i < FuzzIterations(kIterations); ++i) read += read_with(Damage(good, random));
  EXPECT_LT(read, FuzzIterations(kIterations));
}

TEST(FuzzCheckpoint, TorchOld) {
  Fuzz({TorchOld(Value(), {{"0", kSix}, {"1", BytesOf<int64_t>({-7})}}, {4, 8})}, 3);
}

TEST(FuzzCheckpoint, Safetensors) {
  const std::string header = R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                             R"("n":{"dtype":"I64","shape":[],"data_offsets":[24,32]}})";
  Fuzz({LittleEndian(header.size(), 8) + header + kSix + BytesOf<int64_t>({-7})}, 4);
}

TEST(FuzzCheckpoint, Npz) {
  const std::string npy = NpyOf("<f4", "(2, 3)", kSix, true);
  Fuzz({Zip({{"w.npy", npy}, {"v.npy", npy}}), Zip({{"w.npy", npy}}, {true, true})}, 5);
}

}  // namespace
}  // namespace lathe::frontends
