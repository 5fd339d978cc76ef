#include "lathe/quant/ifmr.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ifmr_oracle.h"

namespace lathe::quant {
namespace {

std::unique_ptr<IfmrObserver> MakeObserver(const IfmrOptions& options, uint64_t announced) {
  auto observer = IfmrObserver::Create(options, announced);
  EXPECT_TRUE(observer.ok()) << observer.status();
  return std::move(observer).value();
}

// Runs all passes; pieces of `piece` values.
ActivationRange Calibrate(IfmrObserver& observer, std::span<const float> values, size_t piece,
                          int* passes = nullptr) {
  IfmrScratch scratch;
  for (int pass = 1; pass <= 3; ++pass) {
    for (size_t begin = 0; begin < values.size(); begin += piece) {
      EXPECT_TRUE(
          observer.Observe(values.subspan(begin, std::min(piece, values.size() - begin)), scratch)
              .ok());
    }
    const StatusOr<bool> decided = observer.FinishPass();
    EXPECT_TRUE(decided.ok()) << decided.status();
    if (passes) *passes = pass;
    if (!decided.ok() || *decided) return observer.result();
  }
  ADD_FAILURE() << "not decided after three passes";
  return {};
}

ActivationRange Calibrate(const IfmrOptions& options, const std::vector<float>& values) {
  return Calibrate(*MakeObserver(options, values.size()), values, values.size());
}

const std::vector<float> kSmall = {-1, -0.5f, 0, 0.25f, 0.5f, 1, 2, 3};

std::vector<float> RampWithOutlier() {
  std::vector<float> values;
  for (int k = 0; k < 1000; ++k) values.push_back(static_cast<float>(0.01 * k - 3));
  values.push_back(20.0f);
  return values;
}

TEST(Ifmr, TestVectors) {
  EXPECT_EQ(Calibrate({.num_bits = 8}, kSmall).params, (AffineParams{0.019215684f, -76}));
  EXPECT_EQ(Calibrate({.num_bits = 8, .asymmetric = false}, kSmall).params,
            (AffineParams{0.025039369f, 0}));
  EXPECT_EQ(Calibrate({.num_bits = 4}, kSmall).params, (AffineParams{0.26266667f, -4}));
  EXPECT_EQ(Calibrate({.num_bits = 4, .asymmetric = false}, kSmall).params,
            (AffineParams{0.49714285f, 0}));
  EXPECT_EQ(Calibrate({.num_bits = 8}, RampWithOutlier()).params,
            (AffineParams{0.090196081f, -95}));
  EXPECT_EQ(Calibrate({.num_bits = 4}, RampWithOutlier()).params, (AffineParams{1.2133334f, -6}));
}

TEST(Ifmr, GoldenModelInput) {
  EXPECT_EQ(Calibrate({}, {-1, 0, 1, 2, 0.5f, -0.5f, 1.5f, 3}).params,
            (AffineParams{0.018509805f, -74}));
}

TEST(Ifmr, AllZero) {
  const ActivationRange range = Calibrate({}, std::vector<float>(100, 0.0f));
  EXPECT_EQ(range.params, (AffineParams{1.0f, -128}));
  EXPECT_EQ(range.clip_min, 0.0f);
  EXPECT_EQ(range.clip_max, 255.0f);
}

TEST(Ifmr, ClipsFollowFromScaleAndOffset) {
  const ActivationRange range = Calibrate({}, kSmall);
  EXPECT_EQ(range.clip_max, 203.0f * 0.019215684f);
  EXPECT_EQ(range.clip_min, -52.0f * 0.019215684f);
}

TEST(IfmrSearchRatios, AreTheReferences) {
  const auto defaults = IfmrSearchRatios({});
  ASSERT_TRUE(defaults.ok());
  ASSERT_EQ(defaults->size(), 61u);
  EXPECT_EQ(defaults->front(), 0.7f);
  EXPECT_EQ((*defaults)[30], 1.0f);
  EXPECT_EQ(defaults->back(), 1.3f);
  const auto coarse =
      IfmrSearchRatios({.search_range_start = 0.8, .search_range_end = 1.2, .search_step = 0.02});
  ASSERT_TRUE(coarse.ok());
  ASSERT_EQ(coarse->size(), 20u);
  EXPECT_EQ(coarse->front(), 0.8f);
  EXPECT_EQ(coarse->back(), 1.18f);
}

TEST(IfmrSearchRatios, RefusesEmptyAndEndlessRanges) {
  EXPECT_EQ(
      IfmrSearchRatios({.search_range_start = 1.3, .search_range_end = 0.7}).status().message(),
      "the search range [1.3, 0.7] with step 0.01 is empty or not positive");
  EXPECT_FALSE(IfmrSearchRatios({.search_range_start = 0.0}).ok());
  EXPECT_FALSE(IfmrSearchRatios({.search_step = 0.0}).ok());
  EXPECT_FALSE(IfmrSearchRatios({.search_step = std::nan("")}).ok());
  EXPECT_EQ(
      IfmrSearchRatios({.search_step = 1e-9}).status().message(),
      "the search range [0.7, 1.3] with step 1e-09 has more than 100000 steps; use a larger step");
}

TEST(Ifmr, RefusesOptionsOutOfRange) {
  EXPECT_EQ(IfmrObserver::Create({.num_bits = 17}, 1).status().message(),
            "cannot quantise to 17 bits; 2 to 16 are possible");
  EXPECT_EQ(IfmrObserver::Create({.max_percentile = 0.5}, 1).status().message(),
            "a percentile of 0.5 is given; it must be above 0.5 and at most 1");
  EXPECT_FALSE(IfmrObserver::Create({.min_percentile = 1.5}, 1).ok());
  EXPECT_FALSE(IfmrObserver::Create({.search_step = -1.0}, 1).ok());
}

TEST(Ifmr, RefusesDataThatIsNotFinite) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(10000, 1.0f);
    values[7777] = bad;
    auto observer = MakeObserver({}, values.size());
    IfmrScratch scratch;
    EXPECT_EQ(observer->Observe(values, scratch),
              absl::OutOfRangeError("the activation holds a value that is NaN or infinite"));
    EXPECT_EQ(observer->FinishPass().status(),
              absl::OutOfRangeError("the activation holds a value that is NaN or infinite"));
    // The working memory is fit for the next observer.
    auto next = MakeObserver({}, kSmall.size());
    ASSERT_TRUE(next->Observe(kSmall, scratch).ok());
    ASSERT_TRUE(next->FinishPass().ok());
  }
}

TEST(Ifmr, RefusesHugeData) {
  auto observer = MakeObserver({}, 2);
  IfmrScratch scratch;
  EXPECT_EQ(observer->Observe(std::vector{-1.0f, 0x1p63f}, scratch),
            absl::OutOfRangeError(
                "the activation reaches from -1 to 9.223372e+18; magnitudes of 2^62 and "
                "more cannot be searched in float32"));
}

TEST(Ifmr, RefusesNoData) {
  EXPECT_EQ(MakeObserver({}, 10)->FinishPass().status().message(),
            "no activation values were observed");
}

TEST(Ifmr, RefusesMoreDataThanAnnouncedWhenItMatters) {
  const std::vector<float> values(1000, 1.0f);
  IfmrScratch scratch;
  auto observer = MakeObserver({.max_percentile = 0.9}, 100);
  ASSERT_TRUE(observer->Observe(values, scratch).ok());
  EXPECT_EQ(observer->FinishPass().status().message(),
            "1000 activation values were observed, more than were announced, and the percentiles "
            "need the "
            "100 largest and 1 smallest, of which 11 and 2 were kept; give each batch the size of "
            "the first");
  observer = MakeObserver({}, 100);
  ASSERT_TRUE(observer->Observe(values, scratch).ok());
  EXPECT_TRUE(observer->FinishPass().ok());
}

TEST(Ifmr, RefusesDataAfterTheDecision) {
  auto observer = MakeObserver({}, 1);
  IfmrScratch scratch;
  ASSERT_TRUE(observer->Observe(std::vector{0.0f}, scratch).ok());
  EXPECT_EQ(observer->survivors(), 0u);
  ASSERT_TRUE(*observer->FinishPass());
  EXPECT_EQ(observer->survivors(), 1u);
  EXPECT_EQ(observer->Observe(std::vector{0.0f}, scratch).message(),
            "an activation range that is decided was given more data");
}

std::vector<float> Normal(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& x : values) x = normal(random);
  return values;
}

TEST(Ifmr, RefusesALaterPassOverOtherData) {
  const std::vector<float> values = Normal(1000, 1);
  IfmrScratch scratch;
  auto observer = MakeObserver({.num_bits = 16}, values.size());
  ASSERT_TRUE(observer->Observe(values, scratch).ok());
  ASSERT_FALSE(*observer->FinishPass());
  EXPECT_EQ(observer->survivors(), 61u);
  ASSERT_TRUE(observer->Observe(std::span(values).first(999), scratch).ok());
  EXPECT_EQ(observer->FinishPass().status().message(),
            "999 activation values were observed again, 1000 at first");
}

TEST(Ifmr, ReportsRangeAndCount) {
  auto observer = MakeObserver({}, kSmall.size());
  Calibrate(*observer, kSmall, 3);
  EXPECT_EQ(observer->data_range(), (DataRange{-1.0f, 3.0f}));
  EXPECT_EQ(observer->count(), 8u);
}

TEST(Ifmr, AShortLastBatchHasItsOwnPercentiles) {
  const std::vector<float> values = Normal(70000, 3);
  for (const double percentile : {0.999999, 0.9999, 0.99, 0.9}) {
    const IfmrOptions options{.max_percentile = percentile, .min_percentile = percentile};
    auto observer = MakeObserver(options, 100000);
    EXPECT_EQ(Calibrate(*observer, values, 20000), ChooseIfmr(options, values).range);
  }
}

TEST(Ifmr, LowPercentilesOfMuchDataTakeAnotherPass) {
  const std::vector<float> values = Normal(3000000, 5);
  const IfmrOptions options{.max_percentile = 0.6, .min_percentile = 0.99};
  auto observer = MakeObserver(options, values.size());
  int passes = 0;
  EXPECT_EQ(Calibrate(*observer, values, 700000, &passes), ChooseIfmr(options, values).range);
  EXPECT_GE(passes, 2);
}

TEST(Ifmr, OneBinTakesMoreValuesThanAWordCounts) {
  // The words that are added up count to 2^22 - 1.
  std::vector<float> values((size_t{1} << 22) + 1010, 1.0f);
  const std::vector<float> some = Normal(1000, 4);
  std::copy(some.begin(), some.end(), values.begin());
  const IfmrOptions options{
      .search_range_start = 0.9, .search_range_end = 1.1, .search_step = 0.05, .asymmetric = false};
  EXPECT_EQ(Calibrate(options, values), ChooseIfmr(options, values).range);
}

TEST(Ifmr, TheEstimateStandsInForAPass) {
  const std::vector<float> values = Normal(100000, 9);
  IfmrScratch scratch;
  // A fine search has neighbours too close to tell apart.
  const IfmrOptions options{.search_step = 0.0002};
  auto observer = MakeObserver(options, values.size());
  ASSERT_TRUE(observer->Observe(values, scratch).ok());
  ASSERT_FALSE(*observer->FinishPass());
  EXPECT_GT(observer->survivors(), 1u);
  EXPECT_LT(observer->survivors(), 600u);
  ASSERT_TRUE(observer->DecideByEstimate().ok());
  EXPECT_EQ(observer->survivors(), 1u);
  const float exact = ChooseIfmr(options, values).range.params.scale;
  EXPECT_NEAR(observer->result().params.scale, exact, 0.002f * exact);

  auto wide = MakeObserver({.num_bits = 16}, values.size());
  ASSERT_TRUE(wide->Observe(values, scratch).ok());
  ASSERT_FALSE(*wide->FinishPass());
  EXPECT_EQ(wide->DecideByEstimate().message(),
            "the losses of an activation's candidates cannot be estimated");
}

// What is left after each pass, and the result.
struct Course {
  std::vector<size_t> survivors;
  ActivationRange range;

  bool operator==(const Course&) const = default;
};

Course RunInThreads(const IfmrOptions& options, std::span<const float> values,
                    size_t thread_count) {
  auto observer = MakeObserver(options, values.size());
  Course course;
  for (bool decided = false; !decided;) {
    std::atomic<size_t> next = 0;
    constexpr size_t kPiece = 13333;
    const auto work = [&] {
      IfmrScratch scratch;
      for (;;) {
        const size_t begin = next.fetch_add(kPiece);
        if (begin >= values.size()) return;
        const size_t length = std::min(kPiece, values.size() - begin);
        EXPECT_TRUE(observer->Observe(values.subspan(begin, length), scratch).ok());
      }
    };
    std::vector<std::thread> threads;
    for (size_t i = 0; i < thread_count; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
    decided = observer->FinishPass().value();
    course.survivors.push_back(observer->survivors());
  }
  course.range = observer->result();
  return course;
}

TEST(Ifmr, ThreadsDoNotChangeTheResult) {
  std::vector<float> values = Normal(200000, 11);
  // The range grows late, so that threads work with different bin widths.
  for (size_t i = 0; i < 20000; ++i) values[i] *= i < 10000 ? 0.01f : 0.1f;
  for (const IfmrOptions& options :
       {IfmrOptions{}, IfmrOptions{.search_step = 0.0005, .asymmetric = false},
        IfmrOptions{.max_percentile = 0.999, .min_percentile = 0.99},
        IfmrOptions{.num_bits = 16}}) {
    const Course expected = RunInThreads(options, values, 1);
    EXPECT_EQ(expected.range, ChooseIfmr(options, values).range);
    if (options.num_bits == 16) {
      EXPECT_EQ(expected.survivors, (std::vector<size_t>{61, 1}));
    }
    for (const size_t thread_count : {2u, 3u, 8u}) {
      EXPECT_EQ(RunInThreads(options, values, thread_count), expected);
    }
  }
}

}  // namespace
}  // namespace lathe::quant
