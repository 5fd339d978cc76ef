// Models for the tests of reader and writer, made with onnx's own protobuf classes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/frontends/onnx/import.h"

namespace lathe::test {

// From protobuf's text format.
onnx::ModelProto ParseModel(const std::string& text);
// A model of IR version 10 and operator set 21 with this main graph (text format).
onnx::ModelProto ModelWithGraph(const std::string& graph);

struct NamedModel {
  std::string name;
  onnx::ModelProto proto;
};

// Between them: every element type in raw_data and in its typed field, every value type, every
// kind of attribute, bodies with captures of captures, functions, sparse tensors, initializers that
// are inputs, omitted operands, notes everywhere.
const std::vector<NamedModel>& GeneratedModels();

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline StatusOr<std::unique_ptr<ir::Model>> ImportText(std::string_view message) {
  return frontends::ImportOnnxBytes(BytesOf(message), "test.onnx");
}
inline StatusOr<std::unique_ptr<ir::Model>> Import(const onnx::ModelProto& proto) {
  return ImportText(proto.SerializeAsString());
}

// The message of the error that importing gives; empty when there is none.
inline std::string ImportError(const onnx::ModelProto& proto) {
  const auto model = Import(proto);
  return model.ok() ? "" : FormatError(model.status());
}

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lathe-onnx-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace lathe::test
