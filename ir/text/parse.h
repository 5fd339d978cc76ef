// Reads the text form (docs/text-form.md).
#pragma once

#include <memory>
#include <string_view>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::ir {

struct ParseOptions {
  // Weights may be given as a range of any file of this machine.
  bool allow_files = false;
};

// The model that the text describes, well formed (see verifier.h). O(length of the text). Errors
// begin with LINE:COLUMN and say what was expected; elided weights are one.
StatusOr<std::unique_ptr<Model>> ParseModel(std::string_view text,
                                            const ParseOptions& options = {});

}  // namespace lathe::ir
