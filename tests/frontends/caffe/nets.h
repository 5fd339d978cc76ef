// Small Caffe nets as texts, and what reading them gives.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "lathe/frontends/caffe/import.h"
#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/ir/schema/verify_operators.h"
#include "lathe/ir/verifier.h"
#include "lathe/proto/caffe.pb.h"

namespace lathe::test {

// The two files of a net, in a folder that goes with it.
class NetFiles {
 public:
  NetFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "lathe-caffe-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~NetFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  NetFiles(const NetFiles&) = delete;
  NetFiles& operator=(const NetFiles&) = delete;

  frontends::CaffeFiles paths() const {
    return {(folder_ / "net.prototxt").string(), (folder_ / "net.caffemodel").string()};
  }
  void Write(std::string_view prototxt, std::string_view caffemodel) const {
    WriteFile(paths().prototxt, prototxt);
    WriteFile(paths().caffemodel, caffemodel);
  }
  StatusOr<std::unique_ptr<ir::Model>> Import() const { return frontends::ImportCaffe(paths()); }
  // An error with the paths as NET and WEIGHTS.
  std::string Shortened(std::string text) const {
    for (const auto& [path, name] :
         {std::pair(paths().prototxt, "NET"), std::pair(paths().caffemodel, "WEIGHTS")}) {
      for (size_t at = text.find(path); at != std::string::npos; at = text.find(path)) {
        text.replace(at, path.size(), name);
      }
    }
    return text;
  }

 private:
  static void WriteFile(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::filesystem::path folder_;
};

// The caffemodel of a net in text form; one layer at least, so that the file is one.
inline std::string CaffeModelOf(const std::string& text) {
  LatheCaffe::NetParameter net;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &net));
  if (net.layer_size() == 0 && net.layers_size() == 0) net.add_layer()->set_name("none");
  return net.SerializeAsString();
}

inline StatusOr<std::unique_ptr<ir::Model>> ImportNet(const std::string& prototxt,
                                                      const std::string& weights = "") {
  const NetFiles files;
  files.Write(prototxt, CaffeModelOf(weights));
  auto model = files.Import();
  if (!model.ok()) return model;
  EXPECT_TRUE(ir::VerifyModel(**model).ok()) << FormatError(ir::VerifyModel(**model));
  EXPECT_TRUE(ir::VerifyOperators(**model).ok()) << FormatError(ir::VerifyOperators(**model));
  // What the reader says about shapes is what the operators say.
  ir::Rewriter rewriter(**model);
  const auto inferred = ir::InferShapes(rewriter, {.strict = true});
  EXPECT_TRUE(inferred.ok()) << FormatError(inferred.status());
  return model;
}

// "" when the net is read.
inline std::string ImportError(const std::string& prototxt, const std::string& weights = "") {
  const NetFiles files;
  files.Write(prototxt, CaffeModelOf(weights));
  const auto model = files.Import();
  return model.ok() ? "" : files.Shortened(FormatError(model.status()));
}

// "conv1 = Conv(data) -> conv1; ..." of every node: name, operator, inputs that are no constants,
// outputs.
inline std::string Nodes(const ir::Model& model) {
  std::string text;
  for (const ir::Node& node : model.graph().nodes()) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} = {}(", node.name_text(), node.op_text());
    std::string separator;
    for (const ir::Use& use : node.inputs()) {
      if (use.value() == nullptr || use.value()->tensor()) continue;
      text += separator + std::string(use.value()->name_text());
      separator = ", ";
    }
    text += ") ->";
    for (const ir::Value* value : node.outputs()) text += fmt::format(" {}", value->name_text());
  }
  return text;
}

inline std::vector<std::string> Outputs(const ir::Model& model) {
  std::vector<std::string> names;
  for (const ir::Use& use : model.graph().outputs()) names.emplace_back(use.value()->name_text());
  return names;
}

inline std::vector<std::string> Inputs(const ir::Model& model) {
  std::vector<std::string> names;
  for (const ir::Value* value : model.graph().inputs()) names.emplace_back(value->name_text());
  return names;
}

}  // namespace lathe::test
