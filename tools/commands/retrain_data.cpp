#include "lathe/tools/commands/retrain_data.h"

#include "lathe/runtime/openvino/engine.h"

namespace lathe::tools {

StatusOr<std::unique_ptr<RetrainDataSource>> RetrainDataSource::Open(const DataArguments& arguments,
                                                                     const GlobalOptions& global) {
  std::unique_ptr<RetrainDataSource> data(new RetrainDataSource);
  if (arguments.data.empty() && arguments.images.empty()) return data;
  LATHE_RETURN_IF_ERROR(CheckDataArguments(arguments));
  data->engine_ = runtime::MakeOpenVinoEngine();
  data->retrain_ = {
      [&arguments, &global](const ir::Model& model) { return OpenData(arguments, model, global); },
      data->engine_.get(), MakeRunControl(global, data->progress_)};
  return data;
}

void AddSearchNOption(CLI::App& part, std::optional<quant::SearchNVersion>& version,
                      const std::string& what) {
  part.add_option_function<int>(
          "--searchn-version",
          [&version](int number) {
            version = number == 1 ? quant::SearchNVersion::kV1 : quant::SearchNVersion::kV2;
          },
          what)
      ->check(CLI::IsMember({1, 2}))
      ->type_name("VERSION");
}

}  // namespace lathe::tools
