// Random networks: what is left after pruning computes what the whole network does when nobody
// looks at the channels that went.
#include <algorithm>

#include <gtest/gtest.h>

#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/ir/verifier.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/cut_channels.h"
#include "lathe/passes/sparsity/prune_plan.h"
#include "lathe/quant/config/prune_record.h"
#include "lathe/tests/passes/sparsity/network_runner.h"
#include "lathe/tests/passes/sparsity/random_network.h"

namespace lathe::passes {
namespace {

quant::PruneSettings AllLayers(const ir::Model& model, double ratio, bool aligned) {
  quant::AmctPruneConfig config;
  config.method = quant::FilterPruneConfig{ratio, aligned};
  const auto settings = quant::ResolvePruneSettings(config, DescribeNetwork(ScanLayers(model)));
  EXPECT_TRUE(settings.ok()) << FormatError(settings.status());
  return *settings;
}

// Zeros in the columns of consumers' weights for channels that go: nobody sees those any more.
void Blind(ir::Model& model, const quant::Record& record) {
  ir::Rewriter rewriter(model);
  for (const quant::PruneRecord& prune : record.prune_records) {
    for (const quant::PruneNode& entry : prune.consumers) {
      const quant::PruneSlot slot = *quant::ReadPruneSlot(entry);
      for (ir::Node& node : model.graph().nodes()) {
        if (node.name_text() != slot.name) continue;
        if (!node.Is("Conv") && !node.Is("Gemm") && !node.Is("MatMul")) continue;
        const ir::Tensor weight = node.input(1)->ConstantTensor();
        const auto dims = weight.dims();
        const int64_t group = node.IntAttribute("group", 1);
        // What a depthwise layer makes of a channel is seen by others.
        if (node.Is("Conv") && group > 1 && dims[1] == 1) continue;
        std::vector<float> values = *weight.ValuesAsFloat();
        const bool in_first =
            node.Is("MatMul") || (node.Is("Gemm") && node.IntAttribute("transB", 0) == 0);
        const int64_t inner = weight.num_elements() / (dims[0] * dims[1]);
        for (int64_t i = 0; i < weight.num_elements(); ++i) {
          const int64_t row = i / inner / dims[1];
          const int64_t column = i / inner % dims[1];
          const int64_t channel = in_first ? row : column + row / (dims[0] / group) * dims[1];
          if (std::ranges::binary_search(slot.prune_index, channel)) {
            values[static_cast<size_t>(i)] = 0;
          }
        }
        SetConstantInput(rewriter, node, 1, FloatTensor(weight.element_type(), dims, values));
      }
    }
  }
}

struct Outcome {
  int64_t pruned = 0;
  size_t groups = 0;
};

Outcome PruneAndCompare(uint32_t seed, PruneReach reach) {
  Outcome outcome;
  RandomNetwork net(seed);
  const ir::Tensor input = net.RandomInput();
  ir::Model& model = net.model();
  ir::Rewriter rewriter(model);
  const auto inferred = ir::InferShapes(rewriter);
  EXPECT_TRUE(inferred.ok() && inferred->conflicts.empty()) << "seed " << seed;
  const double ratio = 0.1 + 0.8 * (seed % 7) / 7;
  const auto plan = PlanPruning(model, AllLayers(model, ratio, seed % 5 == 0), reach);
  if (!plan.ok()) {
    ADD_FAILURE() << "seed " << seed << ": " << FormatError(plan.status());
    return outcome;
  }
  quant::Record record;
  record.prune_records = plan->records;
  const std::unique_ptr<ir::Model> blind = model.Clone();
  Blind(*blind, record);
  const auto want = NetworkRunner(*blind).Run(input);
  EXPECT_TRUE(want.ok()) << "seed " << seed << ": " << FormatError(want.status());
  const auto cut = CutChannels(rewriter, record);
  EXPECT_TRUE(cut.ok()) << "seed " << seed << ": " << FormatError(cut.status());
  if (!want.ok() || !cut.ok()) return outcome;
  EXPECT_TRUE(ir::VerifyModel(model).ok()) << "seed " << seed;
  const auto got = NetworkRunner(model).Run(input);
  EXPECT_TRUE(got.ok()) << "seed " << seed << ": " << FormatError(got.status());
  if (!got.ok()) return outcome;
  EXPECT_EQ(want->size(), got->size());
  for (size_t i = 0; i < want->size(); ++i) {
    const std::vector<float> a = *(*want)[i].ValuesAsFloat();
    const std::vector<float> b = *(*got)[i].ValuesAsFloat();
    EXPECT_EQ(a, b) << "seed " << seed << ", output " << i;
  }
  outcome.pruned = plan->pruned;
  outcome.groups = plan->records.size();
  return outcome;
}

void Fuzz(uint32_t first, uint32_t count, PruneReach reach, double at_least) {
  uint32_t pruned = 0;
  for (uint32_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed) {
    pruned += PruneAndCompare(seed, reach).pruned > 0 ? 1 : 0;
  }
  // Most networks lose something, or the fuzzer would prove nothing.
  EXPECT_GT(pruned, at_least * count);
}

TEST(PruneFuzz, Reference) { Fuzz(1, 700, PruneReach::kReference, 0.4); }
TEST(PruneFuzz, Full) { Fuzz(10001, 1300, PruneReach::kFull, 0.6); }

}  // namespace
}  // namespace lathe::passes
