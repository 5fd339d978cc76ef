// Import and export of real models, message by message.
#include <onnx/checker.h>

#include "lathe/ir/verifier.h"
#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

std::filesystem::path SharedFolder() {
  const char* shared = std::getenv("LATHE_SHARED_DIR");
  return shared != nullptr ? shared : std::filesystem::path(LATHE_SOURCE_DIR) / ".." / "shared";
}

std::vector<std::string> SharedModels() {
  std::vector<std::string> paths;
  for (const char* part : {"models", "golden"}) {
    std::error_code ignored;
    using Iterator = std::filesystem::recursive_directory_iterator;
    for (const auto& entry : Iterator(SharedFolder() / part, ignored)) {
      if (entry.path().extension() == ".onnx") paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool PassesChecker(const onnx::ModelProto& model) {
  try {
    onnx::checker::check_model(model);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

TEST(SharedModels, ComeOutAsTheyWentIn) {
  const std::vector<std::string> paths = SharedModels();
  if (paths.empty()) {
    GTEST_SKIP() << "NOT TESTED: no models in " << SharedFolder()
                 << "; set LATHE_SHARED_DIR to the folder that holds models/ and golden/";
  }
  const TemporaryFolder folder;
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const auto imported = frontends::ImportOnnx(path);
    ASSERT_TRUE(imported.ok()) << FormatError(imported.status());
    const Status verified = ir::VerifyModel(**imported);
    EXPECT_TRUE(verified.ok()) << FormatError(verified);
    ASSERT_TRUE(backends::ExportOnnx(**imported, folder / "first.onnx").ok());
    onnx::ModelProto original, exported;
    ASSERT_TRUE(original.ParseFromString(ReadFile(path)));
    const std::string first = ReadFile(folder / "first.onnx");
    ASSERT_TRUE(exported.ParseFromString(first));
    EXPECT_TRUE(exported.SerializeAsString() == original.SerializeAsString()) << "messages differ";
    EXPECT_TRUE(!PassesChecker(original) || PassesChecker(exported));

    const auto again = frontends::ImportOnnx(folder / "first.onnx");
    ASSERT_TRUE(again.ok()) << FormatError(again.status());
    ASSERT_TRUE(backends::ExportOnnx(**again, folder / "second.onnx").ok());
    EXPECT_TRUE(ReadFile(folder / "second.onnx") == first) << "the second export differs";

    const auto clone = backends::SerializeOnnx(*(*imported)->Clone());
    ASSERT_TRUE(clone.ok());
    EXPECT_TRUE(*clone == first) << "a clone differs";
  }
}

}  // namespace
}  // namespace lathe::test
