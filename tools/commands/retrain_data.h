// What the commands of training share: data for ranges and shifts, and searchN layers.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "lathe/flows/retrain_model.h"
#include "lathe/quant/search_n.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/global_options.h"
#include "lathe/tools/progress.h"

namespace lathe::tools {

// What a flow may run the network on, when data is given.
class RetrainDataSource {
 public:
  // `arguments` and `global` must outlive it.
  static StatusOr<std::unique_ptr<RetrainDataSource>> Open(const DataArguments& arguments,
                                                           const GlobalOptions& global);

  // Null without data.
  const flows::RetrainData* get() const { return engine_ == nullptr ? nullptr : &retrain_; }

 private:
  RetrainDataSource() = default;

  Progress progress_;
  std::unique_ptr<eval::Engine> engine_;
  flows::RetrainData retrain_;
};

// --searchn-version 1|2.
void AddSearchNOption(CLI::App& part, std::optional<quant::SearchNVersion>& version,
                      const std::string& what);

}  // namespace lathe::tools
