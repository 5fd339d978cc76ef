#include "lathe/support/status.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Status, FormatNamesFileNodePassAndHint) {
  Status status = InvalidInput("weight has {} dims", 3);
  status = WithContext(status, ErrorContext::kHint, "use a 2-D weight");
  status = WithContext(status, ErrorContext::kNode, "fc");
  status = WithContext(status, ErrorContext::kPass, "fuse-conv-bn");
  status = WithContext(status, ErrorContext::kFile, "net.onnx");
  EXPECT_EQ(FormatError(status),
            "net.onnx: node 'fc': pass fuse-conv-bn: weight has 3 dims (use a 2-D weight)");
}

TEST(Status, InnermostContextWins) {
  Status status = WithContext(InvalidInput("bad"), ErrorContext::kNode, "inner");
  status = WithContext(status, ErrorContext::kNode, "outer");
  EXPECT_EQ(GetContext(status, ErrorContext::kNode), "inner");
}

TEST(Status, OkStaysOk) { EXPECT_TRUE(WithContext(OkStatus(), ErrorContext::kNode, "n").ok()); }

}  // namespace
}  // namespace lathe
