// From a checkpoint into the model: one parameter at a time.
#pragma once

#include <optional>
#include <string>

#include <absl/container/flat_hash_set.h>

#include "lathe/flows/checkpoint_wishes.h"
#include "lathe/flows/restore_state.h"
#include "lathe/flows/torch_parameters.h"
#include "lathe/frontends/checkpoint/match_state.h"
#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// Where a parameter's tensors are among the slots.
struct ParameterSlots {
  const TorchParameter* parameter = nullptr;
  const ParameterKey* key = nullptr;
  size_t value = 0;
  // Of a bias that stands in two tensors.
  std::optional<size_t> second;
  std::optional<size_t> mask;
};

// Asks for the likeliest key that is there; nothing for an optional parameter without one. `sparse`
// are the layers whose weights have a mask.
std::optional<ParameterSlots> AskForParameter(const TorchParameter& parameter,
                                              const absl::flat_hash_set<std::string>& sparse,
                                              const Keys& keys, Wishes& wishes);

// Writes the parameter into its node. A tensor of the model's own type and layout is shared with
// the checkpoint, not copied. Errors: values that are not finite (masks and other constants that
// need not be parameters may hold some); an element type that the model's has no values of. Where
// the layer is one of `sparse` (may be null), its mask is handed out there instead of applied.
Status SetParameter(ir::Rewriter& rewriter, const ParameterSlots& slots,
                    const frontends::StateMatch& match, SparseState* sparse);

}  // namespace lathe::flows
