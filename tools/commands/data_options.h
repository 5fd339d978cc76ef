// The options that say what data a command runs on, and the model's file; shared by several
// commands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/flows/calibration.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/tools/global_options.h"
#include "lathe/tools/progress.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lathe::tools {

struct DataArguments {
  std::vector<std::string> data;
  std::string images;
  std::vector<float> mean;
  std::vector<float> std_deviation;
  std::string layout;
  int64_t batch = 0;
};

// Adds -d/--data, --images, --mean, --std, --layout and --batch.
void AddDataArguments(CLI::App& command, DataArguments& arguments);

// What is wrong with the options themselves: no data, both kinds, image options without images.
Status CheckDataArguments(const DataArguments& arguments);

// Opens the data, which CheckDataArguments found right, for the model's inputs. Errors: everything
// OpenBatches finds.
StatusOr<std::unique_ptr<frontends::BatchSource>> OpenData(const DataArguments& arguments,
                                                           const ir::Model& model,
                                                           const GlobalOptions& global);

// Threads, shapes, progress and Ctrl-C for a flow. `progress` must outlive it.
flows::RunControl MakeRunControl(const GlobalOptions& global, Progress& progress);

}  // namespace lathe::tools
