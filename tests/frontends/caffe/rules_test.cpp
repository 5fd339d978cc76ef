// Which layers of a net are read: phases, levels, stages, and what only training has.
#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

using testing::ElementsAre;

std::string Net(const std::string& rules, const std::string& state = "") {
  return state +
         "input: 'x' input_shape { dim: 1 dim: 3 }"
         "layer { name: 'always' type: 'ReLU' bottom: 'x' top: 'a' }"
         "layer { name: 'ruled' type: 'ReLU' bottom: 'x' top: 'b' " +
         rules + " }";
}

std::vector<std::string> Read(const std::string& rules, const std::string& state = "") {
  const auto model = ImportNet(Net(rules, state));
  if (!model.ok()) return {FormatError(model.status())};
  return Outputs(**model);
}

TEST(CaffeRules, Phases) {
  EXPECT_THAT(Read(""), ElementsAre("a", "b"));
  EXPECT_THAT(Read("include { phase: TEST }"), ElementsAre("a", "b"));
  EXPECT_THAT(Read("include { phase: TRAIN }"), ElementsAre("a"));
  EXPECT_THAT(Read("exclude { phase: TEST }"), ElementsAre("a"));
  EXPECT_THAT(Read("exclude { phase: TRAIN }"), ElementsAre("a", "b"));
  // One rule of several is enough.
  EXPECT_THAT(Read("include { phase: TRAIN } include { phase: TEST }"), ElementsAre("a", "b"));
  // The net is read for its use whatever it says.
  EXPECT_THAT(Read("include { phase: TRAIN }", "state { phase: TRAIN }"), ElementsAre("a"));
}

TEST(CaffeRules, LevelsAndStages) {
  EXPECT_THAT(Read("include { min_level: 1 }"), ElementsAre("a"));
  EXPECT_THAT(Read("include { min_level: 1 }", "state { level: 1 }"), ElementsAre("a", "b"));
  EXPECT_THAT(Read("include { max_level: 1 }", "state { level: 2 }"), ElementsAre("a"));
  EXPECT_THAT(Read("include { stage: 'deploy' }"), ElementsAre("a"));
  EXPECT_THAT(Read("include { stage: 'deploy' }", "state { stage: 'deploy' }"),
              ElementsAre("a", "b"));
  EXPECT_THAT(Read("include { stage: 'deploy' stage: 'x' }", "state { stage: 'deploy' }"),
              ElementsAre("a"));
  EXPECT_THAT(Read("include { not_stage: 'deploy' }", "state { stage: 'deploy' }"),
              ElementsAre("a"));
  EXPECT_THAT(Read("exclude { not_stage: 'deploy' }"), ElementsAre("a"));
}

TEST(CaffeRules, BothKindsAreAnError) {
  EXPECT_EQ(ImportError("\ninput: 'x' input_shape { dim: 1 }\n\nlayer { name: 'r' type: 'ReLU' "
                        "bottom: 'x' top: 'y' include { } exclude { } }"),
            "NET: line 4, layer 'r': the layer has both include and exclude rules");
}

TEST(CaffeRules, TrainingOnlyLayersAreLeftOut) {
  const auto model = ImportNet(
      "layer { name: 'data' type: 'MemoryData' top: 'data' top: 'label' memory_data_param { "
      "batch_size: 4 channels: 3 height: 2 width: 2 } }"
      "layer { name: 'ip' type: 'Flatten' bottom: 'data' top: 'ip' }"
      "layer { name: 'accuracy' type: 'Accuracy' bottom: 'ip' bottom: 'label' top: 'accuracy' }"
      "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }"
      "layer { name: 'quiet' type: 'Silence' bottom: 'loss' }");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_THAT(Inputs(**model), ElementsAre("data"));
  EXPECT_THAT(Outputs(**model), ElementsAre("ip"));
}

TEST(CaffeRules, LayersThatReadALossAreAnError) {
  EXPECT_EQ(ImportError("input: 'x' input_shape { dim: 1 dim: 3 }\n"
                        "layer { name: 'loss' type: 'HingeLoss' bottom: 'x' bottom: 'label' top: "
                        "'loss' }\nlayer { name: 'r' type: 'ReLU' bottom: 'loss' top: 'y' }"),
            "NET: line 3, layer 'r': bottom 'loss' is made by a layer 'HingeLoss', which only "
            "training has");
}

TEST(CaffeRules, DataLayersWithoutAShapeAreAnError) {
  EXPECT_EQ(ImportError("layer { name: 'data' type: 'Data' top: 'data' top: 'label' data_param { "
                        "source: 'lmdb' batch_size: 4 backend: LMDB } }\n"
                        "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'y' }"),
            "NET: line 1, layer 'data': a layer of type Data learns the shape of top 'data' from "
            "its data (put a layer of type Input, which says the shape, in its place)");
}

}  // namespace
}  // namespace lathe::test
