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

// Notes down what it is told; fails where asked to.
class Recorder : public PassObserver {
 public:
  Recorder(std::string name, std::vector<std::string>& calls)
      : name_(std::move(name)), calls_(calls) {}

  Status RunStarts(const ir::Model& /*model*/) override { return Call("start"); }
  void GroupStarts(const GroupPoint& point) override {
    (void)Call(fmt::format("group {} {}", point.position, point.name));
  }
  void GroupEnds(const GroupPoint& point) override {
    (void)Call(fmt::format("end {} {}", point.position, point.name));
  }
  Status BeforePass(const PassPoint& point) override {
    rests_.push_back(point.pipeline.From(point.path).ToText());
    return Call(fmt::format("before {} {}", point.position, point.pass.name));
  }
  Status AfterPass(const PassPoint& point, const PassReport& report) override {
    return Call(fmt::format("after {} {} {}", point.position, point.pass.name, report.changed));
  }
  Status RunEnds(const PipelineReport& report, const Status& outcome) override {
    return Call(fmt::format("end after {}: {}", report.passes.size(), FormatError(outcome)));
  }

  std::string fail_at;
  std::vector<std::string> rests_;

 private:
  Status Call(std::string what) {
    const bool fail = what == fail_at;
    calls_.push_back(name_ + what);
    return fail ? IoError("disk full") : OkStatus();
  }
  std::string name_;
  std::vector<std::string>& calls_;
};

TEST_F(PassManagerTest, ObserversFormAChain) {
  Add(Sample("idle"));
  Add(Sample("busy", ClaimChange));
  std::vector<std::string> calls;
  Recorder outer("outer ", calls);
  Recorder inner("inner ", calls);
  PassManagerOptions options;
  options.observers = {&outer, &inner};
  ASSERT_TRUE(Run("phase{name=first}(busy),fixpoint(idle)", options).ok());
  EXPECT_THAT(calls, ElementsAre("outer start", "inner start",                              //
                                 "outer group 1 first", "inner group 1 first",              //
                                 "outer before 1.1 busy", "inner before 1.1 busy",          //
                                 "inner after 1.1 busy true", "outer after 1.1 busy true",  //
                                 "inner end 1 first", "outer end 1 first",                  //
                                 "outer group 2#1 fixpoint", "inner group 2#1 fixpoint",    //
                                 "outer before 2#1.1 idle", "inner before 2#1.1 idle",      //
                                 "inner after 2#1.1 idle false", "outer after 2#1.1 idle false",
                                 "inner end 2#1 fixpoint", "outer end 2#1 fixpoint",  //
                                 "inner end after 2: ", "outer end after 2: "));
}

TEST_F(PassManagerTest, AnErrorOfAnObserverStopsTheRun) {
  Add(Sample("idle"));
  std::vector<std::string> calls;
  Recorder recorder("", calls);
  PassManagerOptions options;
  options.observers = {&recorder};
  recorder.fail_at = "start";
  EXPECT_EQ(ErrorOf("idle", options), "disk full");
  EXPECT_THAT(calls, ElementsAre("start", "end after 0: disk full"));
  calls.clear();
  recorder.fail_at = "before 1 idle";
  EXPECT_EQ(ErrorOf("idle", options), "disk full");
  EXPECT_THAT(calls, ElementsAre("start", "before 1 idle", "end after 1: disk full"));
  calls.clear();
  recorder.fail_at = "after 1 idle false";
  EXPECT_EQ(ErrorOf("idle,idle", options), "pass idle: disk full");
  EXPECT_THAT(calls, ElementsAre("start", "before 1 idle", "after 1 idle false",
                                 "end after 1: pass idle: disk full"));
  calls.clear();
  recorder.fail_at = "end after 1: ";
  EXPECT_EQ(ErrorOf("idle", options), "disk full");
}

TEST_F(PassManagerTest, AFailureIsARemarkToo) {
  Add(Sample("failing", [](PassContext& context) -> StatusOr<bool> {
    context.Note("conv0", "was fine");
    return WithContext(InvalidInput("no weight"), ErrorContext::kNode, "conv1");
  }));
  struct Keeper : PassObserver {
    Status RunEnds(const PipelineReport& last, const Status& /*outcome*/) override {
      report = last;
      return OkStatus();
    }
    PipelineReport report;
  } keeper;
  PassManagerOptions options;
  options.observers = {&keeper};
  EXPECT_EQ(ErrorOf("failing", options), "node 'conv1': pass failing: no weight");
  ASSERT_EQ(keeper.report.passes.size(), 1u);
  const std::vector<Remark>& remarks = keeper.report.passes[0].remarks;
  ASSERT_EQ(remarks.size(), 2u);
  EXPECT_EQ(remarks[1].kind, Remark::Kind::kFailed);
  EXPECT_EQ(remarks[1].node, "conv1");
  EXPECT_EQ(remarks[1].message, "no weight");
}

TEST_F(PassManagerTest, WhatIsLeftOfThePipelineIsKnown) {
  Add(Sample("a"));
  Add(Sample("b", ClaimChange));
  PassDescriptor local = Sample("local");
  local.scope = PassScope::kGraphs;
  Add(local);
  std::vector<std::string> calls;
  Recorder recorder("", calls);
  PassManagerOptions options;
  options.observers = {&recorder};
  ASSERT_TRUE(Run("a,phase{name=p}(a,a),bodies(local,local),fixpoint{max=2}(a,b),a", options).ok());
  constexpr const char* kLoop = "fixpoint{max=2}(a,b),a";
  EXPECT_THAT(recorder.rests_,
              ElementsAre(fmt::format("a,phase{{name=p}}(a,a),bodies(local,local),{}", kLoop),
                          fmt::format("phase{{name=p}}(a,a),bodies(local,local),{}", kLoop),
                          fmt::format("phase{{name=p}}(a),bodies(local,local),{}", kLoop),
                          fmt::format("bodies(local,local),{}", kLoop),
                          fmt::format("bodies(local),{}", kLoop),  //
                          kLoop, fmt::format("b,{}", kLoop),       // the first round
                          kLoop, fmt::format("b,{}", kLoop),       // the second
                          "a"));
}

TEST_F(PassManagerTest, AnInterruptStopsBetweenPasses) {
  Add(Sample("idle"));
  int asked = 0;
  std::vector<std::string> calls;
  Recorder recorder("", calls);
  PassManagerOptions options;
  options.observers = {&recorder};
  options.interrupted = [&] { return ++asked == 2; };
  EXPECT_EQ(ErrorOf("idle,idle,idle", options), "interrupted");
  EXPECT_THAT(calls, ElementsAre("start", "before 1 idle", "after 1 idle false",
                                 "end after 1: interrupted"));
}

// --- Groups

// Changes something in its first `*times` runs.
PassDescriptor ChangingTimes(std::string_view name) {
  return Sample(name, [](PassContext& context) -> StatusOr<bool> {
    LATHE_ASSIGN_OR_RETURN(int* const times, context.Need<int>("how often"));
    return (*times)-- > 0;
  });
}

std::vector<std::string> Positions(const PipelineReport& report) {
  std::vector<std::string> positions;
  for (const PassReport& pass : report.passes) positions.push_back(pass.position);
  return positions;
}

TEST_F(PassManagerTest, AFixpointRunsUntilARoundChangesNothing) {
  Add(ChangingTimes("busy"));
  Add(Sample("idle"));
  int times = 2;
  resources_.Provide(&times);
  StatusOr<PipelineReport> report = Run("idle,fixpoint(busy,idle)");
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  EXPECT_TRUE(report->changed);
  EXPECT_THAT(Positions(*report),
              ElementsAre("1", "2#1.1", "2#1.2", "2#2.1", "2#2.2", "2#3.1", "2#3.2"));
  for (const PassReport& pass : report->passes) EXPECT_TRUE(pass.remarks.empty());
  times = 0;
  report = Run("fixpoint(busy)");
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->changed);
  EXPECT_THAT(Positions(*report), ElementsAre("1#1.1"));
}

TEST_F(PassManagerTest, AFixpointThatDoesNotEndStopsWithARemark) {
  Add(Sample("busy", ClaimChange));
  Add(Sample("idle"));
  const StatusOr<PipelineReport> report = Run("phase(fixpoint{max=2}(busy,idle)),idle");
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  EXPECT_THAT(Positions(*report), ElementsAre("1.1#1.1", "1.1#1.2", "1.1#2.1", "1.1#2.2", "2"));
  const PassReport& last = report->passes[2];
  ASSERT_EQ(last.remarks.size(), 1u);
  EXPECT_EQ(last.remarks[0].message,
            "fixpoint (number 1.1) stopped after 2 rounds although this pass still changed "
            "something");
}

TEST_F(PassManagerTest, InBodiesTheMainGraphIsNotVisited) {
  PassDescriptor local = Sample("local", [](PassContext& context) -> StatusOr<bool> {
    for (const ir::Graph* graph : context.model().AllGraphs()) {
      if (context.Visits(*graph)) context.Count("graphs");
    }
    return false;
  });
  local.scope = PassScope::kGraphs;
  local.statistics = {{"graphs", "graphs visited"}};
  Add(local);
  const StatusOr<PipelineReport> report = Run("local,bodies(phase(local)),model(local)");
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  std::vector<int64_t> counts;
  for (const PassReport& pass : report->passes) counts.push_back(pass.statistics[0].second);
  EXPECT_THAT(counts, ElementsAre(1, 0, 1));
}

TEST_F(PassManagerTest, TheSecondRoundOfAFixpointNeedsItsFactsToo) {
  Add(Establishing("calibrate", facts::kCalibrated));
  PassDescriptor lower = Requiring("lower", facts::kCalibrated);
  lower.preserves = {facts::kCalibrated};
  Add(lower);
  Add(Sample("rough", ClaimChange));
  EXPECT_TRUE(Run("calibrate,fixpoint{max=1}(lower,rough)").ok());
  EXPECT_TRUE(Run("fixpoint{max=2}(calibrate,lower,rough)").ok());
  EXPECT_EQ(ErrorOf("calibrate,fixpoint(lower,rough)"),
            "pass lower (number 2.1) needs the fact 'calibrated', which pass rough (number 2.2) "
            "does not preserve; run calibrate before it");
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
