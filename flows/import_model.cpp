#include "lathe/flows/import_model.h"

#include "lathe/frontends/caffe/import.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

bool IsCaffeFile(std::string_view path) {
  return path.ends_with(".prototxt") || path.ends_with(".caffemodel");
}

}  // namespace

bool IsCaffeNet(const std::string& argument) {
  return frontends::SplitCaffeFiles(argument).has_value();
}

std::vector<std::string> FilesOf(const std::string& argument) {
  if (const auto files = frontends::SplitCaffeFiles(argument)) {
    return {files->prototxt, files->caffemodel};
  }
  return {argument};
}

StatusOr<std::unique_ptr<ir::Model>> ImportModel(const std::string& argument) {
  if (const auto files = frontends::SplitCaffeFiles(argument)) {
    return frontends::ImportCaffe(*files);
  }
  if (IsCaffeFile(argument)) {
    return WithContext(WithContext(InvalidInput("is one of the two files of a Caffe net"),
                                   ErrorContext::kFile, argument),
                       ErrorContext::kHint, "give both, as NET.prototxt,WEIGHTS.caffemodel");
  }
  return frontends::ImportOnnx(argument);
}

Status RefuseCaffeOutput(const std::string& path) {
  if (!IsCaffeFile(path)) return OkStatus();
  return WithContext(Unsupported("{}: Caffe nets are read, not written", Quoted(path)),
                     ErrorContext::kHint, "models that come from Caffe are written as ONNX");
}

}  // namespace lathe::flows
