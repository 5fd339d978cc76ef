// Random damage to generated models: import never crashes, and what it accepts can be written and
// read again. LATHE_FUZZ_ITERATIONS sets how many inputs are tried; the seed is fixed.
#include <algorithm>
#include <random>

#include "lathe/ir/verifier.h"
#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::test {
namespace {

constexpr int kDefaultIterations = 30'000;
// Most inputs are refused after a few bytes, so many can be tried.
constexpr int kInputsAnIteration = 10;

int Iterations() { return kInputsAnIteration * FuzzIterations(kDefaultIterations); }

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, uint64_t seed)
      : seeds_(std::move(seeds)), random_(seed) {}

  std::string Next() {
    std::string text = seeds_[Below(seeds_.size())];
    for (size_t i = 0, edits = 1 + Below(4); i < edits; ++i) Edit(text);
    return text;
  }

 private:
  size_t Below(size_t end) { return end == 0 ? 0 : static_cast<size_t>(random_() % end); }

  void Edit(std::string& text) {
    const size_t at = Below(text.size());
    const size_t length = std::min(Below(16) + 1, text.size() - at);
    switch (Below(8)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << Below(8)));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(random_());
        break;
      case 2:
        text.insert(at, 1, static_cast<char>(random_()));
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(at, text.substr(Below(text.size()), length));
        break;
      case 5:
        text.resize(at);
        break;
      case 6: {
        // A large or negative number.
        const std::string number(Below(10) + 1, '\xff');
        text.replace(at, std::min(number.size(), text.size() - at), number);
        if (Below(2) == 0) text.insert(std::min(at + number.size(), text.size()), 1, '\x01');
        break;
      }
      default: {
        // A part of another model.
        const std::string& other = seeds_[Below(seeds_.size())];
        const size_t from = Below(other.size());
        text.insert(at, other, from, Below(200));
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

TEST(FuzzOnnx, ImportNeverCrashesAndWhatItAcceptsCanBeWritten) {
  std::vector<std::string> seeds;
  for (const NamedModel& model : GeneratedModels()) {
    seeds.push_back(model.proto.SerializeAsString());
  }
  Mutator mutator(seeds, 20240229);
  int accepted = 0;
  const int iterations = Iterations();
  for (int i = 0; i < iterations; ++i) {
    const auto model = ImportText(mutator.Next());
    if (!model.ok()) {
      ASSERT_FALSE(model.status().message().empty());
      continue;
    }
    ++accepted;
    const Status verified = ir::VerifyModel(**model);
    ASSERT_TRUE(verified.ok()) << "input " << i << ": " << FormatError(verified);
    const auto first = backends::SerializeOnnx(**model);
    ASSERT_TRUE(first.ok()) << "input " << i << ": " << FormatError(first.status());
    const auto again = ImportText(*first);
    ASSERT_TRUE(again.ok()) << "input " << i << ": " << FormatError(again.status());
    const auto second = backends::SerializeOnnx(**again);
    ASSERT_TRUE(second.ok()) << "input " << i << ": " << FormatError(second.status());
    ASSERT_TRUE(*first == *second) << "input " << i << ": the second export differs";
  }
  // Damage must not be so heavy that only the first lines of the reader are tried.
  EXPECT_GT(accepted, iterations / 50);
}

}  // namespace
}  // namespace lathe::test
