#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/frontends/onnx/import.h"
#include "lathe/passes/core/plugin_build.h"
#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string PluginPath(const std::string& name) {
  return std::string(LATHE_BINARY_DIR) + "/tests/tools/plugins/" + name + ".so";
}

// y = x²
void WriteSquare(const std::string& path) {
  passes::GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Init("two", {}, 2)}));
  Write(net.model(), path);
}

TEST(Plugin, ItsPassesRunAmongOthers) {
  const TestFolder folder;
  WriteSquare(folder / "a.onnx");
  const LatheResult result = RunLathe(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes",
               "eliminate-identity,fixpoint(pow-to-mul,eliminate-dead-nodes)", "--load-plugin",
               PluginPath("pow_to_mul_plugin"), "--verify-each", "--check-changed"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("pow-to-mul            changed in 1 of 2 rounds: squares 1\n"));
  const auto model = frontends::ImportOnnx(folder / "b.onnx");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(passes::Listing((*model)->graph()), "y = Mul(x, x)\nreturn y\n");
}

TEST(Plugin, ARelativePathIsOneOfThisFolder) {
  const TestFolder folder;
  std::filesystem::copy_file(PluginPath("pow_to_mul_plugin"), folder / "p.so");
  const LatheResult result = RunLathe(folder, {"opt", "--passes", "pow-to-mul{skip=[a]}",
                                               "--print-pipeline", "--load-plugin", "p.so"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "pow-to-mul{skip=[a]}\n");
}

TEST(Plugin, PassesListsAndDescribesThem) {
  const TestFolder folder;
  const std::string plugin = PluginPath("pow_to_mul_plugin");
  const LatheResult all = RunLathe(folder, {"passes", "--load-plugin", plugin});
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("\npow-to-mul "));
  EXPECT_THAT(all.out, HasSubstr("\nfuse-conv-bn "));
  const LatheResult one = RunLathe(folder, {"passes", "pow-to-mul", "--load-plugin", plugin});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("pow-to-mul: Replace Pow(x, 2) by Mul(x, x)\n"));
  EXPECT_EQ(RunLathe(folder, {"passes", "pow-to-mul"}).status, 2);
}

TEST(Plugin, APluginTwiceHasItsNamesTwice) {
  const TestFolder folder;
  const std::string plugin = PluginPath("pow_to_mul_plugin");
  const LatheResult result =
      RunLathe(folder, {"passes", "--load-plugin", plugin, "--load-plugin", plugin});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "lathe: error: " + plugin + ": there is already a pass 'pow-to-mul'\n");
}

TEST(Plugin, FilesThatAreNone) {
  const TestFolder folder;
  const auto error = [&](const std::string& file) {
    const LatheResult result = RunLathe(folder, {"passes", "--load-plugin", file});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_EQ(error("missing.so"),
            "lathe: error: missing.so: cannot be loaded: cannot open shared object file: No such "
            "file or directory\n");
  WriteFile(folder / "text.so", "no library");
  EXPECT_EQ(error("text.so"), "lathe: error: text.so: cannot be loaded: file too short\n");
  WriteFile(folder / "long.so", std::string(10000, 'x'));
  EXPECT_EQ(error("long.so"), "lathe: error: long.so: cannot be loaded: invalid ELF header\n");
  EXPECT_EQ(error(""), "lathe: error: the name of a plugin is empty\n");
  const std::string unrelated = PluginPath("no_plugin");
  EXPECT_EQ(error(unrelated), "lathe: error: " + unrelated +
                                  ": has no function LathePassPlugin: it is no plugin of Lathe\n");
}

class OddPlugin : public testing::Test {
 protected:
  ~OddPlugin() override { unsetenv("LATHE_ODD_PLUGIN"); }

  std::string ErrorOf(const char* fault) {
    if (fault != nullptr) setenv("LATHE_ODD_PLUGIN", fault, 1);
    const LatheResult result = RunLathe(folder, {"passes", "--load-plugin", path});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("lathe: error: " + path + ": "));
    return result.err.substr(result.err.find(path) + path.size() + 2);
  }

  TestFolder folder;
  std::string path = PluginPath("odd_plugin");
};

TEST_F(OddPlugin, OfAnotherBuildIsRefused) {
  EXPECT_EQ(ErrorOf("interface"),
            "was built for version 2 of the plugin interface, this program has version 1: build "
            "it against this Lathe\n");
  const std::string own = passes::kPluginBuild;
  EXPECT_THAT(own, StartsWith("Lathe 0."));
  EXPECT_EQ(ErrorOf("build"), "was built with 'Lathe 0.0.1', this program with '" + own +
                                  "': build both with the same\n");
  EXPECT_EQ(ErrorOf("no build"),
            "was built with '', this program with '" + own + "': build both with the same\n");
  EXPECT_EQ(ErrorOf("layout"),
            "was built from other headers of Lathe than this program: build it again\n");
}

TEST_F(OddPlugin, ThatAddsNothingOrFails) {
  EXPECT_EQ(ErrorOf(nullptr), "LathePassPlugin returns null\n");
  EXPECT_EQ(ErrorOf("empty"), "adds nothing: add_passes is null\n");
  EXPECT_EQ(ErrorOf("throws"), "threw: no mood\n");
  EXPECT_EQ(ErrorOf("taken"), "there is already a pass 'fuse-conv-bn'\n");
}

}  // namespace
}  // namespace lathe::tools
