#include "lathe/frontends/caffe/import.h"

#include "lathe/frontends/caffe/internal/caffemodel.h"
#include "lathe/frontends/caffe/internal/choose_layers.h"
#include "lathe/frontends/caffe/internal/link_net.h"
#include "lathe/frontends/caffe/internal/net_builder.h"
#include "lathe/support/text_file.h"

namespace lathe::frontends {
namespace {

StatusOr<std::unique_ptr<ir::Model>> Read(const CaffeFiles& files) {
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(files.prototxt));
  LATHE_ASSIGN_OR_RETURN(caffe::Net net, caffe::ParseNet(text));
  LATHE_RETURN_IF_ERROR(caffe::ChooseLayers(net));
  LATHE_ASSIGN_OR_RETURN(const caffe::LinkedNet linked, caffe::LinkNet(std::move(net)));
  if (linked.outputs.empty()) return InvalidInput("the net has no layers that compute anything");
  LATHE_ASSIGN_OR_RETURN(const caffe::CaffeModel weights,
                         caffe::CaffeModel::Open(files.caffemodel));
  return caffe::BuildNet(linked, weights);
}

}  // namespace

std::optional<CaffeFiles> SplitCaffeFiles(std::string_view argument) {
  const size_t comma = argument.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const std::string_view prototxt = argument.substr(0, comma);
  const std::string_view caffemodel = argument.substr(comma + 1);
  const bool text = prototxt.ends_with(".prototxt") || prototxt.ends_with(".pbtxt");
  if (!text && !caffemodel.ends_with(".caffemodel")) return std::nullopt;
  return CaffeFiles{std::string(prototxt), std::string(caffemodel)};
}

StatusOr<std::unique_ptr<ir::Model>> ImportCaffe(const CaffeFiles& files) {
  auto model = Read(files);
  if (model.ok()) return model;
  return WithContext(model.status(), ErrorContext::kFile, files.prototxt);
}

}  // namespace lathe::frontends
