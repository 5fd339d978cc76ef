// Runs a pipeline of small passes of its own under observers.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "lathe/passes/core/pass_manager.h"
#include "lathe/tests/passes/core/sample_passes.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {

inline StatusOr<bool> AddRelu(PassContext& context) {
  ir::NodeSpec spec;
  spec.op = "Relu";
  spec.name = "added";
  spec.inputs = {context.model().graph().inputs()[0]};
  spec.outputs = {"added"};
  ir::Node& node = context.rewriter().CreateNode(context.model().graph(), nullptr, std::move(spec));
  context.rewriter().SetOrigin(node, context.model().OriginOf(node.name()));
  return true;
}

// The model is x → Relu "act" → output. Passes: idle; add-relu; busy, which claims to have changed
// something; failing.
class ObservedRun : public testing::Test {
 protected:
  ObservedRun() {
    builder.Output(builder.Op("Relu", "act", {builder.Input("x")}));
    Add(Sample("idle"));
    Add(Sample("busy", ClaimChange));
    Add(Sample("add-relu", AddRelu));
    Add(Sample("failing", [](PassContext& context) -> StatusOr<bool> {
      LATHE_RETURN_IF_ERROR(AddRelu(context).status());
      return InvalidInput("no luck");
    }));
  }
  ~ObservedRun() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  void Add(PassDescriptor pass) {
    const Status status = registry.Add(std::move(pass));
    ASSERT_TRUE(status.ok()) << FormatError(status);
  }

  // What went wrong, or nothing.
  std::string Run(std::string_view pipeline, std::vector<PassObserver*> observers) {
    PassManagerOptions options;
    options.observers = std::move(observers);
    options.interrupted = [this] { return interrupted; };
    const auto report = RunPipeline(builder.model(), pipeline, registry, {}, std::move(options));
    return FormatError(report.status());
  }

  // A folder of the test's own.
  std::string Folder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("lathe_") + test->name() + "_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    return folder_.string();
  }

  // Files of the folder and their contents.
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files[entry.path().lexically_relative(folder_).string()] = text.str();
    }
    return files;
  }

  GraphBuilder builder;
  PassRegistry registry;
  bool interrupted = false;

 private:
  std::filesystem::path folder_;
};

}  // namespace lathe::passes
