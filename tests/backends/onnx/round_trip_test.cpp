// Import and export of generated models gives the message again. Protobuf writes fields in the
// order of their numbers, as the writer does, so equal messages are equal bytes.
#include <onnx/checker.h>

#include "lathe/ir/verifier.h"
#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

class RoundTrip : public testing::TestWithParam<size_t> {
 protected:
  const NamedModel& model() const { return GeneratedModels()[GetParam()]; }
};

// What the checker says; empty when it accepts the model.
std::string CheckerError(const onnx::ModelProto& model) {
  try {
    onnx::checker::check_model(model);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST_P(RoundTrip, GivesTheSameMessage) {
  const std::string original = model().proto.SerializeAsString();
  const auto imported = ImportText(original);
  ASSERT_TRUE(imported.ok()) << FormatError(imported.status());
  const Status verified = ir::VerifyModel(**imported);
  EXPECT_TRUE(verified.ok()) << FormatError(verified);
  const auto exported = backends::SerializeOnnx(**imported);
  ASSERT_TRUE(exported.ok()) << FormatError(exported.status());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*exported));
  EXPECT_EQ(parsed.DebugString(), model().proto.DebugString());
  EXPECT_TRUE(*exported == original) << "the bytes differ";
  EXPECT_TRUE(!CheckerError(model().proto).empty() || CheckerError(parsed).empty());
}

TEST_P(RoundTrip, ACloneGivesTheSameMessage) {
  const std::string original = model().proto.SerializeAsString();
  const auto imported = ImportText(original);
  ASSERT_TRUE(imported.ok()) << FormatError(imported.status());
  const auto clone = (*imported)->Clone();
  const auto exported = backends::SerializeOnnx(*clone);
  ASSERT_TRUE(exported.ok()) << FormatError(exported.status());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*exported));
  EXPECT_EQ(parsed.DebugString(), model().proto.DebugString());
  EXPECT_TRUE(*exported == original) << "the bytes differ";
}

TEST_P(RoundTrip, ThroughFilesGivesTheSameBytesTwice) {
  const TemporaryFolder folder;
  const std::string original = model().proto.SerializeAsString();
  WriteFile(folder / "a.onnx", original);
  for (const auto& [from, to] : {std::pair("a.onnx", "b.onnx"), std::pair("b.onnx", "c.onnx")}) {
    const auto imported = frontends::ImportOnnx(folder / from);
    ASSERT_TRUE(imported.ok()) << FormatError(imported.status());
    const Status status = backends::ExportOnnx(**imported, folder / to);
    ASSERT_TRUE(status.ok()) << FormatError(status);
    EXPECT_TRUE(ReadFile(folder / to) == original) << to << " differs";
  }
}

INSTANTIATE_TEST_SUITE_P(Generated, RoundTrip, testing::Range(size_t{0}, GeneratedModels().size()),
                         [](const auto& test) { return GeneratedModels()[test.param].name; });

// What the checker accepts at all, so that the tests above say something.
TEST(RoundTripModels, TheCheckerAcceptsThese) {
  std::vector<std::string> accepted;
  std::string reasons;
  for (const NamedModel& model : GeneratedModels()) {
    const std::string error = CheckerError(model.proto);
    if (error.empty()) accepted.push_back(model.name);
    reasons += model.name + ": " + error + "\n";
  }
  EXPECT_THAT(accepted, testing::ElementsAre("small", "raw_element_types", "typed_element_types",
                                             "complete_nested_bodies", "complete_functions",
                                             "complete_sparse_tensors", "complete_odd_value_info",
                                             "complete_omitted_operands"))
      << reasons;
}

}  // namespace
}  // namespace lathe::test
