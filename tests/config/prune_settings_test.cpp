#include "lathe/quant/config/prune_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/config/small_network.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;

std::string Names(const AmctPruneConfig& config) {
  const auto settings = ResolvePruneSettings(config, test::SmallNetwork());
  if (!settings.ok()) return FormatError(settings.status());
  std::string names;
  for (const PruneLayerSettings& layer : settings->layers) {
    names += (names.empty() ? "" : " ") + layer.name;
    if (const auto* filter = std::get_if<FilterPruneConfig>(&layer.method)) {
      names += fmt::format(":{}", filter->ratio);
    } else {
      names += ":nm";
    }
  }
  return names;
}

AmctPruneConfig Filters(double ratio = 0.5) {
  AmctPruneConfig config;
  config.method = FilterPruneConfig{ratio, true};
  return config;
}

TEST(PruneSettings, TypesThatCan) {
  EXPECT_EQ(Names(Filters()), "stem:0.5 body.conv:0.5 body.dw:0.5 fc1:0.5 fc2:0.5");
  AmctPruneConfig selective;
  selective.method = SelectivePruneConfig{};
  EXPECT_EQ(Names(selective), "stem:nm body.conv:nm body.dw:nm up2d:nm fc1:nm fc2:nm");
}

TEST(PruneSettings, NameBeforeTypeBeforeAll) {
  AmctPruneConfig config = Filters();
  config.override_layer_types = {{"Linear", FilterPruneConfig{0.25, false}}};
  config.override_layer_configs = {{"fc2", SelectivePruneConfig{}}};
  EXPECT_EQ(Names(config), "stem:0.5 body.conv:0.5 body.dw:0.5 fc1:0.25 fc2:nm");
  config.method.reset();
  EXPECT_EQ(Names(config), "fc1:0.25 fc2:nm");
}

TEST(PruneSettings, SkipsWin) {
  AmctPruneConfig config = Filters();
  config.skip_layers = {"stem"};
  config.regular_prune_skip_layers = {"fc1"};
  config.regular_prune_skip_types = {"MatMul"};
  config.override_layer_configs = {{"stem", FilterPruneConfig{0.3, true}}};
  EXPECT_EQ(Names(config), "body.conv:0.5 body.dw:0.5");
  const auto settings = ResolvePruneSettings(config, test::SmallNetwork());
  EXPECT_THAT(settings->notes, ElementsAre("layer 'stem' is skipped: override_layer_configs "
                                           "'stem' has no effect on pruning"));
}

TEST(PruneSettings, Errors) {
  EXPECT_EQ(Names(Filters(1)), "prune_config: prune_ratio is 1.0, it must be above 0 and below 1");
  EXPECT_EQ(Names(Filters(-0.5)),
            "prune_config: prune_ratio is -0.5, it must be above 0 and below 1");
  AmctPruneConfig config;
  config.method = SelectivePruneConfig{1, 1, 0};
  EXPECT_EQ(Names(config), "prune_config: m is 1, it must be from 2 to 1024");
  config.method = SelectivePruneConfig{4, 4, 0};
  EXPECT_EQ(Names(config), "prune_config: n is 4, it must be above 0 and below m, which is 4");
  config = Filters();
  config.override_layer_configs = {{"up2d", FilterPruneConfig{0.5, true}}};
  EXPECT_EQ(Names(config),
            "override_layer_configs 'up2d', prune_config: layer 'up2d': ConvTranspose2d cannot "
            "lose output channels, Conv2d and Linear can");
  config.override_layer_configs = {{"conv1d", SelectivePruneConfig{}}};
  EXPECT_EQ(Names(config),
            "override_layer_configs 'conv1d', prune_config: layer 'conv1d': Conv1d cannot lose "
            "single weights, Conv2d, ConvTranspose2d and Linear can");
  config.override_layer_configs = {{"stem", FilterPruneConfig{2, true}}};
  EXPECT_EQ(Names(config),
            "override_layer_configs 'stem', prune_config: prune_ratio is 2.0, it must be above 0 "
            "and below 1");
  config = Filters();
  config.regular_prune_skip_layers = {"stm"};
  EXPECT_EQ(
      Names(config),
      "regular_prune_skip_layers: the model has no layer 'stm' (did you mean 'stem' or 'lstm'?)");
  config = Filters();
  config.skip_layer_types = {"Conv2d", "Linear"};
  EXPECT_EQ(Names(config),
            "no layer of the model is to be pruned: every layer that can be is skipped, or there "
            "is none");
}

}  // namespace
}  // namespace lathe::quant
