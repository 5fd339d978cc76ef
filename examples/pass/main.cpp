// A driver of its own: runs a pipeline in which the new pass stands among those of Lathe.
#include <cstdio>

#include <lathe/backends/onnx/export.h>
#include <lathe/frontends/onnx/import.h>
#include <lathe/passes/core/pass_manager.h>
#include <lathe/passes/instrument/verify_each.h>
#include <lathe/passes/pipelines/all_passes.h>

#include "pow_to_mul.h"

lathe::Status Rewrite(const char* from, const char* to, const char* pipeline) {
  LATHE_ASSIGN_OR_RETURN(const auto model, lathe::frontends::ImportOnnx(from));
  lathe::passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(lathe::passes::RegisterAllPasses(registry));
  LATHE_RETURN_IF_ERROR(registry.Add(example::PowToMulPass()));
  lathe::passes::VerifyEach verify;
  lathe::passes::PassManagerOptions options;
  options.observers = {&verify};
  LATHE_ASSIGN_OR_RETURN(const auto report,
                         lathe::passes::RunPipeline(*model, pipeline, registry, {}, options));
  for (const auto& pass : report.passes) {
    std::printf("%s %s: %s\n", pass.position.c_str(), pass.pass.c_str(),
                pass.changed ? "changed" : "unchanged");
  }
  return lathe::backends::ExportOnnx(*model, to);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const lathe::Status status = Rewrite(argv[1], argv[2], argv[3]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", lathe::FormatError(status).c_str());
  return status.ok() ? 0 : 1;
}
