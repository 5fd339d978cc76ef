#include "lathe/passes/instrument/reproducer.h"

#include <gmock/gmock.h>

#include "lathe/ir/text/print.h"
#include "lathe/passes/instrument/verify_each.h"
#include "lathe/tests/passes/instrument/observed_run.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReproducerTest : public ObservedRun {
 protected:
  ReproducerTest() {
    PassDescriptor lower = Sample("lower", ClaimChange);
    lower.requires_facts = {facts::kCalibrated};
    Add(lower);
    PassDescriptor calibrate = Sample("calibrate");
    calibrate.establishes = {facts::kCalibrated};
    Add(calibrate);
    path = Folder() + "/r.lir";
  }
  std::string path;
};

TEST_F(ReproducerTest, HoldsTheModelBeforeThePassThatFailedAndTheRestOfThePipeline) {
  WriteReproducer reproducer(path, {"shapes-inferred"});
  EXPECT_EQ(Run("calibrate,add-relu,phase(calibrate,failing,idle),busy", {&reproducer}),
            "pass failing: no luck");
  EXPECT_TRUE(reproducer.left());
  StatusOr<Reproducer> read = ReadReproducer(path);
  ASSERT_TRUE(read.ok()) << FormatError(read.status());
  EXPECT_EQ(read->pipeline, "phase(failing,idle),busy");
  EXPECT_THAT(read->assume, ElementsAre("calibrated", "shapes-inferred"));
  EXPECT_EQ(Listing(read->model->graph()), "act = Relu(x)\nadded = Relu(x)\nreturn act\n");
  // It fails again.
  const auto again = RunPipeline(*read->model, read->pipeline, registry);
  EXPECT_EQ(FormatError(again.status()), "pass failing: no luck");
}

TEST_F(ReproducerTest, IsLeftWhenAnotherObserverFindsTheFault) {
  WriteReproducer reproducer(path, {});
  VerifyEach verify([](const ir::Model& model) {
    return model.graph().num_nodes() == 1 ? OkStatus() : InternalError("too many nodes");
  });
  EXPECT_EQ(Run("idle,add-relu", {&reproducer, &verify}),
            "pass add-relu: leaves a broken model: too many nodes");
  StatusOr<Reproducer> read = ReadReproducer(path);
  ASSERT_TRUE(read.ok()) << FormatError(read.status());
  EXPECT_EQ(read->pipeline, "add-relu");
  EXPECT_EQ(read->model->graph().num_nodes(), 1u);
}

TEST_F(ReproducerTest, IsGoneAfterSuccessAndInterruption) {
  WriteReproducer reproducer(path, {});
  EXPECT_EQ(Run("idle,add-relu", {&reproducer}), "");
  EXPECT_FALSE(reproducer.left());
  EXPECT_THAT(Files(), IsEmpty());
  struct Stop : PassObserver {
    explicit Stop(bool& stop_flag) : flag(stop_flag) {}
    Status AfterPass(const PassPoint&, const PassReport&) override {
      flag = true;
      return OkStatus();
    }
    bool& flag;
  } stop(interrupted);
  EXPECT_EQ(Run("idle,idle", {&reproducer, &stop}), "interrupted");
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ReproducerTest, IsThereAfterACrash) {
  Add(Sample("crashing", [](PassContext&) -> StatusOr<bool> { std::_Exit(77); }));
  WriteReproducer reproducer(path, {});
  EXPECT_EXIT(Run("add-relu,crashing,idle", {&reproducer}), testing::ExitedWithCode(77), "");
  StatusOr<Reproducer> read = ReadReproducer(path);
  ASSERT_TRUE(read.ok()) << FormatError(read.status());
  EXPECT_EQ(read->pipeline, "crashing,idle");
  EXPECT_EQ(read->model->graph().num_nodes(), 2u);
}

TEST_F(ReproducerTest, OtherFilesAreRefused) {
  const auto error = [&](const std::string& text) {
    std::ofstream(path) << text;
    return FormatError(ReadReproducer(path).status());
  };
  const std::string refused = path + ": is no reproducer: it should begin with // lathe reproducer";
  EXPECT_EQ(error(""), refused);
  EXPECT_EQ(error("model {\n}\n"), refused);
  EXPECT_EQ(error("// lathe reproducer\n// pipeline: idle\nmodel {}\n"), refused);
  const std::string broken =
      error("// lathe reproducer\n// pipeline: idle\n// assume: \nmodle {}\n");
  EXPECT_TRUE(broken.starts_with(path + ": 4:1: ")) << broken;
  EXPECT_EQ(FormatError(ReadReproducer("/no/such/file").status()),
            "/no/such/file: cannot open: No such file or directory");
}

TEST_F(ReproducerTest, AFileThatCannotBeWrittenStopsTheRun) {
  WriteReproducer reproducer("/no/such/folder/r.lir", {});
  const std::string error = Run("idle", {&reproducer});
  EXPECT_TRUE(error.starts_with("/no/such/folder/r.lir: ")) << error;
}

}  // namespace
}  // namespace lathe::passes
