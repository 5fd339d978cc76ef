#include <gtest/gtest.h>

#include "lathe/passes/pipelines/sparsity.h"
#include "lathe/passes/sparsity/sparse_weight.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/sparsity/sparse_net.h"

namespace lathe::passes {
namespace {

struct Net : SparseNet {
  Net() {
    Output(Conv("last", Conv("c", Input("x", {1, 3, 2, 2}), 3, 8), 8, 2));
    record.prune_records = Plan().records;
    record.prune_records.push_back(
        {{}, {}, quant::MakeSelectiveNode({"last", {2, 4, 1, 1}, {1, 0, 0, 1, 0, 1, 0, 1}})});
  }
  StatusOr<PipelineReport> Run(std::string_view pipeline, std::vector<std::string> assume = {}) {
    Resources resources;
    resources.Provide(&record);
    return RunWith(model(), pipeline, resources, std::move(assume));
  }
  std::string Error(std::string_view pipeline, std::vector<std::string> assume = {}) {
    const auto report = Run(pipeline, std::move(assume));
    return report.ok() ? "no error" : FormatError(report.status());
  }

  quant::Record record;
};

TEST(SparsityPipeline, ChannelsThenMasksThenTheProof) {
  Net net;
  const auto report = net.Run("sparsity,check-n-m{layers=[last]}");
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  const auto find = [&](std::string_view name) {
    for (const PassReport& pass : report->passes) {
      if (pass.pass == name) return pass;
    }
    ADD_FAILURE() << "no report of " << name;
    return PassReport();
  };
  EXPECT_EQ(Statistic(find("prune-channels"), "channels"), 4);
  EXPECT_EQ(Statistic(find("mask-weights"), "masked"), 1);
  EXPECT_EQ(Statistic(find("check-n-m"), "proved"), 1);
  EXPECT_FALSE(find("check-n-m").changed);
}

TEST(SparsityPipeline, OtherOrdersAreRefused) {
  EXPECT_NE(Net().Error("mask-weights,prune-channels").find("needs the fact 'channels-pruned'"),
            std::string::npos);
  EXPECT_NE(Net().Error("check-n-m{layers=[last]}").find("needs the fact 'sparsity-applied'"),
            std::string::npos);
  // What was marked or calibrated before is so no more.
  EXPECT_NE(Net()
                .Error("mark-quant-points,prune-channels,insert-ascend-quant", {"calibrated"})
                .find("insert-ascend-quant"),
            std::string::npos);
}

TEST(SparsityPipeline, MasksHaveTheShapeOfWhatIsLeft) {
  EXPECT_NE(Net()
                .Error("mask-weights", {"channels-pruned"})
                .find("mask_shape is [2,4,1,1], the weight has [2,8,1,1]"),
            std::string::npos);
}

TEST(SparsityPipeline, TheProofFailsWhereThePatternIsBroken) {
  const std::vector<std::string> assume = {"sparsity-applied"};
  EXPECT_NE(Net()
                .Error("check-n-m{layers=[last]}", assume)
                .find("the group of weights that begins at element 0 has fewer than 2 zeros of 4"),
            std::string::npos);
  EXPECT_NE(Net().Error("check-n-m{layers=[lst]}", assume).find("the model has no layer 'lst'"),
            std::string::npos);
  EXPECT_NE(Net().Error("check-n-m{layers=[last],n=4}", assume).find("n is 4 and m is 4"),
            std::string::npos);
}

TEST(SparsityPipeline, WithoutARecordItSaysSo) {
  Net net;
  const auto report = RunWith(net.model(), "prune-channels", {});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(FormatError(report.status()).find("needs a record"), std::string::npos);
}

}  // namespace
}  // namespace lathe::passes
