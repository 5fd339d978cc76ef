// Which vector instructions the integer kernels use.
#pragma once

#include <string_view>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::runtime::integer {

enum class Isa {
  kPortable,  // what the compiler makes of plain loops for the baseline
  kAvx2,  // vpmaddwd on sign-extended 16-bit operands: exact, unlike vpmaddubsw, which saturates
  kAvx512Vnni,  // vpdpbusd and vpdpwssd, which add up without saturating
};

// "portable", "avx2", "avx512-vnni".
std::string_view IsaName(Isa isa);

// What this machine has, best last.
std::vector<Isa> AvailableIsas();

// The one that the environment variable LATHE_INTEGER_ISA names, else the best. Errors: no such
// instruction set, or not on this machine.
StatusOr<Isa> ChooseIsa();

}  // namespace lathe::runtime::integer
