// Damaged checkpoints are errors or other tensors, never crashes. LATHE_FUZZ_ITERATIONS sets how
// many are tried; the seeds are fixed.
#include <random>

#include <gtest/gtest.h>

#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using namespace test;  // NOLINT: writers of files

int Iterations() {
  const char* text = std::getenv("LATHE_FUZZ_ITERATIONS");
  return text != nullptr ? std::atoi(text) : 300;
}

std::string Mutate(std::string bytes, std::mt19937& random) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  for (uint64_t edits = 1 + below(4); edits > 0; --edits) {
    const size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(at, 1 + below(8), static_cast<char>(random()));
        break;
      case 3:
        bytes.erase(at, 1 + below(8));
        break;
      case 4:
        // A piece again elsewhere.
        bytes.insert(below(bytes.size()), bytes.substr(at, 1 + below(40)));
        break;
      default:
        // Lengths and offsets at their limits.
        for (size_t i = at; i < std::min(bytes.size(), at + 1 + below(8)); ++i) bytes[i] = '\xff';
    }
  }
  return bytes;
}

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
  for (int i = 0; i < Iterations(); ++i) {
    read += Try(folder, Mutate(seeds[random() % seeds.size()], random));
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, Iterations());
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
  for (int i = 0; i < Iterations(); ++i) read += read_with(Mutate(good, random));
  EXPECT_LT(read, Iterations());
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
