// Writes the model, or what a pass did to it, while a pipeline runs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/observer.h"

namespace lathe::passes {

struct PrintModelOptions {
  // At which passes: globs (see GlobMatches) of their names.
  std::vector<std::string> before;
  std::vector<std::string> after;
  // Only when the text is another one than before the pass, and then the lines that differ.
  std::vector<std::string> changes;
  // Which nodes: globs of their names and of the names of the original nodes they stand for. One
  // line a node. Empty: the whole model, large weights elided.
  std::vector<std::string> nodes;
  // Where to: a file for each text, in a folder for each group of passes:
  // FOLDER/02-round1-fixpoint/01-fuse-conv-bn.before.txt (.after.txt, .diff). Empty: to the sink.
  std::string folder;
};

class PrintModelObserver : public PassObserver {
 public:
  // The sink gets whole texts, each with a line that says where in the run it was taken.
  PrintModelObserver(PrintModelOptions options, std::function<void(std::string_view)> sink)
      : options_(std::move(options)), sink_(std::move(sink)) {}

  void GroupStarts(const GroupPoint& point) override;
  void GroupEnds(const GroupPoint& point) override;
  // O(size of the model without its weights) at each pass that a glob names. Errors: a file cannot
  // be written; a weight file was shortened.
  Status BeforePass(const PassPoint& point) override;
  Status AfterPass(const PassPoint& point, const PassReport& report) override;

 private:
  StatusOr<std::string> Text(const ir::Model& model) const;
  Status Write(const PassPoint& point, std::string_view what, std::string_view ending,
               std::string_view text) const;

  PrintModelOptions options_;
  std::function<void(std::string_view)> sink_;
  // Folders of the groups that run.
  std::vector<std::string> groups_;
  // Before the pass that runs, if its changes are asked for.
  std::string text_before_;
};

}  // namespace lathe::passes
