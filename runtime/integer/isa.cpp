#include "lathe/runtime/integer/isa.h"

#include <cstdlib>
#include <string>

namespace lathe::runtime::integer {

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512Vnni:
      return "avx512-vnni";
  }
  return "";
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas = {Isa::kPortable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) isas.push_back(Isa::kAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    isas.push_back(Isa::kAvx512Vnni);
  }
#endif
  return isas;
}

StatusOr<Isa> ChooseIsa() {
  const std::vector<Isa> available = AvailableIsas();
  const char* wanted = std::getenv("LATHE_INTEGER_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.back();
  std::string names;
  for (const Isa isa : available) {
    if (IsaName(isa) == wanted) return isa;
    names += (names.empty() ? "" : ", ") + std::string(IsaName(isa));
  }
  return InvalidInput("LATHE_INTEGER_ISA is '{}': this machine has {}", wanted, names);
}

}  // namespace lathe::runtime::integer
