// Damaged array files are errors, never crashes. LATHE_FUZZ_ITERATIONS sets how many are tried.
#include <random>

#include <gtest/gtest.h>

#include "files.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/data/npz.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::frontends {
namespace {

constexpr int kIterations = 6000;

// Walks what was read, so that a sanitizer sees every byte of it.
uint64_t Sum(const ir::Tensor& tensor) {
  uint64_t sum = 0;
  const auto bytes = tensor.Read();
  if (bytes.ok()) {
    for (const std::byte byte : bytes->bytes()) sum += static_cast<uint64_t>(byte);
  }
  return sum;
}

TEST(Fuzz, Npy) {
  std::mt19937 random(1);
  const std::string seeds[] = {
      test::NpyOf("<f4", "(2, 3)", std::string(24, 'a'), true),
      test::NpyOf(">i8", "(3, 1, 1)", std::string(24, 'b')),
      test::Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}", "12345", 3),
  };
  uint64_t sum = 0, read = 0;
  for (int i = 0; i < test::FuzzIterations(kIterations); ++i) {
    const std::string bytes = test::Damage(seeds[random() % std::size(seeds)], random);
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    const auto tensor =
        DecodeNpy(std::make_shared<std::vector<std::byte>>(begin, begin + bytes.size()));
    if (tensor.ok()) {
      ++read;
      sum += Sum(*tensor);
    } else {
      ASSERT_FALSE(tensor.status().message().empty());
    }
  }
  EXPECT_GT(read, 0u);
  EXPECT_GT(sum, 0u);
}

TEST(Fuzz, Npz) {
  std::mt19937 random(2);
  const std::string npy = test::NpyOf("|u1", "(40,)", std::string(40, 'a'));
  const std::string seeds[] = {
      test::Zip({{"x.npy", npy}, {"y.npy", npy}}),
      test::Zip({{"x.npy", npy}, {"y.npy", npy}}, {true}),
      test::Zip({{"x.npy", npy}}, {false, true}),
      test::Zip({{"x.npy", npy}}, {true, true, "comment"}),
  };
  const test::TemporaryFolder folder;
  uint64_t sum = 0;
  for (int i = 0; i < test::FuzzIterations(kIterations) / 4; ++i) {
    const std::string path =
        folder.Write("a.npz", test::Damage(seeds[random() % std::size(seeds)], random));
    const auto npz = NpzFile::Open(path);
    if (!npz.ok()) continue;
    for (const NpzFile::Entry& entry : npz->entries()) {
      const auto tensor = npz->Read(entry);
      if (tensor.ok()) sum += Sum(*tensor);
    }
  }
  EXPECT_GT(sum, 0u);
}

}  // namespace
}  // namespace lathe::frontends
