// Uses the installed headers and libraries only.
#include <cstdio>

#include "lathe/support/status.h"

int main() {
  const lathe::Status status = lathe::WithContext(lathe::InvalidInput("weight has {} dims", 3),
                                                  lathe::ErrorContext::kFile, "net.onnx");
  std::puts(lathe::FormatError(status).c_str());
}
