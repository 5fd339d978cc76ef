#include "lathe/passes/core/pass_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/core/sample_passes.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassDescriptor Establishing(std::string_view name, std::string_view fact) {
  PassDescriptor pass = Sample(name);
  pass.establishes = {fact};
  return pass;
}

PassDescriptor Requiring(std::string_view name, std::string_view fact) {
  PassDescriptor pass = Sample(name);
  pass.requires_facts = {fact};
  return pass;
}

class PassManagerTest : public testing::Test {
 protected:
  void Add(const PassDescriptor& pass) {
    const Status status = registry_.Add(pass);
    ASSERT_TRUE(status.ok()) << FormatError(status);
  }

  StatusOr<PipelineReport> Run(std::string_view text, PassManagerOptions options = {}) {
    return RunPipeline(builder_.model(), text, registry_, resources_, std::move(options));
  }
  std::string ErrorOf(std::string_view text, PassManagerOptions options = {}) {
    return FormatError(Run(text, std::move(options)).status());
  }

  GraphBuilder builder_;
  PassRegistry registry_;
  Resources resources_;
};

TEST_F(PassManagerTest, ReportsByPosition) {
  PassDescriptor counting = Sample("counting", [](PassContext& context) -> StatusOr<bool> {
    context.Count("nodes", 2);
    context.Count("nodes");
    context.Note("conv1", "was here");
    return true;
  });
  counting.statistics = {{"nodes", "nodes seen"}, {"others", "never"}};
  Add(counting);
  Add(Sample("idle"));
  const StatusOr<PipelineReport> report = Run("idle,phase(counting,idle),counting");
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  EXPECT_TRUE(report->changed);
  std::vector<std::string> positions;
  for (const PassReport& pass : report->passes) positions.push_back(pass.position);
  EXPECT_THAT(positions, ElementsAre("1", "2.1", "2.2", "3"));
  const PassReport& pass = report->passes[1];
  EXPECT_EQ(pass.pass, "counting");
  EXPECT_TRUE(pass.changed);
  EXPECT_GE(pass.seconds, 0);
  EXPECT_THAT(pass.statistics, ElementsAre(std::pair<std::string, int64_t>("nodes", 3),
                                           std::pair<std::string, int64_t>("others", 0)));
  ASSERT_EQ(pass.remarks.size(), 1u);
  EXPECT_EQ(pass.remarks[0].pass, "counting");
  EXPECT_EQ(pass.remarks[0].node, "conv1");
  EXPECT_FALSE(report->passes[0].changed);
}

TEST_F(PassManagerTest, PassesSeeTheirOptionsAndResources) {
  PassDescriptor pass = WithOptions("p1");
  pass.run = [](PassContext& context) -> StatusOr<bool> {
    LATHE_ASSIGN_OR_RETURN(int* const total, context.Need<int>("a total"));
    *total += static_cast<int>(context.options().Get<int64_t>("max"));
    return false;
  };
  Add(pass);
  EXPECT_EQ(ErrorOf("p1"), "pass p1: needs a total, and none was given");
  int total = 0;
  resources_.Provide(&total);
  ASSERT_TRUE(Run("p1,p1{max=2}").ok());
  EXPECT_EQ(total, 10);
}

TEST_F(PassManagerTest, ErrorsAndExceptionsCarryThePass) {
  Add(Sample("failing", [](PassContext&) -> StatusOr<bool> {
    return WithContext(InvalidInput("no weight"), ErrorContext::kNode, "conv1");
  }));
  Add(Sample("throwing",
             [](PassContext&) -> StatusOr<bool> { throw std::runtime_error("out of bounds"); }));
  Add(Sample("miscounting", [](PassContext& context) -> StatusOr<bool> {
    context.Count("nodes");
    return false;
  }));
  EXPECT_EQ(ErrorOf("failing"), "node 'conv1': pass failing: no weight");
  EXPECT_EQ(ErrorOf("throwing"), "pass throwing: threw: out of bounds");
  EXPECT_EQ(ErrorOf("miscounting"),
            "pass miscounting: counts 'nodes', which its descriptor does not list");
}

TEST_F(PassManagerTest, HooksAreCalledAroundEachPass) {
  Add(Sample("idle"));
  Add(Sample("busy", ClaimChange));
  std::vector<std::string> calls;
  PassManagerOptions options;
  options.before_pass = [&](const PassPoint& point) {
    calls.push_back(fmt::format("before {} {}", point.position, point.pass));
    return OkStatus();
  };
  options.after_pass = [&](const PassPoint& point) {
    calls.push_back(fmt::format("after {} {} {}", point.position, point.pass, point.changed));
    return point.position == "2" ? IoError("disk full") : OkStatus();
  };
  EXPECT_EQ(ErrorOf("idle,busy,idle", options), "disk full");
  EXPECT_THAT(calls, ElementsAre("before 1 idle", "after 1 idle false", "before 2 busy",
                                 "after 2 busy true"));
}

TEST_F(PassManagerTest, TheVerifierRunsFirstAndAfterEachPass) {
  Add(Sample("idle"));
  Add(Sample("breaking", [](PassContext& context) -> StatusOr<bool> {
    context.rewriter().MutableInfo().doc = "broken";
    return false;  // and does not even say so
  }));
  int checks = 0;
  PassManagerOptions options;
  options.verify = [&](const ir::Model& model) {
    ++checks;
    if (model.info().doc.empty()) return OkStatus();
    return WithContext(InternalError("value has no producer"), ErrorContext::kNode, "conv1");
  };
  EXPECT_EQ(ErrorOf("idle,breaking,idle", options),
            "pass breaking: leaves a broken model: node 'conv1': value has no producer");
  EXPECT_EQ(checks, 3);
  EXPECT_EQ(ErrorOf("idle", options), "node 'conv1': value has no producer");
}

TEST_F(PassManagerTest, AnInterruptStopsBetweenPasses) {
  Add(Sample("idle"));
  int asked = 0;
  int ran = 0;
  PassManagerOptions options;
  options.interrupted = [&] { return ++asked == 2; };
  options.after_pass = [&](const PassPoint&) {
    ++ran;
    return OkStatus();
  };
  EXPECT_EQ(ErrorOf("idle,idle,idle", options), "interrupted");
  EXPECT_EQ(ran, 1);
}

// --- Facts

TEST_F(PassManagerTest, AnEstablishedFactServesLaterPasses) {
  Add(Establishing("calibrate", facts::kCalibrated));
  Add(Requiring("lower", facts::kCalibrated));
  PassDescriptor gentle = Sample("gentle", ClaimChange);
  gentle.preserves = {facts::kCalibrated};
  Add(gentle);
  EXPECT_TRUE(Run("calibrate,gentle,lower").ok());
  EXPECT_TRUE(Run("phase(calibrate),phase(gentle,lower)").ok());
}

TEST_F(PassManagerTest, AMissingFactIsRefusedBeforeAnythingRuns) {
  Add(Establishing("calibrate", facts::kCalibrated));
  Add(Establishing("load-record", facts::kCalibrated));
  Add(Requiring("lower", facts::kCalibrated));
  Add(Sample("failing", [](PassContext&) -> StatusOr<bool> { return InternalError("ran"); }));
  EXPECT_EQ(ErrorOf("failing,lower,calibrate"),
            "pass lower (number 2) needs the fact 'calibrated', which does not hold; run calibrate "
            "or load-record before it");
}

TEST_F(PassManagerTest, ALostFactIsRefusedWithThePassThatLosesIt) {
  Add(Establishing("calibrate", facts::kCalibrated));
  Add(Requiring("lower", facts::kCalibrated));
  Add(Sample("rough", ClaimChange));
  EXPECT_EQ(ErrorOf("calibrate,phase(rough,rough),lower"),
            "pass lower (number 3) needs the fact 'calibrated', which pass rough (number 2.1) does "
            "not preserve; run calibrate before it");
}

TEST_F(PassManagerTest, AFactNoPassEstablishes) {
  Add(Requiring("lower", facts::kCalibrated));
  EXPECT_EQ(ErrorOf("lower"),
            "pass lower (number 1) needs the fact 'calibrated', which does not hold; no pass "
            "establishes it");
}

TEST_F(PassManagerTest, AssumedFactsHold) {
  Add(Requiring("lower", facts::kCalibrated));
  PassManagerOptions options;
  options.assume = {"calibrated"};
  EXPECT_TRUE(Run("lower", options).ok());
  options.assume = {"calibratd"};
  EXPECT_EQ(ErrorOf("lower", options),
            "there is no fact 'calibratd' to assume; did you mean 'calibrated'?");
}

TEST_F(PassManagerTest, StoredFactsOutliveTheRun) {
  Add(Establishing("calibrate", facts::kCalibrated));
  Add(Requiring("lower", facts::kCalibrated));
  Add(Sample("rough", ClaimChange));
  Add(Sample("idle"));
  ASSERT_TRUE(Run("calibrate").ok());
  EXPECT_THAT(builder_.model().info().metadata,
              ElementsAre(std::pair<std::string, std::string>("lathe.facts", "calibrated")));
  EXPECT_TRUE(Run("lower").ok());
  // A pass that changes nothing takes nothing away, although it might have.
  ASSERT_TRUE(Run("idle").ok());
  EXPECT_THAT(StoredFacts(builder_.model()), ElementsAre("calibrated"));
  ASSERT_TRUE(Run("rough").ok());
  EXPECT_TRUE(builder_.model().info().metadata.empty());
}

TEST_F(PassManagerTest, RecognisedFactsAreNotStored) {
  Add(Establishing("lower", facts::kAscendLowered));
  ASSERT_TRUE(Run("lower").ok());
  EXPECT_TRUE(builder_.model().info().metadata.empty());
}

TEST_F(PassManagerTest, FactsOfTheLoadedModelAreRecognised) {
  Add(Requiring("emit", facts::kAscendLowered));
  EXPECT_NE(ErrorOf("emit"), "");
  builder_.Output(builder_.Op("AscendQuant", "q", {builder_.Input("x")}));
  EXPECT_TRUE(Run("emit").ok());
  Add(Sample("rough", ClaimChange));
  EXPECT_EQ(ErrorOf("rough,emit"),
            "pass emit (number 2) needs the fact 'ascend-lowered', which pass rough (number 1) "
            "does not preserve; no pass establishes it");
}

}  // namespace
}  // namespace lathe::passes
