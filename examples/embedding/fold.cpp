#include <cstdio>

#include <lathe/backends/onnx/export.h>
#include <lathe/frontends/onnx/import.h>
#include <lathe/passes/core/pass_manager.h>
#include <lathe/passes/pipelines/all_passes.h>

lathe::Status Fold(const char* from, const char* to) {
  LATHE_ASSIGN_OR_RETURN(const auto model, lathe::frontends::ImportOnnx(from));
  lathe::passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(lathe::passes::RegisterAllPasses(registry));
  LATHE_ASSIGN_OR_RETURN(const auto report,
                         lathe::passes::RunPipeline(*model, "fuse-conv-bn", registry));
  for (const auto& remark : report.passes[0].remarks) {
    std::printf("%s: %s\n", remark.node.c_str(), remark.message.c_str());
  }
  return lathe::backends::ExportOnnx(*model, to);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const lathe::Status status = Fold(argv[1], argv[2]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", lathe::FormatError(status).c_str());
  return status.ok() ? 0 : 1;
}
