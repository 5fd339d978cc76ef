#include "lathe/tools/commands/data_options.h"

#include <array>

#include <CLI/CLI.hpp>

#include "lathe/ir/input_spec.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/interrupt.h"

namespace lathe::tools {
namespace {

// One number stands for all three channels.
StatusOr<std::array<float, 3>> PerChannel(std::string_view option, const std::vector<float>& values,
                                          float absent) {
  if (values.empty()) return std::array<float, 3>{absent, absent, absent};
  if (values.size() == 1) return std::array<float, 3>{values[0], values[0], values[0]};
  if (values.size() == 3) return std::array<float, 3>{values[0], values[1], values[2]};
  return UsageError(InvalidInput("{} takes one number or three, not {}", option, values.size()));
}

}  // namespace

void AddDataArguments(CLI::App& command, DataArguments& arguments) {
  command
      .add_option("-d,--data", arguments.data,
                  "Data: FILE.npy (one a batch), FILE.npz (one a batch, arrays named by input) or "
                  "NAME=GLOB (once an input)")
      ->type_name("DATA");
  command.add_option("--images", arguments.images, "A folder of JPEG and PNG images instead of -d")
      ->type_name("DIR");
  command
      .add_option("--mean", arguments.mean,
                  "Subtracted from image samples (0 to 255); one number or three")
      ->delimiter(',')
      ->type_name("M");
  command.add_option("--std", arguments.std_deviation, "Divides image samples after --mean")
      ->delimiter(',')
      ->type_name("S");
  command
      .add_option("--layout", arguments.layout, "Layout of the image input: nchw (default) or nhwc")
      ->check(CLI::IsMember({"nchw", "nhwc"}));
  command
      .add_option("--batch", arguments.batch,
                  "Images a batch (default: the input's first dimension, or 1)")
      ->check(CLI::PositiveNumber);
}

Status CheckDataArguments(const DataArguments& arguments) {
  if (arguments.data.empty() && arguments.images.empty()) {
    return UsageError(InvalidInput("data is missing: give -d or --images"));
  }
  if (!arguments.images.empty()) {
    if (arguments.data.empty()) return OkStatus();
    return UsageError(InvalidInput("-d and --images cannot be given together"));
  }
  std::string_view unused;
  if (!arguments.mean.empty()) unused = "--mean";
  if (!arguments.std_deviation.empty()) unused = "--std";
  if (!arguments.layout.empty()) unused = "--layout";
  if (arguments.batch != 0) unused = "--batch";
  if (unused.empty()) return OkStatus();
  return UsageError(InvalidInput("{} is for --images, which is not given", unused));
}

StatusOr<std::unique_ptr<frontends::BatchSource>> OpenData(const DataArguments& arguments,
                                                           const ir::Model& model,
                                                           const GlobalOptions& global) {
  frontends::DataOptions options;
  options.arguments = arguments.data;
  if (!arguments.images.empty()) {
    frontends::ImageOptions images;
    images.directory = arguments.images;
    LATHE_ASSIGN_OR_RETURN(images.normalization.mean, PerChannel("--mean", arguments.mean, 0.0f));
    LATHE_ASSIGN_OR_RETURN(images.normalization.std,
                           PerChannel("--std", arguments.std_deviation, 1.0f));
    images.channels_last = arguments.layout == "nhwc";
    images.batch = arguments.batch;
    options.images = std::move(images);
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::InputSpec> specs,
                         ir::InputSpecs(model.graph(), global.shapes));
  return frontends::OpenBatches(options, specs);
}

flows::RunControl MakeRunControl(const GlobalOptions& global, Progress& progress) {
  flows::RunControl control;
  control.threads = global.threads;
  control.input_shapes = global.shapes;
  control.progress = [&progress](std::string_view stage, size_t done, size_t total) {
    progress.Update(stage, done, total);
  };
  control.interrupted = Interrupted;
  return control;
}

}  // namespace lathe::tools
